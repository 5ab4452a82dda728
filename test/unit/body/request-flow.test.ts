import { Buffer } from "node:buffer";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BodyInput } from "../../../src/body/index.js";
import { noEdits, type Provider, type Verdict } from "../../../src/engine/index.js";
import { aRequest } from "../../support/request.js";
import { anInput, aPlan, aPost, begun, outcome, send } from "./body-kit.js";

const request = (body: object): Record<string, unknown> => ({ request: { body } });
const rules = (...list: object[]): Record<string, unknown> => request({ rules: list });
const tooMuch = { deny: "request.body.total > 1000" };
const post = (headers: Record<string, string>): Partial<BodyInput> => ({ attributes: aPost(headers) });

describe("limits of a request's body", () => {
  const limit = (onLimit: string, more: object = {}): Record<string, unknown> =>
    request({ maxBytes: 8, onLimit, ...more });

  it("refuse a body that is longer, as soon as that is known", async () => {
    expect(await outcome(limit("deny"), "123456789")).toBe("body_too_large 413");
    expect(await outcome(limit("deny"), "12345678")).toBe("12345678");
    expect(await outcome(limit("deny"), "", post({ "content-length": "9" }))).toBe("body_too_large 413");
  });

  it("let a longer body pass unread, and say so", async () => {
    const run = begun(aPlan([limit("pass", { rules: [tooMuch] })]).begin(anInput()));
    const { text } = await send(run, '{"total"', ":2000}", " ");
    expect(text).toBe('{"total":2000} ');
    expect(run.report()).toMatchObject({ unscanned: true, requestBytes: 15 });
  });

  it("cut a longer body off, and tell its length", async () => {
    const input = anInput(post({ "content-length": "10", digest: "x" }));
    const run = begun(aPlan([limit("truncate")]).begin(input));
    const step = await send(run, "12345", "67890");
    expect(step.text).toBe("12345678");
    expect(step).toMatchObject({
      edits: { remove: ["digest"], set: [{ name: "content-length", value: "8" }] },
    });
  });

  it("count what is decoded", async () => {
    const long = gzipSync(Buffer.alloc(10_000));
    const encoded = post({ "content-encoding": "gzip" });
    const body = { maxBytes: 5000, onLimit: "deny", maxRatio: 1000 };
    expect(await outcome(request(body), long, encoded)).toBe("body_too_large 413");
    expect(await outcome(request({ ...body, maxBytes: 10_000 }), long, encoded)).toBe(long.toString());
  });
});

describe("encodings of a request's body", () => {
  const text = '{"total":2000}';
  it.each([
    ["gzip", gzipSync(text)],
    ["x-gzip", gzipSync(text)],
    ["deflate", deflateSync(text)],
    ["deflate", deflateRawSync(text)],
    ["br", brotliCompressSync(text)],
    ["identity", Buffer.from(text)],
  ])("%s is decoded before rules are asked", async (coding, body) => {
    expect(await outcome(rules(tooMuch), body, post({ "content-encoding": coding }))).toBe(
      "denied_by_policy 403",
    );
  });

  it("is taken off as often as it was put on", async () => {
    const twice = brotliCompressSync(gzipSync(text));
    const coded = post({ "content-encoding": "gzip, br" });
    expect(await outcome(rules(tooMuch), twice, coded)).toBe("denied_by_policy 403");
  });

  it("goes on as it came when nothing changes", async () => {
    const body = gzipSync('{"total":1}');
    const run = begun(aPlan([rules(tooMuch)]).begin(anInput(post({ "content-encoding": "gzip" }))));
    const step = await send(run, body);
    expect(step).toMatchObject({ edits: { remove: [], set: [] } });
    expect(step.text).toBe(body.toString());
  });

  it("goes on decoded when something changes", async () => {
    const headers = { "content-encoding": "gzip", "content-length": "31", signature: "s" };
    const run = begun(aPlan([rules({ remove: "$.b" })]).begin(anInput(post(headers))));
    const step = await send(run, gzipSync('{"a":1,"b":2}'));
    expect(step.text).toBe('{"a":1}');
    expect(step).toMatchObject({
      edits: { remove: ["signature", "content-encoding"], set: [{ name: "content-length", value: "7" }] },
    });
  });

  it("is refused where nobody knows it, where it may not be, or where it is broken", async () => {
    const unknown = "body_encoding 415";
    expect(await outcome(rules(tooMuch), "", post({ "content-encoding": "zstd" }))).toBe(unknown);
    expect(await outcome(rules(tooMuch), "", post({ "content-encoding": "gzip, zstd" }))).toBe(unknown);
    expect(await outcome(request({ encodings: "deny" }), "", post({ "content-encoding": "gzip" }))).toBe(
      unknown,
    );
    expect(await outcome(rules(tooMuch), text, post({ "content-encoding": "gzip" }))).toBe(unknown);
    const behind = Buffer.concat([deflateSync("{}"), Buffer.from("x")]);
    expect(await outcome(rules(tooMuch), behind, post({ "content-encoding": "deflate" }))).toBe(unknown);
  });

  it("is refused as a bomb, whatever happens to long bodies", async () => {
    const bomb = gzipSync(Buffer.alloc(900_000));
    const encoded = post({ "content-encoding": "gzip" });
    expect(await outcome(rules(tooMuch), bomb, encoded)).toBe("body_encoding 415");
    const passing = request({ maxBytes: 10_000_000, onLimit: "pass" });
    expect(await outcome(passing, bomb, encoded)).toBe("body_encoding 415");
  });
});

