import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Attributes } from "../../../src/attributes/index.js";
import { type Decision, noQuota } from "../../../src/engine/index.js";
import { shareOf } from "../../../src/logs/decision-rules.js";
import {
  auditSettings,
  checkLogs,
  compileDecisionLog,
  type DecisionLog,
  decisionLogSettings,
  defaultMasks,
  type LogLine,
  sinksOfDecisions,
} from "../../../src/logs/index.js";
import { type CheckObservation, recordOf } from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";

const denied = {
  decisionId: "d-1",
  allowed: false,
  code: 7,
  httpStatus: 403,
  stage: "authorize",
  reason: "denied_by_policy",
  rule: { key: "ns[shop]-policy[deny]-rule[2]", policy: "shop/deny", rule: 2 },
  dryRun: [],
  quota: noQuota,
  failedOpen: false,
  generation: 4,
} as unknown as Decision;
const allowed = { ...denied, allowed: true, code: 0, reason: "not_denied", rule: undefined } as Decision;

const request = aRequest()
  .get("/cart?access_token=s3cret&page=2")
  .header("authorization", "Bearer s3cret")
  .header("cookie", "session=s3cret")
  .header("x-tenant", "acme")
  .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
  .build();

function observe(decision: Decision, attributes: Attributes | undefined = request): CheckObservation {
  return { decision: { ...decision, attributes }, attributes, now: 1_700_000_000_000, durationMs: 0.25 };
}

interface Written {
  readonly lines: readonly LogLine[];
  readonly records: readonly Record<string, unknown>[];
  readonly failed: readonly string[];
}

function compiled(spec: unknown, audit?: unknown, failed: string[] = []): DecisionLog {
  const log = compileDecisionLog(
    decisionLogSettings.parse(spec),
    audit === undefined ? undefined : auditSettings.parse(audit),
    { places: [], failed: (place) => failed.push(place) },
  );
  if (log === undefined) throw new Error("expected a log");
  return log;
}

function write(spec: unknown, observation: CheckObservation, audit?: unknown): Written {
  const failed: string[] = [];
  const lines = compiled(spec, audit, failed).lines(observation, recordOf(observation));
  return { lines, failed, records: lines.map(({ text }) => JSON.parse(text) as Record<string, unknown>) };
}

const stdout = { name: "out", stdout: {} };

