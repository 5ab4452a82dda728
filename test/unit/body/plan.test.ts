import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { chainFlows, onTrial } from "../../../src/body/flow-chain.js";
import type { BodyFlow, BodyRun, HeaderEdits, ResponseHead } from "../../../src/body/index.js";
import { aRequest } from "../../support/request.js";
import { anInput, aPlan, aPost, begun } from "./body-kit.js";

type Headers = Readonly<Record<string, string>>;

function aHead(code = 200, headers: Headers = {}, hasBody = true): ResponseHead {
  const lines = Object.entries(headers).map(([name, value]) => [name, [value]] as const);
  return {
    code,
    headers: new Map<string, readonly string[]>([[":status", [String(code)]], ...lines]),
    hasBody,
  };
}

function aRun(response: object, more: object = {}): BodyRun {
  return begun(aPlan([{ response, ...more }]).begin(anInput({ hasBody: false })));
}

function editsOf(run: BodyRun, head: ResponseHead): HeaderEdits {
  const step = run.responseHead(head);
  if (step.kind === "refuse") throw new Error(step.refusal.reason);
  return step.edits;
}

describe("the response's side of a run", () => {
  const removeServer = { operation: "remove", name: "server" };

  it("asks for what its policies need and no more", () => {
    expect(aRun({ headers: [removeServer] }).response).toEqual({ head: true, body: "none" });
    const detect = [{ detector: "iban", action: "redact" }];
    expect(aRun({ body: { delivery: "streamed", detect } }).response.body).toBe("streamed");
    expect(aRun({ body: { delivery: "whole", detect } }).response.body).toBe("whole");
    expect(aRun({ body: { delivery: "whole", detect } }, { dryRun: true }).response.body).toBe("streamed");
    const requestOnly = { request: { headers: [removeServer] } };
    expect(begun(aPlan([requestOnly]).begin(anInput())).response).toEqual({ head: false, body: "none" });
  });

  it("changes headers in the order of its rules, by the response's own", () => {
    const run = aRun({
      match: "response.code == 200",
      headers: [
        { operation: "set", name: "x-frame-options", value: "'DENY'" },
        { operation: "remove", name: "x-debug-*", when: "response.headers['x-kind'] == 'page'" },
        { operation: "set", name: "x-old", value: "response.headers['server']" },
        removeServer,
      ],
    });
    const headers = { server: "nginx", "x-debug-sql": "1", "x-kind": "page" };
    expect(editsOf(run, aHead(200, headers))).toEqual({
      remove: ["x-debug-sql", "server"],
      set: [
        { name: "x-frame-options", value: "DENY", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { name: "x-old", value: "nginx", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      ],
    });
  });

  it("leaves alone what it does not match, and changes what nobody can tell", () => {
    const only200 = { match: "response.code == 200", headers: [removeServer] };
    expect(editsOf(aRun(only200), aHead(404, { server: "x" })).remove).toEqual([]);
    const unknown = { match: "response.headers['x-none'] == ''", headers: [removeServer] };
    expect(editsOf(aRun(unknown), aHead(404, { server: "x" })).remove).toEqual(["server"]);
  });

  it("asks of the upstream for what can be looked at, where it will look", () => {
    const attributes = aPost({ "accept-encoding": "gzip, zstd", range: "bytes=0-1" });
    const edits = (spec: Readonly<Record<string, unknown>>): HeaderEdits =>
      begun(aPlan([spec]).begin(anInput({ attributes }))).requestEdits;
    const detect = [{ detector: "iban", action: "redact" }];
    const narrowed = {
      remove: ["range"],
      set: [{ name: "accept-encoding", value: "gzip", action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
    };
    expect(edits({ response: { body: { delivery: "streamed", detect } } })).toEqual(narrowed);
    const untouched = { remove: [], set: [] };
    expect(edits({ response: { headers: [removeServer] } })).toEqual(untouched);
    expect(edits({ dryRun: true, response: { body: { delivery: "whole", detect } } })).toEqual(untouched);
  });

  it.each([false, true])("frees what decodes when the stream is over (on trial: %s)", async (dryRun) => {
    const freed: zlib.Gunzip[] = [];
    const made = vi.spyOn(zlib, "createGunzip").mockImplementation(() => {
      freed.push(new (zlib as unknown as { Gunzip: new () => zlib.Gunzip }).Gunzip());
      return freed.at(-1) as zlib.Gunzip;
    });
    const run = aRun(
      { body: { delivery: "streamed", detect: [{ detector: "iban", action: "redact" }] } },
      { dryRun },
    );
    const step = run.responseHead(aHead(200, { "content-type": "text/plain", "content-encoding": "gzip" }));
    if (step.kind === "refuse") throw new Error(step.refusal.reason);
    await step.flow?.push(zlib.gzipSync("hello").subarray(0, 12));
    made.mockRestore();
    expect(freed.map(({ destroyed }) => destroyed)).toEqual([false]);
    run.close();
    run.close();
    expect(freed.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  it("changes nothing on trial", () => {
    const run = aRun(
      { headers: [removeServer], replaceErrors: [{ codes: 500, body: "x" }] },
      { dryRun: true },
    );
    const step = run.responseHead(aHead(500, { server: "x" }));
    expect(step).toEqual({
      kind: "go",
      edits: { remove: [], set: [] },
      flow: undefined,
      replacement: undefined,
    });
  });

  it("puts another body in the place of an error's", () => {
    const replaceErrors = [
      { codes: "503", body: "later" },
      { codes: "5xx", body: '{"error":"internal"}', contentType: "application/json" },
    ];
    const run = aRun({ replaceErrors });
    const headers = {
      "content-length": "900",
      "content-encoding": "gzip",
      etag: "e",
      "content-type": "text/html",
    };
    const step = run.responseHead(aHead(500, headers));
    if (step.kind === "refuse") throw new Error("refused");
    expect(Buffer.from(step.replacement ?? []).toString()).toBe('{"error":"internal"}');
    expect(step.edits.remove).toEqual(["etag", "content-encoding"]);
    expect(step.edits.set.map(({ name, value }) => `${name}: ${value}`)).toEqual([
      "content-type: application/json",
      "content-length: 20",
    ]);
    expect(run.report().changes).toEqual(new Map([["shop/a/response.replaceErrors", 1]]));
    expect(aRun({ replaceErrors }).responseHead(aHead(404))).toMatchObject({ replacement: undefined });
  });

  it("counts no change of headers that a refusal keeps from going out", () => {
    const compressed = { "content-type": "application/json", "content-encoding": "compress" };
    const policies = [
      { response: { headers: [removeServer] } },
      { response: { body: { delivery: "streamed", fields: [{ path: "$.card", action: "remove" }] } } },
    ];
    const run = begun(aPlan(policies).begin(anInput({ hasBody: false })));
    expect(run.responseHead(aHead(200, { ...compressed, server: "x" }))).toMatchObject({ kind: "refuse" });
    expect(run.report().changes).toEqual(new Map());
  });

  it("gives a HEAD no body", () => {
    const spec = { response: { replaceErrors: [{ codes: "5xx", body: "x" }] } };
    const head = aRequest().method("HEAD", "/").build();
    const run = begun(aPlan([spec]).begin(anInput({ attributes: head, hasBody: false })));
    expect(run.responseHead(aHead(500, {}, false))).toMatchObject({ replacement: undefined });
  });

  it.each([
    ["HEAD", "HEAD", 200, true],
    ["304", "GET", 304, true],
    ["204, which has no body to tell of", "GET", 204, false],
  ] as const)("says of no hidden body how long it is or what its digest is (%s)", (_, method, code, goes) => {
    const spec = {
      response: { body: { delivery: "streamed", fields: [{ path: "$.card", action: "remove" }] } },
    };
    const attributes = aRequest().method(method, "/").build();
    const told = { "content-type": "application/json", "content-length": "9", etag: '"a"', digest: "of-all" };
    const editsUnder = (more: object): HeaderEdits => {
      const run = begun(aPlan([{ ...spec, ...more }]).begin(anInput({ attributes, hasBody: false })));
      return editsOf(run, aHead(code, told, false));
    };
    const { remove } = editsUnder({});
    expect([...remove].sort()).toEqual(goes ? ["content-length", "digest", "etag"] : []);
    expect(editsUnder({ dryRun: true }).remove).toEqual([]);
  });

  it("fulfils an obligation when the response's head was changed", () => {
    const plan = aPlan([{ response: { headers: [removeServer] }, obligationOnly: true }]);
    const run = begun(plan.begin(anInput({ obligations: ["shop/a"], hasBody: false })));
    expect(run.report().fulfilled).toEqual([]);
    run.responseHead(aHead());
    expect(run.report().fulfilled).toEqual(["shop/a"]);
    run.close();
    run.close();
  });
});

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Puts `mark` behind every chunk and at the end; refuses at `!`. */
function aFlow(mark: string, edits: HeaderEdits = { remove: [], set: [] }): BodyFlow {
  const policy = `shop/${mark}`;
  return {
    need: "streamed",
    headEdits: { remove: [], set: [] },
    push: (chunk) => {
      const text = Buffer.from(chunk).toString();
      if (!text.includes("!")) return Promise.resolve({ kind: "go", bytes: bytes(text + mark) });
      const refusal = {
        httpStatus: 502,
        code: 14,
        reason: "sensitive_data" as const,
        policy,
        body: "",
        contentType: "text/plain",
      };
      return { kind: "refuse", refusal };
    },
    end: () => ({ kind: "go", bytes: bytes(mark.toUpperCase()), edits }),
  };
}

describe("flows one behind the other", () => {
  const watch = (): { log: string[]; observer: Parameters<typeof chainFlows>[2] } => {
    const log: string[] = [];
    return {
      log,
      observer: {
        received: (chunk) => void log.push(`in ${chunk.length}`),
        delivered: (length) => log.push(`out ${length}`),
        ended: () => void log.push("end"),
        refused: ({ policy }) => log.push(`refused ${policy}`),
      },
    };
  };

  it("each get what the one before lets go, to the end", async () => {
    const { log, observer } = watch();
    const chain = chainFlows(
      [aFlow("a", { remove: ["etag"], set: [] }), aFlow("b")],
      aHead(200, { etag: "1" }),
      observer,
    );
    expect(await chain.push(bytes("x"))).toEqual({ kind: "go", bytes: bytes("xab") });
    expect(await chain.end()).toEqual({
      kind: "go",
      bytes: bytes("AbB"),
      edits: { remove: ["etag"], set: [] },
    });
    expect(log).toEqual(["in 1", "out 3", "out 3", "end"]);
  });

  it("stay refused", async () => {
    const { log, observer } = watch();
    const chain = chainFlows([aFlow("a"), aFlow("b")], aHead(), observer);
    expect(await chain.push(bytes("!"))).toMatchObject({ kind: "refuse" });
    expect(await chain.end()).toMatchObject({ kind: "refuse", refusal: { policy: "shop/a" } });
    expect(log).toEqual(["in 1", "refused shop/a"]);
  });

  it("refuse when one of them breaks its word", async () => {
    const broken = { ...aFlow("a"), push: () => Promise.reject(new Error("no")) };
    const chain = chainFlows([broken], aHead(), watch().observer);
    expect(await chain.push(bytes("x"))).toMatchObject({
      kind: "refuse",
      refusal: { reason: "internal_error" },
    });
  });

  it("pass bytes as they are without any", async () => {
    const chain = chainFlows([], aHead(), watch().observer);
    expect(await chain.push(bytes("x"))).toEqual({ kind: "go", bytes: bytes("x") });
    expect(await chain.end()).toEqual({
      kind: "go",
      bytes: new Uint8Array(),
      edits: { remove: [], set: [] },
    });
  });

  it("let bytes pass as they are on trial, and tell the first refusal", async () => {
    const told: string[] = [];
    const trial = onTrial(aFlow("a"), ({ reason }) => told.push(reason));
    expect(await trial.push(bytes("x"))).toEqual({ kind: "go", bytes: bytes("x") });
    expect(await trial.push(bytes("!"))).toEqual({ kind: "go", bytes: bytes("!") });
    expect(await trial.push(bytes("!"))).toEqual({ kind: "go", bytes: bytes("!") });
    expect(await trial.end()).toMatchObject({ kind: "go", bytes: new Uint8Array() });
    expect(told).toEqual(["sensitive_data"]);
  });
});