describe("content types of a request's body", () => {
  const json = request({ json: {} });
  it("refuse what is not listed, before any of it is sent", async () => {
    expect(await outcome(json, "{}", post({ "content-type": "text/plain" }))).toBe("body_type 415");
    expect(await outcome(json, "{}", post({ "content-type": "" }))).toBe("body_type 415");
    expect(await outcome(json, "{}", post({ "content-type": "application/json; charset=utf-8" }))).toBe("{}");
    expect(await outcome(json, "{}", post({ "content-type": "application/problem+json" }))).toBe("{}");
    const twice = aRequest().method("POST", "/").header("content-type", "application/json", "text/plain");
    expect(await outcome(json, "{}", { attributes: twice.build() })).toBe("body_type 415");
  });

  it("pass unread where that is said", async () => {
    const spec = request({ json: {}, otherContentTypes: "pass" });
    expect(await outcome(spec, "x", post({ "content-type": "text/plain" }))).toBe("not looked at");
  });

  it("are parsed as JSON under any name that a policy with `json` takes", async () => {
    const spec = request({ json: {}, contentTypes: ["text/plain"] });
    expect(await outcome(spec, "x", post({ "content-type": "text/plain" }))).toBe("body_malformed 400");
  });
});

describe("JSON of a request", () => {
  const limits = request({
    json: {
      maxDepth: 2,
      schema: { type: "object", required: ["id"], properties: { id: { type: "integer" } } },
    },
  });
  it.each([
    ['{"id":1}', '{"id":1}'],
    ['{"id":12345678901234567890}', '{"id":12345678901234567890}'],
    ['{"id":"1"}', "body_invalid 422"],
    ["{}", "body_invalid 422"],
    ['{"id":1,"a":[[]]}', "body_invalid 422"],
    ['{"id":1,"id":2}', "body_invalid 422"],
    ['{"id":1,"\\u0069d":2}', "body_invalid 422"],
    ['{"id":1', "body_malformed 400"],
    ['{"id":1} {}', "body_malformed 400"],
    ["\ufeff{}", "body_malformed 400"],
    ["", "body_malformed 400"],
  ])("%s becomes %s", async (body, expected) => {
    expect(await outcome(limits, body)).toBe(expected);
  });

  it("is UTF-8 and nothing else", async () => {
    const body = Buffer.concat([Buffer.from('{"id":1,"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(await outcome(limits, body)).toBe("body_malformed 400");
  });

  it("may have a name twice where that is said, and the last counts", async () => {
    const spec = request({ json: { duplicateKeys: "keepLast" }, rules: [tooMuch] });
    expect(await outcome(spec, '{"total":2000,"total":1}')).toBe('{"total":2000,"total":1}');
    expect(await outcome(spec, '{"total":1,"total":2000}')).toBe("denied_by_policy 403");
    expect(await outcome(rules(tooMuch), '{"total":2000,"total":1}')).toBe("body_invalid 422");
  });

  it("is asked of a POST without a body, and not of a GET", () => {
    expect(aPlan([limits]).begin(anInput({ hasBody: false }))).toMatchObject({ reason: "body_malformed" });
    const get = anInput({ attributes: aRequest().get("/").build(), hasBody: false });
    expect(begun(aPlan([limits]).begin(get)).request).toBeUndefined();
  });
});

describe("rules over a request's body", () => {
  it("refuse in the words of the rule", async () => {
    const spec = rules({ ...tooMuch, status: 429, body: '{"no":1}', contentType: "application/json" });
    const run = begun(aPlan([spec]).begin(anInput()));
    expect(await send(run, '{"total":2000}')).toMatchObject({
      refusal: {
        httpStatus: 429,
        code: 8,
        body: '{"no":1}',
        contentType: "application/json",
        policy: "shop/a",
      },
    });
    expect(run.report().refused).toEqual({ policy: "shop/a", reason: "denied_by_policy", phase: "request" });
  });

  it("refuse where the expression has no value", async () => {
    expect(await outcome(rules(tooMuch), "{}")).toBe("policy_failed 403");
    expect(await outcome(rules(tooMuch), "x", post({ "content-type": "text/plain" }))).toBe("body_type 415");
  });

  it("are not got past by another name for JSON, or by none", async () => {
    const guarded = { deny: "has(request.body.admin) && request.body.admin == true" };
    for (const type of ["text/plain", "application/octet-stream", "x", ""]) {
      const given = post({ "content-type": type });
      expect(await outcome(rules(guarded), '{"admin":true}', given)).toBe("body_type 415");
    }
    const named = request({ contentTypes: ["application/json", "image/*"], rules: [guarded] });
    expect(await outcome(named, "GIF", post({ "content-type": "image/gif" }))).toBe("GIF");
  });

  it.each([
    ["application/json; charset=utf-16", '{"a":1}'],
    ["application/json; charset=utf-7", '{"a":1}'],
    ["application/json; charset*=x''utf-7", '{"a":1}'],
    ["application/x-www-form-urlencoded; charset=ibm037", "%81%84%94%89%95=1"],
    ["application/x-www-form-urlencoded; charset", "a=1"],
  ])("are not got past by a charset that the upstream may know: %s", async (type, body) => {
    const guarded = rules({ deny: "has(request.body.admin)" });
    expect(await outcome(guarded, body, post({ "content-type": type }))).toBe("body_type 415");
  });

  it("are not got past by what another reader takes for another part", async () => {
    const guarded = rules({ deny: "has(request.body.admin)" });
    const part = (header: string): string => `--x\r\n${header}\r\n\r\n1\r\n`;
    const given = post({ "content-type": "multipart/form-data; boundary=x" });
    const plain = part("content-disposition: form-data; name=a");
    const twice = part("content-disposition: form-data; name=a; name=admin");
    const admin = part("content-disposition: form-data; name=admin");
    expect(await outcome(guarded, `${plain}--x--`, given)).toBe(`${plain}--x--`);
    expect(await outcome(guarded, `${plain}${admin}--x--`, given)).toBe("denied_by_policy 403");
    expect(await outcome(guarded, `${plain}${twice}--x--`, given)).toBe("body_malformed 400");
    expect(await outcome(guarded, `${plain}--x--\r\n${admin}--x--`, given)).toBe("body_malformed 400");
  });

  it("have no say over a request without a body", () => {
    const run = begun(aPlan([rules(tooMuch)]).begin(anInput({ hasBody: false })));
    expect(run.request).toBeUndefined();
  });

  it("refuse before the body is waited for when they do not read it", () => {
    const spec = rules({ deny: "request.method == 'POST'" }, tooMuch);
    expect(aPlan([spec]).begin(anInput())).toMatchObject({ reason: "denied_by_policy" });
    expect(aPlan([spec]).begin(anInput({ hasBody: false }))).toMatchObject({ reason: "denied_by_policy" });
  });

  it("see the body as the rule before left it", async () => {
    const spec = rules({ set: "$.total", value: "request.body.total * 2.0" }, tooMuch);
    expect(await outcome(spec, '{"total":400}')).toBe('{"total":800}');
    expect(await outcome(spec, '{"total":600}')).toBe("denied_by_policy 403");
  });

  it("set values of every kind, and leave all other bytes as they were", async () => {
    const spec = rules(
      { set: "$.who", value: "request.auth.claims.sub" },
      { set: "$.roles", value: "request.auth.claims.roles" },
      { set: "$.no", value: "null", when: "request.method == 'GET'" },
    );
    const attributes = aPost();
    const auth = { payload: { sub: "ada", roles: ["a", "b"] } };
    const body = '{ "n": 1.0000000000000000001,\t"who":0 }';
    expect(await outcome(spec, body, { attributes: { ...attributes, auth } })).toBe(
      '{ "n": 1.0000000000000000001,\t"who":"ada","roles":["a","b"] }',
    );
  });

  it("refuse when what is to be put has no value, and act when `when` has none", async () => {
    expect(await outcome(rules({ set: "$.who", value: "request.auth.claims.sub" }), "{}")).toBe(
      "policy_failed 403",
    );
    const remove = { remove: "$.secret", when: "!('admin' in request.auth.claims.roles)" };
    expect(await outcome(rules(remove), '{"secret":1,"a":2}')).toBe('{"a":2}');
  });

  it("refuse to change what is no JSON", async () => {
    const form = post({ "content-type": "application/x-www-form-urlencoded" });
    expect(await outcome(rules({ remove: "$.a" }), "a=1", form)).toBe("body_type 415");
  });

  it("read forms and multipart as lists by name", async () => {
    const spec = rules({ deny: "request.body.role.exists(r, r == 'admin')" });
    const form = post({ "content-type": "application/x-www-form-urlencoded" });
    expect(await outcome(spec, "role=user&role=%61dmin", form)).toBe("denied_by_policy 403");
    expect(await outcome(spec, "role=user", form)).toBe("role=user");
    const parts = post({ "content-type": "multipart/form-data; boundary=b" });
    const part = '--b\r\ncontent-disposition: form-data; name="role"\r\n\r\nadmin\r\n--b--\r\n';
    expect(await outcome(spec, part, parts)).toBe("denied_by_policy 403");
    expect(await outcome(spec, part.slice(0, -8), parts)).toBe("body_malformed 400");
  });

  it("say the same however the body is cut", async () => {
    const spec = rules({ set: "$.a", value: "'x'" }, { remove: "$..s" }, tooMuch);
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.array(fc.nat(30), { maxLength: 4 }), async (json, cuts) => {
        const body = Buffer.from(`{"total":1,"rest":${json}}`);
        const run = begun(aPlan([spec]).begin(anInput()));
        const places = [0, ...cuts.sort((a, b) => a - b), body.length];
        const chunks = places
          .slice(1)
          .map((end, i) => body.subarray(places[i], Math.max(end, places[i] ?? 0)));
        const whole = await send(begun(aPlan([spec]).begin(anInput())), body);
        expect(await send(run, ...chunks)).toEqual(whole);
      }),
    );
  });

  it("never throw, whatever comes", async () => {
    const types = ["application/json", "multipart/form-data; boundary=b", "application/grpc", "text/x", ""];
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array(),
        fc.constantFrom(...types),
        fc.constantFrom("gzip", "br", ""),
        async (body, type, coding) => {
          const input = anInput(post({ "content-type": type, "content-encoding": coding }));
          const run = begun(aPlan([rules({ remove: "$.a" }, tooMuch)]).begin(input));
          expect(["go", "refuse"]).toContain((await send(run, body)).kind);
        },
      ),
    );
  });
});