describe("the decision log", () => {
  it("is none without sinks", () => {
    const settings = decisionLogSettings.parse({});
    expect(compileDecisionLog(settings, undefined, { places: [], failed: () => {} })).toBeUndefined();
  });

  it("writes the record as one JSON object that pino's tools read", () => {
    const observation = observe(denied);
    const { lines, records } = write({ sinks: [stdout] }, observation);
    expect(lines).toMatchObject([{ sink: "decisions/out", time: 1_700_000_000_000, severity: "warn" }]);
    expect(records).toEqual([{ level: 40, ...recordOf(observation), msg: "decision" }]);
    expect(Object.keys(records[0] ?? {}).slice(0, 3)).toEqual(["level", "time", "decision_id"]);
    expect(lines[0]?.text).not.toMatch(/s3cret|\n/);
  });

  it.each([
    ["info", 30, allowed],
    ["warn", 40, denied],
    ["warn", 40, { ...allowed, failedOpen: true }],
    ["error", 50, { ...denied, stage: "internal" }],
  ] as const)("is of level %s (%d)", (severity, level, decision) => {
    const { lines, records } = write({ sinks: [stdout] }, observe(decision as Decision));
    expect([lines[0]?.severity, records[0]?.["level"]]).toEqual([severity, level]);
  });

  it("writes of the request what it is told to, masked", () => {
    const include = { requestHeaders: ["X-Tenant", "Authorization", "x-none"], query: true, claims: true };
    const payload = { iss: "i", sub: "s", email: "a@b", exp: 5 };
    const attributes = { ...request, auth: { payload } };
    const { records } = write({ sinks: [stdout], include }, observe(allowed, attributes));
    expect(records[0]).toMatchObject({
      headers: { "x-tenant": "acme", authorization: "***" },
      query: "access_token=***&page=***",
      claims: { iss: "i", sub: "s", exp: 5 },
    });
    expect(records[0]?.["claims"]).not.toHaveProperty("email");
  });

  it("writes all headers without a secret", () => {
    const { lines, records } = write(
      { sinks: [stdout], include: { requestHeaders: ["*"], query: true } },
      observe(allowed),
    );
    expect(records[0]?.["headers"]).toMatchObject({
      cookie: "***",
      authorization: "***",
      "x-tenant": "acme",
    });
    expect(lines[0]?.text).not.toContain("s3cret");
  });

  it("holds headers of any name, and cuts what is long", () => {
    const attributes = aRequest().get("/").header("__proto__", "x".repeat(5000)).build();
    const { lines } = write(
      { sinks: [stdout], include: { requestHeaders: ["*"] } },
      observe(allowed, attributes),
    );
    expect(lines[0]?.text).toContain(`"__proto__":"${"x".repeat(1024)}"`);
  });

  it("writes a decision about a request that could not be read", () => {
    const spec = {
      sinks: [{ ...stdout, filter: "request.path == '/'" }],
      include: { requestHeaders: ["*"], query: true },
    };
    const observation = { ...observe(denied), attributes: undefined };
    const { records, failed } = write(spec, {
      ...observation,
      decision: { ...denied, attributes: undefined } as Decision,
    });
    expect(records).toMatchObject([{ decision_id: "d-1", path: null }]);
    expect(failed).toEqual(["filter"]);
  });

  it("gives OTLP its trace and what records are found by", () => {
    const otlp = { service: "observability/otel.example", port: 4317 };
    const { lines } = write({ sinks: [{ name: "otel", otlp }] }, observe(denied));
    expect(lines).toMatchObject([
      {
        traceId: "0af7651916cd43dd8448eb211c80319c",
        spanId: "b7ad6b7169203331",
        fields: {
          "gatehouse.decision_id": "d-1",
          "gatehouse.allowed": false,
          "gatehouse.policy": "shop/deny",
        },
      },
    ]);
  });
});

describe("a sink of decisions", () => {
  it("has a filter of its own", () => {
    const sinks = [
      { ...stdout, filter: "!check.allowed && check.policy == 'shop/deny'" },
      {
        name: "other",
        file: { path: "x" },
        filter: "request.headers['x-tenant'] == 'acme' && check.duration < 1.0",
      },
    ];
    expect(write({ sinks }, observe(allowed)).lines.map(({ sink }) => sink)).toEqual(["decisions/other"]);
    expect(write({ sinks }, observe(denied)).lines).toHaveLength(2);
  });

  it("takes a denied decision when its filter has no value, and no allowed one", () => {
    const sinks = [{ ...stdout, filter: "request.headers['x-none'] == 'a'" }];
    expect(write({ sinks }, observe(denied))).toMatchObject({ lines: [{}], failed: ["filter"] });
    expect(write({ sinks }, observe(allowed))).toMatchObject({ lines: [], failed: ["filter"] });
    expect(write({ sinks, keepDenied: false }, observe(denied)).lines).toEqual([]);
  });

  it("takes everything when its filter has no value and it is strict", () => {
    const sinks = [
      { name: "disk", file: { path: "x" }, strict: true, filter: "request.headers['x-none'] == 'a'" },
    ];
    expect(write({ sinks }, observe(allowed)).lines).toHaveLength(1);
  });

  it("has masks of its own beside those of the log", () => {
    const mask = { headers: ["x-tenant"], rules: [{ fields: ["source_ip"], op: "remove" }] };
    const spec = {
      sinks: [stdout, { name: "masked", stdout: {}, mask }],
      include: { requestHeaders: ["x-tenant"] },
      mask: { rules: [{ match: "check.allowed", fields: ["request_principal", "host"] }] },
    };
    const { records } = write(spec, observe(allowed));
    expect(records[0]).toMatchObject({ headers: { "x-tenant": "acme" }, host: "***", source_ip: "10.0.0.1" });
    expect(records[1]).toMatchObject({ headers: { "x-tenant": "***" }, host: "***" });
    expect(records[1]).not.toHaveProperty("source_ip");
    expect(write(spec, observe(denied)).records[0]).toMatchObject({ host: "example.com" });
  });

  it("masks when a mask's expression has no value", () => {
    const mask = { rules: [{ match: "request.headers['x-none'] == 'a'", fields: ["host"] }] };
    expect(write({ sinks: [stdout], mask }, observe(allowed))).toMatchObject({
      records: [{ host: "***" }],
      failed: ["mask"],
    });
  });

  it("leaves the record itself as it was", () => {
    const observation = observe(allowed);
    const record = recordOf(observation);
    const before = structuredClone(record);
    compiled({ sinks: [stdout], mask: { rules: [{ fields: ["host"], op: "remove" }] } }).lines(
      observation,
      record,
    );
    expect(record).toEqual(before);
  });

  it("masks by configured places", () => {
    const settings = decisionLogSettings.parse({
      sinks: [stdout],
      include: { requestHeaders: ["x-tenant"] },
    });
    const places = [{ headers: [{ name: "x-tenant", prefix: "" }], params: [], cookies: [] }];
    const log = compileDecisionLog(settings, undefined, { places, failed: () => {} });
    const observation = observe(allowed);
    expect(log?.lines(observation, recordOf(observation))[0]?.text).toContain('"headers":{"x-tenant":"***"}');
  });
});

