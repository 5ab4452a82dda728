import { beforeAll, describe, expect, it } from "vitest";
import { grpcCode, noEdits, type Provider, type Verdict } from "../../../src/engine/index.js";
import { createRegoProvider, type RegoPolicy, type RegoPorts } from "../../../src/rego/index.js";
import { parseRegoPolicy } from "../../../src/rego/parse-rego-policy.js";
import type { Program } from "../../../src/rego/program.js";
import { splitData, toProgram } from "../../../src/rego/runtime.js";
import { anHttpRequest, aQuestion } from "../../support/provider-question.js";
import { decideWasm } from "./fakes.js";

let program: Program;
beforeAll(() => {
  program = toProgram(decideWasm);
});

interface Asked {
  readonly ask: (path: string) => Verdict;
  readonly failures: string[];
  readonly told: Verdict[];
}

const decisions = {
  yes: true,
  no: false,
  object: { allowed: true, headers: { "x-user": "eve" }, dynamic_metadata: { a: 1 } },
  refusal: { allowed: false, http_status: 302, headers: { location: "/login" }, dynamic_metadata: { b: 2 } },
  masked: { allowed: true, dynamic_metadata: { obligations: ["shop/mask"] } },
  confused: { allowed: true, dynamic_metadata: { obligations: { mask: true } } },
  text: "yes",
  status: { allowed: false, http_status: 418 },
};

async function policyOf(spec: object = {}, changes: Partial<RegoPolicy> = {}): Promise<Asked> {
  const parsed = parseRegoPolicy({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "RegoPolicy",
    name: "orders",
    namespace: "shop",
    annotations: new Map(),
    labels: new Map(),
    spec: { modules: { "a.rego": "" }, timeout: "2s", ...spec },
  }).spec;
  if (parsed === undefined) throw new Error("no policy");
  const failures: string[] = [];
  const told: Verdict[] = [];
  const ports: RegoPorts = {
    now: () => performance.now(),
    wallClockNs: () => 0n,
    random: () => 0.5,
    randomBytes: (count) => new Uint8Array(count),
    environment: new Map(),
    pause: async () => {},
    onFailure: (policy, reason) => failures.push(`${policy} ${reason}`),
    onVerdict: (_, __, verdict) => told.push(verdict),
  };
  const data = splitData(JSON.stringify({ decisions }));
  const provider: Provider = await createRegoProvider({ ...parsed, program, data, ...changes }, ports);
  const ask = (path: string): Verdict => {
    const verdict = provider(aQuestion(anHttpRequest({ path })));
    if (verdict instanceof Promise) throw new Error("the provider is not synchronous");
    return verdict;
  };
  return { ask, failures, told };
}

describe("a policy in Rego", () => {
  it("answers at once what its decision says", async () => {
    const { ask, failures, told } = await policyOf();
    expect(ask("/yes")).toMatchObject({ allowed: true, edits: noEdits, failed: false });
    expect(ask("/no")).toMatchObject({ allowed: false, httpStatus: 403, code: grpcCode.permissionDenied });
    expect(ask("/object")).toMatchObject({ allowed: true, metadata: { a: 1 } });
    expect(ask("/refusal")).toMatchObject({ allowed: false, httpStatus: 302, metadata: { b: 2 } });
    expect(failures).toEqual([]);
    expect(told).toHaveLength(4);
  });

  it("sees what Gatehouse knows", async () => {
    const { ask } = await policyOf();
    expect(ask("/input").edits.requestHeaders[0]?.value).toBe('{"protocol":"http","source":{}}');
  });

  it.each([
    [true, "attributes,gatehouse,parsed_body,parsed_path,parsed_query,truncated_body,version"],
    [false, "attributes,gatehouse,parsed_path,parsed_query,version"],
  ])("sees the body as `parseBody: %s` says", async (parseBody, keys) => {
    const { ask } = await policyOf({ parseBody });
    expect(ask("/keys").edits.requestHeaders[0]?.value).toBe(keys);
  });
});

describe("obligations of a policy in Rego", () => {
  it("are left for the decision to read", async () => {
    const { ask, failures } = await policyOf();
    expect(ask("/masked")).toMatchObject({ allowed: true, metadata: { obligations: ["shop/mask"] } });
    expect(failures).toEqual([]);
  });

  it.each([{}, { failOpen: true }])("refuse and are told when they cannot be read: %j", async (spec) => {
    const { ask, failures } = await policyOf(spec);
    expect(ask("/confused")).toMatchObject({ allowed: false, failed: true, httpStatus: 500 });
    expect(failures).toEqual(["shop/orders bad_decision"]);
  });
});

