import { describe, expect, it } from "vitest";
import { BuiltinError, type Builtins, jsonText, LimitError } from "../../../src/builtins/index.js";
import {
  createEvaluator,
  type EvaluationOutcome,
  type Evaluator,
  type EvaluatorPorts,
  missingBuiltins,
  splitData,
  toProgram,
} from "../../../src/rego/runtime.js";
import { WasmError } from "../../../src/wasm/index.js";
import { compiledCases } from "../wasm/fixture.js";

const ports: EvaluatorPorts = {
  now: () => performance.now(),
  wallClockNs: () => 1_700_000_000_000_000_001n,
  random: () => 0.5,
  randomBytes: (count) => new Uint8Array(count),
  environment: new Map(),
  pause: async () => {},
};

const pack: Builtins = {
  "urlquery.encode": ([text]) => encodeURIComponent(String(text)),
  "time.now_ns": (_, { nowNs }) => ({ exact: nowNs.toString() }),
  "base64.decode": ([text]) => {
    if (text !== "aGk=") throw new BuiltinError("not base64");
    return "hi";
  },
  concat: ([separator, members]) => [...(members as Iterable<string>)].join(String(separator)),
};

const program = toProgram(compiledCases(), undefined, pack);
const data = JSON.stringify({ users: { alice: { roles: ["admin", "dev"] } } });

async function evaluatorOf(
  changed: {
    pack?: Builtins;
    timeoutMs?: number;
    memoryBytes?: number;
    data?: string;
    now?: () => number;
  } = {},
): Promise<Evaluator> {
  const { timeoutMs = 2_000, memoryBytes = 64 * 1024 * 1024 } = changed;
  return createEvaluator({
    program,
    data: splitData(changed.data ?? data),
    limits: { timeoutMs, memoryBytes },
    ports: { ...ports, now: changed.now ?? ports.now },
    pack: changed.pack ?? pack,
  });
}

function shown(outcome: EvaluationOutcome): string {
  if (outcome.kind === "value") return jsonText(outcome.value);
  return outcome.kind === "failed" ? outcome.reason : outcome.kind;
}

const shared = await evaluatorOf();
const ask = (input: object, evaluator = shared): string => shown(evaluator.evaluate(JSON.stringify(input)));