describe("drop and sample rules", () => {
  const spec = { sinks: [stdout], drop: ["request.url_path == '/cart'"], sample: [{ percent: 0 }] };

  it("leave allowed decisions out, and never a denied one", () => {
    expect(write(spec, observe(allowed)).lines).toEqual([]);
    expect(write(spec, observe(denied)).lines).toHaveLength(1);
  });

  it("leave denied ones out too where keepDenied is off", () => {
    expect(write({ ...spec, keepDenied: false }, observe(denied)).lines).toEqual([]);
  });

  it("drop nothing when they have no value", () => {
    const drop = ["request.headers['x-none'] == 'a'"];
    expect(write({ sinks: [stdout], drop }, observe(allowed))).toMatchObject({
      lines: [{}],
      failed: ["drop"],
    });
  });

  it("are asked in order, the first that matches says the share", () => {
    const sample = [{ match: "request.url_path == '/cart'", percent: 100 }, { percent: 0 }];
    expect(write({ sinks: [stdout], sample }, observe(allowed)).lines).toHaveLength(1);
  });

  it("take the same decisions everywhere, and about as many as they say", () => {
    const log = compiled({ sinks: [stdout], sample: [{ percent: 10 }] });
    let taken = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const observation = observe({ ...allowed, decisionId: `0b1c${i.toString(16)}` });
      const { length } = log.lines(observation, recordOf(observation));
      expect(length === 1).toBe(shareOf(observation.decision.decisionId) < 10);
      taken += length;
    }
    expect(taken / 20_000).toBeGreaterThan(0.09);
    expect(taken / 20_000).toBeLessThan(0.11);
  });

  it("give shares between 0 and 100", () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        expect(shareOf(id)).toBeGreaterThanOrEqual(0);
        expect(shareOf(id)).toBeLessThan(100);
      }),
    );
  });

  it("keep nothing from the audit file, which has a filter of its own", () => {
    const audit = { path: "audit.jsonl" };
    expect(write(spec, observe(allowed), audit).lines).toMatchObject([{ sink: "audit" }]);
    expect(write({}, observe(allowed), { ...audit, filter: "!check.allowed" }).lines).toEqual([]);
    expect(
      write({}, observe(allowed), { ...audit, filter: "request.headers['x'] == ''" }).lines,
    ).toHaveLength(1);
  });
});

describe("what must be stored before an answer", () => {
  it("is what goes to strict sinks", () => {
    const sinks = [stdout, { name: "disk", file: { path: "x" }, strict: true }];
    expect(compiled({ sinks }).strict).toEqual(new Set(["decisions/disk"]));
    expect(compiled({ sinks }, { path: "a", strict: true }).strict).toEqual(
      new Set(["decisions/disk", "audit"]),
    );
    expect(compiled({ sinks: [stdout] }, { path: "a" }).strict.size).toBe(0);
  });
});

