import { describe, expect, it } from "vitest";
import { parseQuota, type Quota } from "../../../src/quota/index.js";
import { aDocument, aQuota, said } from "./quota-kit.js";

const minimal = { limit: 100, window: "1m" };
const parse = (spec: Readonly<Record<string, unknown>>) => parseQuota(aDocument({ ...minimal, ...spec }));
const saidOf = (spec: Readonly<Record<string, unknown>>): string[] => said(parse(spec));
const messages = (spec: Readonly<Record<string, unknown>>): string[] =>
  parse(spec).findings.map(({ message }) => message);

describe("a Quota", () => {
  it("needs only a limit and a window", () => {
    expect(aQuota({ limit: 100 })).toEqual({
      namespace: "shop",
      name: "per-user",
      selector: undefined,
      match: undefined,
      dimensions: [],
      allowance: { algorithm: "fixedWindow", limit: 100, windowMs: 60_000, burst: 100 },
      cost: undefined,
      overrides: [],
      dryRun: false,
      onStoreFailure: "deny",
      localShare: 0.5,
      response: { status: 429, body: "", headers: [] },
      chargeId: undefined,
      chargesRefused: false,
      rateLimit: undefined,
    } satisfies Quota);
    expect(said(parseQuota(aDocument({})))).toEqual(["GH0104 spec.limit", "GH0104 spec.window"]);
    expect(said(parseQuota(aDocument(undefined)))).toEqual(["GH0104 spec.limit", "GH0104 spec.window"]);
    expect(said(parseQuota(aDocument(["limit"])))).toEqual(["GH0102 spec"]);
  });

  it("has all that the reference says", () => {
    const parsed = parseQuota(
      aDocument({
        selector: { matchLabels: { app: "orders" } },
        match: "request.method == 'POST'",
        dimensions: ["request.auth.claims.sub", { name: "net", value: "ipPrefix(remote.ip, 24, 64)" }],
        limit: 100,
        window: "1d",
        algorithm: "TOKEN_BUCKET",
        burst: 20,
        cost: 2,
        overrides: [
          { dimensions: { "request.auth.claims.sub": "alice" }, limit: 1000 },
          { dimensions: { net: "10.*" }, burst: 5, window: "1h" },
          { dimensions: { net: "*/24" }, unlimited: true },
        ],
        dryRun: true,
        onStoreFailure: "local",
        localShare: 0.25,
        response: { status: 503, body: "later", headers: { "X-A": "b" } },
        chargeId: "request.headers['idempotency-key']",
        chargesRefused: true,
        rateLimitService: {
          domain: "shop",
          descriptor: [{ key: "user", dimension: "request.auth.claims.sub" }, "net"],
        },
      }),
    );
    expect(parsed.findings).toEqual([]);
    const tokenBucket = { algorithm: "tokenBucket", windowMs: 86_400_000 };
    expect(parsed.spec).toMatchObject({
      selector: [["app", "orders"]],
      match: "request.method == 'POST'",
      dimensions: [
        { name: "request.auth.claims.sub", value: "request.auth.claims.sub" },
        { name: "net", value: "ipPrefix(remote.ip, 24, 64)" },
      ],
      allowance: { ...tokenBucket, limit: 100, burst: 20 },
      cost: "2",
      overrides: [
        {
          dimensions: [["request.auth.claims.sub", "alice"]],
          allowance: { ...tokenBucket, limit: 1000, burst: 20 },
        },
        {
          dimensions: [["net", "10.*"]],
          allowance: { ...tokenBucket, limit: 100, burst: 5, windowMs: 3_600_000 },
        },
        { dimensions: [["net", "*/24"]], allowance: undefined },
      ],
      dryRun: true,
      onStoreFailure: "local",
      localShare: 0.25,
      response: { status: 503, body: "later", headers: [["x-a", "b"]] },
      chargeId: "request.headers['idempotency-key']",
      chargesRefused: true,
      rateLimit: {
        domain: "shop",
        descriptor: [
          ["user", "request.auth.claims.sub"],
          ["net", "net"],
        ],
      },
    });
    expect(structuredClone(parsed.spec)).toEqual(parsed.spec);
  });

  it("takes dimensions as a mapping, too", () => {
    expect(
      aQuota({ dimensions: { method: "request.method", secure: "connection.mtls" } }).dimensions,
    ).toEqual([
      { name: "method", value: "request.method" },
      { name: "secure", value: "connection.mtls" },
    ]);
  });

  it.each([
    ["fixedWindow", "fixedWindow"],
    ["FIXED_WINDOW", "fixedWindow"],
    ["Sliding-Window", "slidingWindow"],
    ["tokenbucket", "tokenBucket"],
    ["CONCURRENCY", "concurrency"],
  ])("counts by the algorithm %s", (written, algorithm) => {
    expect(aQuota({ algorithm: written }).allowance.algorithm).toBe(algorithm);
  });

  it.each([
    ["1ms", 1],
    ["1.1s", 1100],
    ["1m30s", 90_000],
    ["7d", 604_800_000],
    ["876000h", 3_153_600_000_000],
    ["36500d", 3_153_600_000_000],
  ])("has a window of %s", (window, ms) => {
    expect(aQuota({ window }).allowance.windowMs).toBe(ms);
  });

  it("gives an override that has no burst the quota's, or its own limit", () => {
    const overrides = [{ dimensions: { m: "GET" }, limit: 9 }];
    const dimensions = { m: "request.method" };
    const burstOf = (spec: Readonly<Record<string, unknown>>): number | undefined =>
      aQuota({ dimensions, overrides, algorithm: "tokenBucket", ...spec }).overrides[0]?.allowance?.burst;
    expect(burstOf({})).toBe(9);
    expect(burstOf({ burst: 3 })).toBe(3);
    expect(burstOf({ overrides: [{ dimensions: { m: "GET" }, limit: 0 }], burst: 3 })).toBe(0);
  });
});