describe("an evaluator", () => {
  it("answers from input and data, and says when there is no answer", () => {
    expect(ask({ case: "echo", echo: { b: [1, 2.5, "x", null, true], a: {} } })).toBe(
      '{"a":{},"b":[1,2.5,"x",null,true]}',
    );
    expect(ask({ case: "data", user: "alice" })).toBe('["admin","dev"]');
    expect(ask({ case: "data", user: "bob" })).toBe("undefined");
    expect(shown(shared.evaluate(undefined))).toBe("undefined");
  });

  it("keeps the text of numbers", () => {
    const input = '{"case":"echo","echo":[1.0,12345678901234567890123,1e400,9223372036854775807]}';
    expect(shown(shared.evaluate(input))).toBe("[1.0,12345678901234567890123,1e400,9223372036854775807]");
    expect(ask({ case: "now" })).toBe("1700000000000000001");
  });

  it("iterates over objects and sets in OPA's order, also when one loop is within another", () => {
    const names = Array.from({ length: 40 }, (_, i) => `k${(i * 7919) % 1_000}`);
    const object = Object.fromEntries(names.map((name) => [name, 1]));
    expect(ask({ case: "keys", object })).toBe(JSON.stringify([...new Set(names)].sort()));
    const list = [true, null, "b", "a", 10, 9, -1, [2], [1, 5], { b: 1 }, "aa", "ä", "\u{1f600}", "\uffff"];
    const sorted = '[null,true,-1,9,10,"a","aa","b","ä","\uffff","\u{1f600}",[1,5],[2],{"b":1}]';
    expect(ask({ case: "members", list })).toBe(sorted);
    expect(ask({ case: "nested", list: ["y", "x"] })).toBe('[["x","x"],["x","y"],["y","x"],["y","y"]]');
    expect(ask({ case: "concat", list: ["c", "a", "b"] })).toBe('"a,b,c"');
  });

  it("takes the host's builtin instead of OPA's where that differs, and its error as undefined", () => {
    expect(ask({ case: "base64", text: "aGk=" })).toBe('"hi"');
    expect(ask({ case: "base64", text: "aGk" })).toBe("undefined");
    expect(ask({ case: "host", text: "a b" })).toBe('"a%20b"');
  });

  it("fails when a builtin fails otherwise, and works again afterwards", async () => {
    const broken: Builtins = {
      ...pack,
      "urlquery.encode": () => {
        throw new TypeError("a mistake");
      },
    };
    const evaluator = await evaluatorOf({ pack: broken });
    const outcome = evaluator.evaluate('{"case":"host","text":"x"}');
    expect(outcome).toMatchObject({ kind: "failed", reason: "internal" });
    expect(ask({ case: "data", user: "alice" }, evaluator)).toBe('["admin","dev"]');
  });

  it("a builtin that gives up where OPA would answer ends the evaluation, so that no `not` makes true of it", async () => {
    const limited: Builtins = {
      ...pack,
      "urlquery.encode": () => {
        throw new LimitError("text of more than 10 characters");
      },
    };
    const evaluator = await evaluatorOf({ pack: limited });
    expect(evaluator.evaluate('{"case":"host","text":"x"}')).toMatchObject({
      kind: "failed",
      reason: "abort",
      message: expect.stringContaining("more than 10 characters"),
    });
  });

  it("calls a conflict so", () => {
    expect(ask({ case: "conflict" })).toBe("conflict");
  });

  it("is not ended by values of builtins that no JSON has", async () => {
    const odd: Builtins = { ...pack, "urlquery.encode": () => ["\ud800x", "\\ud800", "\u0000"] };
    expect(ask({ case: "host", text: "" }, await evaluatorOf({ pack: odd }))).toBe(
      '["\ufffdx","\\\\ud800","\\u0000"]',
    );
  });

  it("ends what takes too long, and answers the next as if nothing had been", async () => {
    const evaluator = await evaluatorOf({ timeoutMs: 30 });
    const long = "a".repeat(400_000);
    const hostile = [
      { case: "loop" },
      { case: "contains", text: long, part: `${"a".repeat(200_000)}b` },
      { case: "number", text: `1e${"9".repeat(9)}` },
    ];
    for (const input of hostile) {
      const begin = performance.now();
      expect(["timeout", "memory", "abort", "undefined"]).toContain(ask(input, evaluator));
      expect(performance.now() - begin).toBeLessThan(1_500);
      expect(ask({ case: "data", user: "alice" }, evaluator)).toBe('["admin","dev"]');
    }
    expect(ask({ case: "loop" }, evaluator)).toBe("timeout");
  });

  it("ends what takes too much memory", async () => {
    const evaluator = await evaluatorOf({ memoryBytes: 8 * 1024 * 1024, timeoutMs: 20_000 });
    expect(ask({ case: "range", n: 1_000_000_000 }, evaluator)).toBe("memory");
    expect(ask({ case: "range", n: 10 }, evaluator)).toBe("10");
  });

  it("ends an input that is nested too deep, or no JSON", () => {
    const deep = `{"case":"echo","echo":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(shown(shared.evaluate(deep))).toBe("abort");
    expect(shown(shared.evaluate("{"))).toBe("internal");
    expect(ask({ case: "data", user: "alice" })).toBe('["admin","dev"]');
  });

  it("leaves nothing behind: 10,000 inputs in turn are answered as each alone", async () => {
    const list = (n: number): string[] => Array.from({ length: 5 }, (_, i) => `m${(i * 31 + n) % 17}`);
    const inputs = Array.from({ length: 40 }, (_, n) => [
      { case: "match", pattern: `^/a${n}/[a-z]+$`, glob: `/a${n % 7}/*`, text: `/a${n % 5}/bc` },
      { case: "members", list: list(n) },
      { case: "keys", object: Object.fromEntries(list(n).map((key) => [key, n])) },
      { case: "base64", text: n % 2 === 0 ? "aGk=" : "x" },
      { case: "sort", list: [n, 2 * n, n % 3] },
      { case: n % 10 === 0 ? "conflict" : "data", user: "alice" },
    ]).flat();
    const fresh = await evaluatorOf();
    const expected = inputs.map((input) => ask(input, fresh));
    expect(new Set(expected).size).toBeGreaterThan(60);
    let different = 0;
    for (let i = 0; i < 10_000; i++) {
      const at = (i * 7) % inputs.length;
      if (ask(inputs[at] ?? {}) !== expected[at]) different++;
    }
    expect(different).toBe(0);
  }, 60_000);

  it("loads data in pieces, and iterates over it in order", async () => {
    const users = Object.fromEntries(
      Array.from({ length: 9_000 }, (_, i) => [`u"${i}\\`, { roles: [`r${i}`, 1.5] }]),
    );
    const json = JSON.stringify({ users, list: "x".repeat(300_000) });
    const pieces = splitData(json);
    expect(pieces.length).toBeGreaterThan(3);
    let pauses = 0;
    const evaluator = await createEvaluator({
      program,
      data: pieces,
      limits: { timeoutMs: 2_000, memoryBytes: 64 * 1024 * 1024 },
      ports: { ...ports, pause: async () => void pauses++ },
      pack,
    });
    expect(pauses).toBeGreaterThan(3);
    expect(ask({ case: "data", user: 'u"8999\\' }, evaluator)).toBe('["r8999",1.5]');
    expect(ask({ case: "conflict" }, evaluator)).toBe("conflict");
    expect(ask({ case: "data", user: 'u"0\\' }, evaluator)).toBe('["r0",1.5]');
  });

  it("refuses data that does not fit into its memory, or is no JSON", async () => {
    const large = JSON.stringify({ users: "x".repeat(6 * 1024 * 1024) });
    await expect(evaluatorOf({ data: large, memoryBytes: 4 * 1024 * 1024 })).rejects.toThrow(
      "memory is full",
    );
    await expect(evaluatorOf({ data: "{" })).rejects.toThrow("no JSON");
  });
});

describe("a program", () => {
  it("knows what it calls, and by which name it is entered", () => {
    expect([...program.builtins].sort()).toEqual(["time.now_ns", "urlquery.encode"]);
    expect(toProgram(compiledCases(), "gatehouse_entry/result", pack).entrypoint).toBe(0);
    expect(() => toProgram(compiledCases(), "other", pack)).toThrow(WasmError);
  });

  it("is not made of anything else", () => {
    expect(() => toProgram(new Uint8Array(10), undefined, pack)).toThrow(WasmError);
  });

  it("tells which builtins nobody has", () => {
    expect(
      missingBuiltins(["count", "http.send", "eq", "constructor", "urlquery.encode", "http.send"], pack),
    ).toEqual(["http.send", "constructor"]);
  });
});
