import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compileDetectors,
  compileJson,
  createEventsRedactor,
  createJsonRedactor,
  createLinesRedactor,
  parsePath,
  RedactionError,
  type Redactor,
} from "../../../src/redaction/index.js";
import { everyCut, feed } from "./feed.js";

const detectors = compileDetectors([
  { name: "digits", what: { pattern: "44[0-9]", maxLength: 3 }, action: "redact", replacement: "<n\n>" },
  { name: "never", what: { pattern: "never", maxLength: 5 }, action: "deny", replacement: "" },
]);

function rules(...paths: string[]): Parameters<typeof compileJson>[0] {
  return paths.map((text) => {
    const read = parsePath(text);
    if (!("steps" in read)) throw new Error(read.message);
    const isRemoved = text.endsWith("gone");
    return {
      name: text,
      path: read.steps,
      action: isRemoved
        ? { kind: "remove" }
        : { kind: "mask", keepFirst: 0, keepLast: 0, character: "*", replacement: undefined },
    };
  });
}

function events(paths: string[], detects = false): Redactor {
  const findings = new Map<string, number>();
  const scanners = detects ? detectors : undefined;
  const plan = compileJson(rules(...paths), { scanners });
  return createEventsRedactor(createJsonRedactor(plan, undefined, findings), scanners, findings);
}

function lines(paths: string[]): Redactor {
  return createLinesRedactor(createJsonRedactor(compileJson(rules(...paths), { scanners: detectors })));
}

function outcome(make: () => Redactor, body: string, cuts: readonly number[]): string {
  try {
    return feed(make(), body, cuts);
  } catch (error) {
    return error instanceof RedactionError ? error.fault : String(error);
  }
}

describe("lines of JSON", () => {
  it.each([
    [
      "redacts each line",
      '{"a":"x"}\n{"a":1}\r\n\n [{"a":"y"}] \n',
      '{"a":"*"}\n{"a":"*"}\r\n\n [{"a":"y"}] \n',
    ],
    ["takes a last line without an end", '{"a":"x"}\n{"a":"yy"}', '{"a":"*"}\n{"a":"**"}'],
    ["looks at texts", '"441"\n442', '"<n\\n>"\n"<n\\n>"'],
    ["passes an empty body", "", ""],
    ["refuses a document that goes over a line", '{"a":\n1}', "malformed"],
    ["refuses two documents in a line", "{} {}\n", "malformed"],
    ["refuses a line that is none", '{"a":1}\nb\n', "malformed"],
  ])("%s", (_, body, expected) => {
    expect(outcome(() => lines(["$.a"]), body, [])).toBe(expected);
    expect(outcome(() => lines(["$.a"]), body, everyCut(body))).toBe(expected);
  });

  it("leaves off where it is told to", () => {
    const redactor = lines(["$.a"]);
    const first = redactor.push(Buffer.from('{"a":"x"}\n{"a":"y'));
    redactor.letGo();
    const last = redactor.push(Buffer.from('y"}\n{"a":"z"}\n?'));
    expect(Buffer.concat([first, last, redactor.end()]).toString()).toBe(
      '{"a":"*"}\n{"a":"**"}\n{"a":"z"}\n?',
    );
  });
});