describe("a Quota with a mistake", () => {
  const dimensions = { m: "request.method", h: "request.host" };

  it.each<[string, Readonly<Record<string, unknown>>, string[]]>([
    ["a field that there is not", { limits: 1 }, ["GH0101 spec.limits"]],
    ["a target", { targetRefs: [] }, ["GH0101 spec.targetRefs"]],
    ["a negative limit", { limit: -1 }, ["GH0108 spec.limit"]],
    ["a fraction of a limit", { limit: 1.5 }, ["GH0102 spec.limit"]],
    ["a limit above 2^32 - 1", { limit: 4_294_967_296 }, ["GH0108 spec.limit"]],
    ["a limit as text", { limit: "100" }, ["GH0102 spec.limit"]],
    ["a window of nothing", { window: "0s" }, ["GH0108 spec.window"]],
    ["a window below a millisecond", { window: "0.5ms" }, ["GH0108 spec.window"]],
    ["a window above 100 years", { window: "36501d" }, ["GH0108 spec.window"]],
    ["a window that is none", { window: "1 minute" }, ["GH0108 spec.window"]],
    ["a negative window", { window: "-1m" }, ["GH0108 spec.window"]],
    ["a window as a number", { window: 60 }, ["GH0102 spec.window"]],
    ["an algorithm that there is not", { algorithm: "leakyBucket" }, ["GH0103 spec.algorithm"]],
    ["an algorithm that is no text", { algorithm: 1 }, ["GH0102 spec.algorithm"]],
    ["a burst without tokenBucket", { burst: 5 }, ["GH0201 spec.burst"]],
    ["a burst of 0", { algorithm: "tokenBucket", burst: 0 }, ["GH0108 spec.burst"]],
    ["concurrency with a cost", { algorithm: "concurrency", cost: 2 }, ["GH0201 spec.cost"]],
    ["concurrency with an id", { algorithm: "concurrency", chargeId: "'x'" }, ["GH0201 spec.chargeId"]],
    [
      "concurrency of refused requests",
      { algorithm: "concurrency", chargesRefused: true },
      ["GH0201 spec.chargesRefused"],
    ],
    ["a match that is no bool", { match: "request.method" }, ["GH0701 spec.match"]],
    ["an empty match", { match: " " }, ["GH0105 spec.match"]],
    ["a match that is no text", { match: true }, ["GH0102 spec.match"]],
    ["a cost that is no whole number", { cost: "1.5" }, ["GH0701 spec.cost"]],
    ["a negative cost", { cost: -1 }, ["GH0108 spec.cost"]],
    ["a cost above 2^32 - 1", { cost: 4_294_967_296 }, ["GH0108 spec.cost"]],
    ["an unknown attribute", { dimensions: ["request.colour"] }, ["GH0701 spec.dimensions.0"]],
    ["a dimension that is a map", { dimensions: { h: "request.headers" } }, ["GH0701 spec.dimensions.h"]],
    ["dimensions as a text", { dimensions: "request.method" }, ["GH0102 spec.dimensions"]],
    [
      "a dimension without name",
      { dimensions: [{ value: "request.method" }] },
      ["GH0104 spec.dimensions.0.name"],
    ],
    ["a dimension without value", { dimensions: [{ name: "m" }] }, ["GH0104 spec.dimensions.0.value"]],
    [
      "two dimensions of one name",
      { dimensions: ["request.method", { name: "request.method", value: "request.host" }] },
      ["GH0201 spec.dimensions.1"],
    ],
    [
      "too many dimensions",
      { dimensions: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`d${i}`, "request.host"])) },
      ["GH0106 spec.dimensions"],
    ],
    [
      "an override of an unknown dimension",
      { dimensions, overrides: [{ dimensions: { user: "a" }, limit: 1 }] },
      ["GH0108 spec.overrides.0.dimensions.user"],
    ],
    [
      "an override without allowance",
      { dimensions, overrides: [{ dimensions: { m: "GET" } }] },
      ["GH0104 spec.overrides.0"],
    ],
    [
      "an override without dimensions",
      { dimensions, overrides: [{ limit: 1 }] },
      ["GH0104 spec.overrides.0.dimensions"],
    ],
    [
      "an override that says two things",
      { dimensions, overrides: [{ dimensions: { m: "GET" }, limit: 1, unlimited: true }] },
      ["GH0201 spec.overrides.0.limit"],
    ],
    [
      "an override with a burst without tokenBucket",
      { dimensions, overrides: [{ dimensions: { m: "GET" }, burst: 1 }] },
      ["GH0201 spec.overrides.0.burst"],
    ],
    [
      "an override with a star within",
      { dimensions, overrides: [{ dimensions: { m: "G*T", h: "*a*" }, limit: 1 }] },
      ["GH0108 spec.overrides.0.dimensions.m", "GH0108 spec.overrides.0.dimensions.h"],
    ],
    [
      "an override by a number",
      { dimensions, overrides: [{ dimensions: { m: 1 }, limit: 1 }] },
      ["GH0102 spec.overrides.0.dimensions.m"],
    ],
    ["an unknown outcome", { onStoreFailure: "fail" }, ["GH0103 spec.onStoreFailure"]],
    ["no share", { onStoreFailure: "local", localShare: 0 }, ["GH0108 spec.localShare"]],
    ["a share above 1", { onStoreFailure: "local", localShare: 1.1 }, ["GH0108 spec.localShare"]],
    ["a share that is no number", { onStoreFailure: "local", localShare: "1" }, ["GH0102 spec.localShare"]],
    ["a status that refuses nothing", { response: { status: 200 } }, ["GH0108 spec.response.status"]],
    ["a status that Envoy does not know", { response: { status: 420 } }, ["GH0108 spec.response.status"]],
    [
      "a name that is no header's",
      { response: { headers: { "a b": "c" } } },
      ["GH0107 spec.response.headers.a b"],
    ],
    [
      "a header of the connection",
      { response: { headers: { "Content-Length": "1" } } },
      ["GH0107 spec.response.headers.Content-Length"],
    ],
    [
      "two lines in a header",
      { response: { headers: { a: "b\r\nc: d" } } },
      ["GH0108 spec.response.headers.a"],
    ],
    ["a header twice", { response: { headers: { a: "b", A: "c" } } }, ["GH0201 spec.response.headers.A"]],
    ["a header that is no text", { response: { headers: { a: 1 } } }, ["GH0102 spec.response.headers.a"]],
    ["an id that is no text", { chargeId: "1" }, ["GH0701 spec.chargeId"]],
    ["a flag as text", { dryRun: "yes" }, ["GH0102 spec.dryRun"]],
    [
      "a mapping without domain",
      { dimensions, rateLimitService: { descriptor: ["m", "h"] } },
      ["GH0104 spec.rateLimitService.domain"],
    ],
    [
      "a mapping of nothing",
      { rateLimitService: { domain: "d", descriptor: [] } },
      ["GH0105 spec.rateLimitService.descriptor"],
    ],
    [
      "a mapping that leaves a dimension out",
      { dimensions, rateLimitService: { domain: "d", descriptor: ["m"] } },
      ["GH0104 spec.rateLimitService.descriptor"],
    ],
    [
      "a mapping of an unknown dimension",
      { dimensions, rateLimitService: { domain: "d", descriptor: ["m", "h", "x"] } },
      ["GH0108 spec.rateLimitService.descriptor.2"],
    ],
    [
      "a mapping of a dimension twice",
      { dimensions, rateLimitService: { domain: "d", descriptor: ["m", "h", { key: "k", dimension: "m" }] } },
      ["GH0201 spec.rateLimitService.descriptor.2"],
    ],
  ])("is not loaded: %s", (_, spec, findings) => {
    expect(parse(spec).spec).toBeUndefined();
    expect(saidOf(spec)).toEqual(findings);
  });

  it("shows the place within an expression", () => {
    const [found] = parse({ match: "request.method == 'GET' &&\n  request.colour == 'red'" }).findings;
    expect(found?.path).toEqual(["spec", "match"]);
    expect(found?.place).toMatchObject({ file: undefined, line: 2 });
    expect(found?.place?.column).toBeGreaterThan(2);
  });

  it("says all that is wrong at once", () => {
    expect(saidOf({ limit: -1, match: "1", response: { status: 1 }, onStoreFailure: 1 })).toEqual([
      "GH0701 spec.match",
      "GH0108 spec.limit",
      "GH0102 spec.onStoreFailure",
      "GH0108 spec.response.status",
    ]);
  });

  it("is told about what does not come of another mistake", () => {
    const spec = {
      dimensions: ["request.colour"],
      overrides: [{ dimensions: { "request.colour": "red" }, limit: 1 }],
    };
    expect(saidOf(spec)).toEqual(["GH0701 spec.dimensions.0"]);
  });
});