describe("header rules of a request", () => {
  const headers = (...list: object[]): Record<string, unknown> => ({ request: { headers: list } });

  it("act in their order, and put or remove each name, never both", () => {
    const spec = headers(
      { operation: "remove", name: "x-internal-*" },
      { operation: "set", name: "x-internal-a", value: "'new'" },
      { operation: "append", name: "via", value: "'gatehouse'" },
      { operation: "set", name: "x-code", value: "42", when: "request.headers['x-internal-a'] == 'new'" },
    );
    const input = anInput(post({ "x-internal-a": "old", "x-internal-b": "old", via: "1.1 x" }));
    expect(begun(aPlan([spec]).begin(input)).requestEdits).toEqual({
      remove: ["x-internal-b"],
      set: [
        { name: "x-internal-a", value: "new", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { name: "via", value: "gatehouse", action: "APPEND_IF_EXISTS_OR_ADD" },
        { name: "x-code", value: "42", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      ],
    });
  });

  it("remove what the client wrote where there is no value of ours, or none that a header can have", () => {
    const input = anInput(post({ "x-tenant": "forged", "x-line": "old" }));
    const spec = headers(
      { operation: "set", name: "x-tenant", value: "request.auth.claims.tenant" },
      { operation: "set", name: "x-line", value: String.raw`"a\nb"` },
      { operation: "append", name: "x-more", value: "request.auth.claims.tenant" },
    );
    expect(begun(aPlan([spec]).begin(input)).requestEdits).toEqual({
      remove: ["x-tenant", "x-line"],
      set: [],
    });
  });

  it("wait for the body when they read it", async () => {
    const spec = {
      request: {
        headers: [{ operation: "set", name: "x-model", value: "request.body.model" }],
        body: { json: {} },
      },
    };
    const run = begun(aPlan([spec]).begin(anInput(post({ "x-model": "forged" }))));
    expect(run.requestEdits.set).toEqual([]);
    expect(await send(run, '{"model":"small"}')).toMatchObject({
      edits: { set: [{ name: "x-model", value: "small" }] },
    });
    const get = anInput({
      attributes: aRequest().get("/").header("x-model", "forged").build(),
      hasBody: false,
    });
    expect(begun(aPlan([spec]).begin(get)).requestEdits.remove).toEqual(["x-model"]);
  });
});

describe("several policies", () => {
  it("act in the order of their names, each on what the one before left", async () => {
    const specs = [rules({ set: "$.total", value: "2000" }), rules(tooMuch)];
    expect(await outcome(specs, '{"total":1}')).toBe("denied_by_policy 403");
    expect(await outcome([...specs].reverse(), '{"total":1}')).toBe('{"total":2000}');
  });

  it("on trial change and refuse nothing, and the record says what would have been", async () => {
    const trial = { ...rules({ set: "$.a", value: "1" }, tooMuch), dryRun: true };
    const specs = [
      trial,
      { ...request({ contentTypes: ["text/plain"] }), dryRun: true },
      rules({ remove: "$.b" }),
    ];
    const run = begun(aPlan(specs).begin(anInput()));
    expect((await send(run, '{"total":2000,"b":1}')).text).toBe('{"total":2000}');
    expect(run.report()).toMatchObject({
      policies: ["shop/a", "shop/b", "shop/c"],
      dryRun: [
        { policy: "shop/b", reason: "body_type" },
        { policy: "shop/a", reason: "denied_by_policy" },
      ],
      changes: new Map([["shop/c/request.rules[0]", 1]]),
    });
  });

  it("on trial never hold up a body that is too long for them", async () => {
    const trial = { ...request({ maxBytes: 4, onLimit: "deny" }), dryRun: true };
    const run = begun(aPlan([trial]).begin(anInput()));
    expect((await send(run, "12", "345", "6")).text).toBe("123456");
    expect(run.report().dryRun).toEqual([{ policy: "shop/a", reason: "body_too_large" }]);
  });

  it("apply by `match`, which counts where it cannot be asked", () => {
    const spec = { ...rules(tooMuch), match: "request.auth.claims.tier == 'free'" };
    const of = (tier: string): BodyInput =>
      anInput({ attributes: { ...aPost(), auth: { payload: { tier } } } });
    expect(aPlan([spec]).begin(of("paid"))).toBeUndefined();
    expect(begun(aPlan([spec]).begin(of("free"))).request).toBeDefined();
    expect(begun(aPlan([spec]).begin(anInput())).request).toBeDefined();
    expect(aPlan([spec]).readsIdentity).toBe(true);
    expect(aPlan([rules(tooMuch)]).readsIdentity).toBe(false);
  });

  it("apply as obligations whatever `match` says, and are told to be fulfilled when they are", async () => {
    const spec = { ...rules({ remove: "$.a" }), match: "false", obligationOnly: true };
    expect(aPlan([spec]).begin(anInput())).toBeUndefined();
    const run = begun(aPlan([spec]).begin(anInput({ obligations: ["shop/a"] })));
    expect(run.report().fulfilled).toEqual([]);
    expect((await send(run, '{"a":1}')).text).toBe("{}");
    expect(run.report().fulfilled).toEqual(["shop/a"]);
    expect(aPlan([spec]).begin(anInput({ obligations: ["shop/z"] }))).toMatchObject({
      reason: "unknown_obligation",
      httpStatus: 500,
    });
  });
});

describe("a RegoPolicy that is asked about a body", () => {
  const spec = rules({ rego: "orders" });
  const verdict = (changes: Partial<Verdict>): Verdict => ({
    allowed: true,
    httpStatus: 200,
    code: 0,
    body: "",
    edits: noEdits,
    metadata: undefined,
    failedOpen: false,
    failed: false,
    ...changes,
  });
  const asked = async (
    provider: Provider | undefined,
    changes: Partial<BodyInput> = {},
  ): Promise<unknown> => {
    const plan = aPlan([spec], { rego: (name) => (name === "shop/orders" ? provider : undefined) });
    const checkRequest = (body: Uint8Array): Uint8Array => Buffer.concat([Buffer.from("check:"), body]);
    const run = begun(plan.begin(anInput({ checkRequest, ...changes })));
    return send(run, ...(changes.hasBody === false ? [] : ["{}"]));
  };

  it("gets the request with the decoded body, and may change headers", async () => {
    const seen: string[] = [];
    const edits = {
      ...noEdits,
      requestHeaders: [{ name: "X-Kind", value: "order", action: "OVERWRITE_IF_EXISTS_OR_ADD" as const }],
    };
    const step = await asked(({ original }) => {
      seen.push(Buffer.from(original).toString());
      return Promise.resolve(verdict({ edits }));
    });
    expect(seen).toEqual(["check:{}"]);
    expect(step).toMatchObject({ kind: "go", edits: { set: [{ name: "x-kind", value: "order" }] } });
  });

  it("refuses in its own words", async () => {
    const refusal = verdict({ allowed: false, httpStatus: 402, code: 7, body: "pay" });
    expect(await asked(() => refusal)).toMatchObject({
      refusal: { httpStatus: 402, body: "pay", reason: "denied_by_policy" },
    });
  });

  it("is asked about a request without a body too", async () => {
    const refusal = verdict({ allowed: false, httpStatus: 403, code: 7 });
    expect(await asked(() => refusal, { hasBody: false })).toMatchObject({ kind: "refuse" });
  });

  it("refuses when it is not there, rejects, or wants what may not be changed", async () => {
    expect(await asked(undefined)).toMatchObject({ refusal: { reason: "policy_failed" } });
    expect(await asked(() => Promise.reject(new Error("no")))).toMatchObject({
      refusal: { reason: "internal_error" },
    });
    const edits = { ...noEdits, requestHeadersToRemove: ["host"] };
    expect(await asked(() => verdict({ edits }))).toMatchObject({ refusal: { reason: "bad_edit" } });
  });
});