const unanswered = [
  ["an undefined decision", "/nothing", "undefined_decision"],
  ["a conflict", "/conflict", "conflict"],
  ["a decision of another type", "/text", "bad_decision"],
  ["a status that cannot be sent", "/status", "bad_decision"],
] as const;

describe("what OPA-Envoy answers with a gRPC error", () => {
  it.each(unanswered)("is refused with 500: %s", async (_, path, reason) => {
    const { ask, failures } = await policyOf();
    expect(ask(path)).toMatchObject({
      allowed: false,
      failed: true,
      failedOpen: false,
      httpStatus: 500,
      code: grpcCode.internal,
      body: "",
      metadata: undefined,
    });
    expect(failures).toEqual([`shop/orders ${reason}`]);
  });

  it.each(unanswered)("passes with `failOpen`, and is told: %s", async (_, path, reason) => {
    const { ask, failures } = await policyOf({ failOpen: true });
    expect(ask(path)).toMatchObject({ allowed: true, failed: true, failedOpen: true, edits: noEdits });
    expect(failures).toEqual([`shop/orders ${reason}`]);
  });

  it.each(unanswered)("is refused on trial too: %s", async (_, path) => {
    const { ask } = await policyOf({ dryRun: true });
    expect(ask(path)).toMatchObject({ allowed: false, failed: true, httpStatus: 500 });
    expect(ask(path).dryRun).toBeUndefined();
  });

  it("includes a policy that does not come to an end, and the next request is answered", async () => {
    const { ask, failures } = await policyOf({ timeout: "50ms" });
    const start = performance.now();
    expect(ask("/loop")).toMatchObject({ allowed: false, failed: true, httpStatus: 500 });
    expect(performance.now() - start).toBeLessThan(1500);
    expect(failures).toEqual(["shop/orders timeout"]);
    expect(ask("/yes").allowed).toBe(true);
  });
});

describe("a request that cannot be read", () => {
  it.each([{}, { failOpen: true }, { dryRun: true }])("is a bad one whatever is said: %o", async (spec) => {
    const { ask, failures } = await policyOf(spec);
    const verdict = ask("/yes?a;b");
    expect(verdict).toMatchObject({
      allowed: false,
      httpStatus: 400,
      isBadRequest: true,
      failed: false,
      metadata: undefined,
    });
    expect(verdict.body).toMatch(/^request_parse_error: /);
    expect(failures).toEqual([]);
  });
});

describe("a policy on trial", () => {
  it("lets pass what it would refuse, keeps its metadata, and says so", async () => {
    const { ask, failures } = await policyOf({ dryRun: true });
    expect(ask("/refusal")).toMatchObject({
      allowed: true,
      metadata: { b: 2 },
      edits: noEdits,
      dryRun: "denied",
      failed: false,
      failedOpen: false,
    });
    expect(ask("/no")).toMatchObject({ allowed: true, dryRun: "denied" });
    expect(failures).toEqual([]);
  });

  it("answers as ever what it allows", async () => {
    const { ask } = await policyOf({ dryRun: true });
    expect(ask("/object")).toMatchObject({ allowed: true, metadata: { a: 1 }, dryRun: "allowed" });
    expect(ask("/object").edits.requestHeaders).toHaveLength(1);
  });
});

describe("a policy whose bundle has not arrived", () => {
  const missing = { program: undefined };

  it("refuses, or passes with `failOpen`", async () => {
    const { ask, failures } = await policyOf({}, missing);
    expect(ask("/yes")).toMatchObject({ allowed: false, failed: true, httpStatus: 500 });
    expect(failures).toEqual(["shop/orders not_loaded"]);
    const open = await policyOf({ failOpen: true }, missing);
    expect(open.ask("/no")).toMatchObject({ allowed: true, failedOpen: true });
  });

  it("refuses on trial too", async () => {
    const { ask } = await policyOf({ dryRun: true }, missing);
    expect(ask("/yes")).toMatchObject({ allowed: false, failed: true });
  });
});

describe("a policy that cannot be run", () => {
  it("is told when it is made: data larger than its memory", async () => {
    const data = splitData(JSON.stringify({ rows: "x".repeat(4 * 1024 * 1024) }));
    await expect(policyOf({ maxMemoryBytes: 2 * 1024 * 1024 }, { data })).rejects.toThrow("memory");
  });
});