describe("a Quota with something useless", () => {
  const dimensions = { m: "request.method" };

  it.each<[string, Readonly<Record<string, unknown>>, string[]]>([
    ["a limit of 0", { limit: 0 }, ["GH0702 spec.limit"]],
    ["a cost above the limit", { limit: 5, cost: 6 }, ["GH0702 spec.cost"]],
    ["a cost above the burst", { algorithm: "tokenBucket", burst: 5, cost: "6" }, ["GH0702 spec.cost"]],
    ["a cost of 0", { cost: "0" }, ["GH0703 spec.cost"]],
    ["a share that nobody takes", { localShare: 0.1 }, ["GH0705 spec.localShare"]],
    [
      "an override that matches everything",
      { dimensions, overrides: [{ dimensions: { m: "*" }, limit: 1 }] },
      ["GH0704 spec.overrides.0"],
    ],
    [
      "an override that another one hides",
      {
        dimensions,
        overrides: [
          { dimensions: { m: "GET" }, limit: 1 },
          { dimensions: { m: "GET" }, limit: 2 },
        ],
      },
      ["GH0704 spec.overrides.1"],
    ],
  ])("is loaded with a warning: %s", (_, spec, findings) => {
    expect(parse(spec).spec).toBeDefined();
    expect(saidOf(spec)).toEqual(findings);
  });

  it("says nothing about an override that blocks", () => {
    expect(saidOf({ dimensions, overrides: [{ dimensions: { m: "GET" }, limit: 0 }] })).toEqual([]);
  });
});

describe("a finding of a Quota", () => {
  it("says what was expected", () => {
    expect(messages({ algorithm: "leaky", window: "soon", limit: -4 })).toEqual([
      "unknown algorithm `leaky`, expected one of fixedWindow, slidingWindow, tokenBucket, concurrency",
      "`limit` is -4, expected 0 to 4294967295",
      "duration `soon` cannot be read, expected for example `1s`, `1m30s` or `7d`",
    ]);
  });
});