describe("settings of the decision log", () => {
  const check = (decisionLog: unknown, audit?: unknown): string[] =>
    checkLogs({
      decisionLog: decisionLogSettings.parse(decisionLog),
      audit: audit === undefined ? undefined : auditSettings.parse(audit),
      accessLogMask: defaultMasks,
      accessLogFile: "",
      accessLogEncoding: "TEXT",
      accessLogFormat: "",
    }).map(({ code, path, message }) => `${code.code} ${path.join(".")}: ${message}`);

  it("are fine as they are by default", () => {
    expect(check({ sinks: [stdout] })).toEqual([]);
  });

  it.each([
    ["audit.log", "./audit.log", true],
    ["/var//log/x/../audit.log", "/var/log/audit.log", true],
    ["../audit.log", "audit.log", false],
    ["/audit.log", "audit.log", false],
  ])("tell whether a log at %s and the audit file at %s are one file", (path, audit, isOne) => {
    const found = check({ sinks: [{ name: "file", file: { path } }] }, { path: audit });
    expect(found.some((message) => message.includes("cannot be the audit file"))).toBe(isOne);
  });

  it("are refused where an expression, a field or a target is wrong", () => {
    expect(
      check(
        {
          sinks: [
            { name: "a" },
            { name: "a", stdout: {}, file: { path: "f" } },
            { name: "b", stdout: {}, strict: true, filter: "check.alowed" },
            { name: "c", file: { path: "audit" }, mask: { rules: [{ fields: ["decision_id"] }] } },
          ],
          drop: ["1"],
          sample: [{ match: " ", percent: 5 }],
          mask: { show: { headers: ["cookie"] } },
        },
        { path: "audit", filter: "request.heders" },
      ),
    ).toEqual([
      expect.stringMatching(
        /^GH1003 spec\.decisionLog\.sinks\.0: sink `a` names none of stdout, file and otlp/,
      ),
      expect.stringMatching(/^GH1003 spec\.decisionLog\.sinks\.1\.name: .* given twice/),
      expect.stringMatching(/^GH1003 spec\.decisionLog\.sinks\.1: sink `a` names several/),
      expect.stringMatching(/^GH1004 spec\.decisionLog\.sinks\.2\.strict/),
      expect.stringMatching(/^GH0701 spec\.decisionLog\.sinks\.2\.filter: .*`check.allowed`/),
      expect.stringMatching(
        /^GH1005 spec\.decisionLog\.sinks\.3\.mask\.rules\.0\.fields\.0: field `decision_id`/,
      ),
      expect.stringMatching(/^GH1006 spec\.decisionLog\.sinks\.3\.file/),
      expect.stringMatching(/^GH1007 spec\.decisionLog\.mask\.show\.headers\.0/),
      expect.stringMatching(/^GH0701 spec\.decisionLog\.drop\.0/),
      expect.stringMatching(/spec\.decisionLog\.sample\.0\.match: /),
      expect.stringMatching(/^GH0701 spec\.audit\.filter/),
    ]);
  });

  it("name the sinks that are to be opened", () => {
    const settings = decisionLogSettings.parse({
      sinks: [
        stdout,
        { name: "disk", file: { path: "d.jsonl" } },
        {
          name: "otel",
          otlp: {
            service: "observability/otel.example",
            port: 4318,
            http: { path: "/v1/logs", timeout: "10s", headers: [{ name: "X-Key", envName: "KEY" }] },
          },
        },
      ],
    });
    const audit = auditSettings.parse({ path: "audit.jsonl", keyFile: "key" });
    expect(sinksOfDecisions(settings, audit, (name) => (name === "KEY" ? "k" : undefined))).toEqual([
      { kind: "stdout", name: "decisions/out" },
      { kind: "file", name: "decisions/disk", path: "d.jsonl" },
      {
        kind: "otlp",
        name: "decisions/otel",
        protocol: "http",
        host: "otel.example",
        port: 4318,
        path: "/v1/logs",
        tls: false,
        timeoutMs: 10_000,
        headers: [["x-key", "k"]],
      },
      { kind: "audit", name: "audit", path: "audit.jsonl", keyFile: "key" },
    ]);
  });
});