describe("server-sent events", () => {
  it("knows JSON behind any number of lines that are empty", () => {
    const before = `${"data:\n".repeat(60)}data: [\n${"data:  \n".repeat(60)}`;
    const body = `${before}data: {"a":"x"}]\n\n`;
    expect(outcome(() => events(["$[0].a"]), body, everyCut(body))).toBe(`${before}data: {"a":"*"}]\n\n`);
  });

  it.each<[string, string[], boolean, string, string]>([
    [
      "redacts the data of each event",
      ["$.a"],
      false,
      'data: {"a":"x"}\n\ndata:{"a":"yy"}\r\n\r\n',
      'data: {"a":"*"}\n\ndata:{"a":"**"}\r\n\r\n',
    ],
    [
      "joins data lines",
      ["$.a"],
      false,
      'data: {"a":\ndata: "x",\ndata: "b":1}\n\n',
      'data: {"a":\ndata: "*",\ndata: "b":1}\n\n',
    ],
    [
      "keeps lines between data lines",
      ["$.a"],
      false,
      'data: {"a":\r\nid: 1\r\n:c\r\ndata:"x"}\r\nevent: e\r\n\r\n',
      'data: {"a":\r\nid: 1\r\n:c\r\ndata:"*"}\r\nevent: e\r\n\r\n',
    ],
    [
      "removes fields over lines",
      ["$.gone"],
      false,
      'data: {"b":1,\ndata: "gone": {\nid: 7\ndata: "x":1},"c":2}\n\n',
      'data: {"b":1,"c":2}\nid: 7\n\n',
    ],
    [
      "takes lone carriage returns",
      ["$.a"],
      false,
      'data: {"a":"x"}\r\rdata: {"a":"x"}\r\r',
      'data: {"a":"*"}\r\rdata: {"a":"*"}\r\r',
    ],
    [
      "passes what ends a stream, and other texts",
      ["$.a"],
      false,
      "data: [DONE]\n\ndata: hello\n\ndata\n\ndata:\n\n",
      "data: [DONE]\n\ndata: hello\n\ndata\n\ndata:\n\n",
    ],
    ["looks at texts", [], true, "data: a44\ndata: 1 442\n\n", "data: a44\ndata: 1 <n\ndata: >\n\n"],
    [
      "looks at strings and numbers as JSON",
      [],
      true,
      'data: "\\u003441"\n\ndata: 442\n\ndata: "441" x\n\n',
      'data: "<n\\n>"\n\ndata: "<n\\n>"\n\ndata: "<n\ndata: >" x\n\n',
    ],
    ["looks at comments and other fields", [], true, ": 441\nid: 442\nfoo\n\n", ": <n >\nid: <n >\nfoo\n\n"],
    ["passes a byte order mark", ["$.a"], false, '\ufeffdata: {"a":"x"}\n\n', '\ufeffdata: {"a":"*"}\n\n'],
    [
      "takes for text what no reader of JSON takes for it",
      ["$.a"],
      false,
      'data: \u00a0{"a":"x"}\n\ndata: \ufeff{"a":"x"}\n\n\ufeffdata: {"a":"x"}\n\nDATA: {"a":"x"}\n\n',
      'data: \u00a0{"a":"x"}\n\ndata: \ufeff{"a":"x"}\n\n\ufeffdata: {"a":"x"}\n\nDATA: {"a":"x"}\n\n',
    ],
    [
      "joins lines that end in different ways",
      ["$.a"],
      false,
      'data: {"a":\rdata: "x",\r\ndata:\ndata:  "b":1}\r\r',
      'data: {"a":\rdata: "*",\r\ndata:\ndata:  "b":1}\r\r',
    ],
    ["takes a stream that ends within an event", ["$.a"], false, 'data: {"a":"x"}', 'data: {"a":"*"}'],
    [
      "takes arrays",
      ["$[0].a"],
      false,
      'data: [{"a":"x"}]\n\ndata: [true]\n\ndata: [tool]\n\n',
      'data: [{"a":"*"}]\n\ndata: [true]\n\ndata: [tool]\n\n',
    ],
    ["passes an empty body", ["$.a"], true, "", ""],
    ["refuses data that begins as JSON and is none", ["$.a"], false, 'data: {"a":"x"\n\n', "malformed"],
    ["refuses what a rule refuses", [], true, "data: ne\n\ndata: never\n\n", "detected"],
    ["refuses it in comments", [], true, ":never\n\n", "detected"],
  ])("%s", (_, paths, detects, body, expected) => {
    expect(outcome(() => events(paths, detects), body, [])).toBe(expected);
    expect(outcome(() => events(paths, detects), body, everyCut(body))).toBe(expected);
  });

  it("gives the same however the stream is cut, and changes nothing where there is nothing to change", () => {
    const parts = [
      "data",
      ":",
      " ",
      "\n",
      "\r",
      "\n\n",
      "data: ",
      '{"a":',
      '"x"',
      "1",
      ",",
      '"gone":',
      "}",
      "{}",
      "[",
      "]",
      "id: 4",
      "44",
      "\\",
      '"',
      "\ufeff",
      "é",
    ];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...parts), { maxLength: 30 }),
        fc.array(fc.nat(80), { maxLength: 6 }),
        fc.boolean(),
        (pieces, cuts, detects) => {
          const body = pieces.join("");
          const make = (): Redactor => events(["$..a", "$..gone"], detects);
          const whole = outcome(make, body, []);
          expect(outcome(make, body, cuts)).toBe(whole);
          expect(outcome(make, body, everyCut(body))).toBe(whole);
          const idle = outcome(() => events(["$.none"]), body, []);
          if (idle !== "malformed") expect(idle).toBe(body);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("holds little of a long event", () => {
    const redactor = events(["$.a"]);
    redactor.push(Buffer.from('data: {"x":"'));
    let length = 0;
    for (let n = 0; n < 100; n++) {
      length += redactor.push(Buffer.alloc(10_000, "x")).length;
      expect(redactor.heldBytes).toBeLessThan(64);
    }
    expect(length).toBe(1_000_000);
  });

  it("leaves off at the end of the event in which it is told to", () => {
    const redactor = events(["$.a"]);
    const first = redactor.push(Buffer.from('data: {"a":"x'));
    redactor.letGo();
    const last = redactor.push(Buffer.from('y"}\n\ndata: {"a":"z"}\n\n'));
    const rest = redactor.push(Buffer.from("!"));
    expect(Buffer.concat([first, last, rest, redactor.end()]).toString()).toBe(
      'data: {"a":"**"}\n\ndata: {"a":"z"}\n\n!',
    );
  });
});
