import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compileDetectors,
  compileJson,
  createJsonRedactor,
  detectorNames,
  type FieldAction,
  type FieldRule,
  parsePath,
  RedactionError,
  type Scanners,
} from "../../../src/redaction/index.js";
import { everyCut, feed } from "./feed.js";
import { canonical, readTree, redact, someRules, someTree, writeTree } from "./json-reference.js";

const key = Buffer.from("key");
const stars: FieldAction = {
  kind: "mask",
  keepFirst: 0,
  keepLast: 0,
  character: "*",
  replacement: undefined,
};

function rule(path: string, action: FieldAction = stars): FieldRule {
  const read = parsePath(path);
  if (!("steps" in read)) throw new Error(read.message);
  return { name: path, path: read.steps, action };
}

function run(rules: readonly FieldRule[], body: string | Uint8Array, cuts: readonly number[] = []): string {
  return feed(createJsonRedactor(compileJson(rules, { key })), body, cuts);
}

function fault(
  body: string | Uint8Array,
  rules: readonly FieldRule[] = [rule("$.a")],
  scanners?: Scanners,
): string {
  const results = [[], everyCut(body)].map((cuts) => {
    try {
      feed(createJsonRedactor(compileJson(rules, { key, scanners })), body, cuts);
      return "none";
    } catch (error) {
      return error instanceof RedactionError ? error.fault : String(error);
    }
  });
  expect(results[0]).toBe(results[1]);
  return results[0] as string;
}

/** Replaces each 4 by four and finds it; holds the last character back, so that pieces come out late. */
const fours: Scanners = {
  scanner() {
    const findings = new Map<string, number>();
    let held = "";
    const out = (text: string): string =>
      text.replace(/4/g, () => {
        findings.set("four", (findings.get("four") ?? 0) + 1);
        return "<é\n>".replace("é", "\xc3\xa9");
      });
    return {
      push(text) {
        const all = held + text;
        held = all.slice(-1);
        return out(all.slice(0, -1));
      },
      end() {
        const last = out(held);
        held = "";
        return last;
      },
      findings,
    };
  },
};

const denies: Scanners = {
  scanner: () => ({
    push(text) {
      if (text.includes("4")) throw new RedactionError("detected", "found", "four");
      return text;
    },
    end: () => "",
    findings: new Map(),
  }),
};

describe("JSON fields", () => {
  it.each<[string, FieldRule[], string, string]>([
    ["masks all characters of a text", [rule("$.a")], '{"a": "xyz", "b": 1}', '{"a": "***", "b": 1}'],
    ["masks a number as a text", [rule("$.a")], '{"a":-1.5e3}', '{"a":"******"}'],
    [
      "masks what has no text with four characters",
      [rule("$.*")],
      '[{"x":1},null,[]]',
      '["****","****","****"]',
    ],
    [
      "keeps the ends of a long text",
      [rule("$.a", { ...stars, keepFirst: 1, keepLast: 2 })],
      '{"a":"\\u00e9abcd\u{1f600}\\"","b":0}',
      '{"a":"é****\u{1f600}\\"","b":0}',
    ],
    [
      "keeps nothing of a short text",
      [rule("$.a", { ...stars, keepLast: 4 })],
      '{"a":"1234567"}',
      '{"a":"*******"}',
    ],
    ["keeps at most half", [rule("$.a", { ...stars, keepLast: 4 })], '{"a":"12345678"}', '{"a":"****5678"}'],
    [
      "puts a replacement in place of anything",
      [rule("$..a", { ...stars, replacement: 'n"a' })],
      '{"a":{"a":1},"b":[{"a":"x"}]}',
      '{"a":"n\\"a","b":[{"a":"n\\"a"}]}',
    ],
    [
      "removes a member with its comma",
      [rule("$.b", { kind: "remove" })],
      '{"a":1, "b":2 , "c":3}',
      '{"a":1 , "c":3}',
    ],
    ["removes the first member", [rule("$.a", { kind: "remove" })], '{ "a":1, "b":2 }', '{  "b":2 }'],
    ["removes the last member", [rule("$.b", { kind: "remove" })], '{"a":1,"b":{"c":[1,2]}}', '{"a":1}'],
    ["removes the only member", [rule("$.a", { kind: "remove" })], '{"a":1}', "{}"],
    ["removes items by number", [rule("$[1]", { kind: "remove" })], "[1,2,3]", "[1,3]"],
    ["removes all items", [rule("$[*]", { kind: "remove" })], "[1,[2],3]", "[]"],
    ["removes the whole document to null", [rule("$", { kind: "remove" })], ' {"a":1} ', " null "],
    [
      "redacts each of several members of one name",
      [rule("$.a")],
      '{"a":"x","a":"yy"}',
      '{"a":"*","a":"**"}',
    ],
    [
      "compares names as they read",
      [rule("$.ssn")],
      '{"\\u0073sn":"x","ssn ":"y"}',
      '{"\\u0073sn":"*","ssn ":"y"}',
    ],
    [
      "compares names outside of ASCII",
      [rule("$['\u{1f600}']"), rule("$.é")],
      '{"\\ud83d\\ude00":"x","\u{1f600}":"x","é":"x","\\u00e9":"x"}',
      '{"\\ud83d\\ude00":"*","\u{1f600}":"*","é":"*","\\u00e9":"*"}',
    ],
    [
      "lets the outer rule win",
      [rule("$.a.b", { kind: "remove" }), rule("$.a")],
      '{"a":{"b":1}}',
      '{"a":"****"}',
    ],
    [
      "lets the first of two rules win",
      [rule("$.a"), rule("$.*", { kind: "remove" })],
      '{"a":"x","b":1}',
      '{"a":"*"}',
    ],
    [
      "finds names at every depth",
      [rule("$..ssn")],
      '[[{"x":{"ssn":"1"}}],{"ssn":"2"}]',
      '[[{"x":{"ssn":"*"}}],{"ssn":"*"}]',
    ],
    ["takes a name for no number", [rule("$[0]")], '{"0":"x"}', '{"0":"x"}'],
    ["passes a byte order mark", [rule("$.a")], '\ufeff{"a":"x"}', '\ufeff{"a":"*"}'],
    ["passes an empty body", [rule("$.a")], "", ""],
    ["masks the whole document", [rule("$")], "123", '"***"'],
    [
      "tells names of one length and one first letter from each other, the empty and long ones too",
      [rule("$.cat"), rule("$['']"), rule(`$.${"n".repeat(300)}`)],
      `{"c":"x","cot":"x","cat":"x","":"x","${"n".repeat(299)}m":"x","${"n".repeat(300)}":"x"}`,
      `{"c":"x","cot":"x","cat":"*","":"*","${"n".repeat(299)}m":"x","${"n".repeat(300)}":"*"}`,
    ],
    [
      "reads literals and numbers at the end of what is there",
      [rule("$[9]")],
      "[true,false,null,-0.5e+10,0,12,1E5,[false],null,true]",
      '[true,false,null,-0.5e+10,0,12,1E5,[false],null,"****"]',
    ],
    [
      "has no ordinary names",
      [rule("$.__proto__"), rule("$.constructor")],
      '{"__proto__":"x","constructor":"x","toString":"x"}',
      '{"__proto__":"*","constructor":"*","toString":"x"}',
    ],
  ])("%s", (_, rules, body, expected) => {
    expect(run(rules, body)).toBe(expected);
    expect(run(rules, body, everyCut(body))).toBe(expected);
  });

  it("changes few values of a body and many in the same way", () => {
    const rules = [rule("$[*].card", { ...stars, keepLast: 4 }), rule("$[*].ssn", { kind: "remove" })];
    const text = fc.string({
      unit: fc.constantFrom("a", "é", '"', "\\", "\u{1f600}", "\n", "7"),
      maxLength: 60,
    });
    const item = fc.record({ card: text, note: text, ssn: text }, { requiredKeys: [] });
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 50 }),
        fc.array(fc.nat(4_000), { maxLength: 3 }),
        (items, cuts) => {
          const masked = items.map(({ card, note }) => {
            const characters = [...(card ?? "")];
            const shown = characters.length < 8 ? 0 : 4;
            const stop = characters.length - shown;
            const mask = characters.map((char, at) => (at < stop ? "*" : char)).join("");
            return { ...(card === undefined ? {} : { card: mask }), ...(note === undefined ? {} : { note }) };
          });
          const body = JSON.stringify(items);
          const whole = run(rules, body);
          expect(JSON.parse(whole)).toEqual(masked);
          expect(run(rules, body, cuts)).toBe(whole);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("hashes a text and a number by their own text, and others by their canonical JSON", () => {
    const hash = rule("$.*", { kind: "hash" });
    const of = (value: string): unknown => JSON.parse(run([hash], `[${value}]`))[0];
    expect(of('"1"')).toMatch(/^[0-9a-f]{32}$/);
    expect(of('"\\u0031"')).toBe(of("1"));
    expect(of('{"a":["é",1]}')).toBe(of('{ "\\u0061" : [ "\\u00e9", 1 ] }'));
    expect(of('"2"')).not.toBe(of('"1"'));
  });

  it("gives one value different tokens in different fields", () => {
    const out = JSON.parse(
      run([rule("$.a", { kind: "tokenise" }), rule("$.b", { kind: "tokenise" })], '{"a":"x","b":"x"}'),
    );
    expect(out.a).toMatch(/^tok_[\w-]{22}$/);
    expect(out.a).not.toBe(out.b);
  });

  it("leaves inactive rules alone, and counts those that acted", () => {
    const redactor = createJsonRedactor(compileJson([rule("$.a"), rule("$.b")]), [false, true]);
    expect(feed(redactor, '{"a":"x","b":"x","c":[{"b":1}],"b":0}')).toBe(
      '{"a":"x","b":"*","c":[{"b":1}],"b":"*"}',
    );
    expect([...redactor.findings]).toEqual([["$.b", 2]]);
  });

  it("does what the reference does with generated documents, however they are cut", () => {
    fc.assert(
      fc.property(
        someTree,
        someRules,
        fc.infiniteStream(fc.nat(1000)),
        fc.array(fc.nat(400), { maxLength: 8 }),
        (tree, rules, dice, cuts) => {
          const body = writeTree(tree, () => dice.next().value as number);
          expect(canonical(readTree(body))).toBe(canonical(tree));
          const expected = redact(tree, rules, key) ?? { kind: "raw", text: "null" };
          const whole = run(rules, body);
          expect(canonical(readTree(whole))).toBe(canonical(expected));
          expect(run(rules, body, cuts)).toBe(whole);
          expect(run(rules, body, everyCut(body))).toBe(whole);
          if (canonical(expected) === canonical(tree)) expect(whole).toBe(body);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("refuses in the same way what JSON.parse refuses", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'{}[],:"\\u00e1-+.eE tfn\n', "true", "null", '"a":', '"x"', "\\ud83d"), {
          maxLength: 12,
        }),
        (parts) => {
          const body = parts.join("");
          fc.pre(body !== "");
          let valid = true;
          try {
            JSON.parse(body);
          } catch {
            valid = false;
          }
          expect(fault(body)).toBe(valid ? "none" : "malformed");
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it.each<[string, string | Uint8Array]>([
    ["what is no UTF-8", Buffer.from('{"b":"\xe9"}', "latin1")],
    ["a surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ["a cut character", Buffer.from([0x22, 0xe2, 0x82])],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
    ["white space alone", " \n"],
    ["two documents", "{}{}"],
    ["a byte order mark in the middle", '{"a":\ufeff1}'],
    ["too many levels", "[".repeat(513) + "]".repeat(513)],
    ["a document that is cut off", '{"a":[1,2'],
    ["a value that is cut off while it is masked", '{"a":"secret'],
    ["bad JSON in a removed value", '{"a":[1,}'],
    ["an escape that the quote cuts off", '{"b":"\\u"}'],
    ["an escape that the quote cuts off in a key", '{"\\u12":1}'],
    ["an escape that lacks its last digit in a masked value", '{"a":"x\\u123"}'],
  ])("refuses %s as malformed", (_, body) => {
    expect(fault(body)).toBe("malformed");
  });

  it.each([[[]], [everyCut('{"a":{"\\u0062":{"ssn":1}}}')]])(
    "counts no field inside of one that is removed, wherever the body is cut (%#)",
    (cuts) => {
      const remove: FieldAction = { kind: "remove" };
      const redactor = createJsonRedactor(compileJson([rule("$.a", remove), rule("$..ssn")], { key }));
      feed(redactor, '{"a":{"\\u0062":{"ssn":1}}}', cuts);
      expect([...redactor.findings]).toEqual([["$.a", 1]]);
    },
  );

  it("takes 512 levels", () => {
    expect(fault("[".repeat(512) + "]".repeat(512))).toBe("none");
  });

  it("holds no value that it masks, removes or hashes, however long", () => {
    for (const action of [
      stars,
      { kind: "remove" },
      { kind: "hash" },
      { ...stars, replacement: "" },
    ] as FieldAction[]) {
      const redactor = createJsonRedactor(compileJson([rule("$.a", action)], { key }));
      redactor.push(Buffer.from('{"x":1,"a":"'));
      for (let n = 0; n < 100; n++) {
        redactor.push(Buffer.alloc(10_000, "x"));
        expect(redactor.heldBytes).toBeLessThan(64);
      }
      redactor.push(Buffer.from('"}'));
      expect(redactor.end()).toHaveLength(0);
    }
  });

  it("refuses a key that is too long to be held", () => {
    const body = `{"${"x".repeat(70_000)}":1}`;
    const redactor = createJsonRedactor(compileJson([rule("$.a", { kind: "remove" })]));
    expect(() => {
      for (const cut of [...body.matchAll(/.{1,1000}/g)]) redactor.push(Buffer.from(cut[0]));
    }).toThrow(expect.objectContaining({ fault: "too_long" }));
  });

  it("leaves off where it is told to, but not within a value that it replaces", () => {
    const redactor = createJsonRedactor(compileJson([rule("$..a")]));
    const first = redactor.push(Buffer.from('{"a":"sec'));
    redactor.letGo();
    const last = redactor.push(Buffer.from('ret","a":"open"} and anything'));
    expect(Buffer.concat([first, last, redactor.push(Buffer.from("!")), redactor.end()]).toString()).toBe(
      '{"a":"******","a":"open"} and anything!',
    );
  });

  it("gives on what it held when it leaves off", () => {
    const redactor = createJsonRedactor(compileJson([rule("$.a", { kind: "remove" })]));
    const first = redactor.push(Buffer.from('{"b":1, "x\xc3', "latin1"));
    redactor.letGo();
    expect(Buffer.concat([first, redactor.end()])).toEqual(Buffer.from('{"b":1, "x\xc3', "latin1"));
  });
});

describe("detectors in JSON", () => {
  const clean = (body: string, cuts: readonly number[] = [], rules: readonly FieldRule[] = []): string =>
    feed(createJsonRedactor(compileJson(rules, { scanners: fours, key })), body, cuts);

  it.each([
    ["looks at strings", '{"a":"x4y","b":"no\\u006e\\/e"}', '{"a":"x<é\\n>y","b":"no\\u006e\\/e"}'],
    ["sees through escapes", '["\\u0034","\\\\4"]', '["<é\\n>","\\\\<é\\n>"]'],
    [
      "writes anew only what is behind the first finding",
      '["\\u0061\\/4\\u0061\\/"]',
      '["\\u0061\\/<é\\n>a/"]',
    ],
    ["looks at keys", '{"4":1,"\\u0034":2,"5":3}', '{"<é\\n>":1,"<é\\n>":2,"5":3}'],
    ["makes a number with a finding a string", "[14, 15, -4.5e1]", '["1<é\\n>", 15, "-<é\\n>.5e1"]'],
    ["lets literals pass", "[true,null,false]", "[true,null,false]"],
  ])("%s", (_, body, expected) => {
    expect(clean(body)).toBe(expected);
    expect(clean(body, everyCut(body))).toBe(expected);
  });

  it("is the same however the body is cut, with and without field rules", () => {
    fc.assert(
      fc.property(
        someTree,
        someRules,
        fc.infiniteStream(fc.nat(1000)),
        fc.array(fc.nat(400), { maxLength: 8 }),
        (tree, rules, dice, cuts) => {
          const body = writeTree(tree, () => dice.next().value as number);
          const whole = clean(body);
          expect(clean(body, cuts)).toBe(whole);
          expect(clean(body, everyCut(body))).toBe(whole);
          readTree(whole);
          const both = clean(body, [], rules);
          expect(clean(body, cuts, rules)).toBe(both);
          expect(clean(body, everyCut(body), rules)).toBe(both);
          readTree(both);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("does not look at what a field rule takes away", () => {
    expect(fault('{"a":"4","b":5}', [rule("$.a", { kind: "remove" })], denies)).toBe("none");
    expect(fault('{"4":"x"}', [rule("$.*", { kind: "remove" })], denies)).toBe("none");
    expect(fault('{"b":"4"}', [rule("$.a")], denies)).toBe("detected");
  });

  it("sees an integer through its fraction and exponent", () => {
    const twelve: Scanners = {
      scanner: () => ({ push: (text) => text.replace("12", "<dozen>"), end: () => "", findings: new Map() }),
    };
    const plan = compileJson([], { scanners: twelve });
    expect(feed(createJsonRedactor(plan), "[1.2e1, 0.12E2, 1.20, 1.3e1]")).toBe(
      '["<dozen>", "0.<dozen>E2", 1.20, 1.3e1]',
    );
  });

  it("refuses a number that is too long to be looked at", () => {
    expect(fault(`[${"1".repeat(5_000)}]`, [], fours)).toBe("too_long");
  });

  it("finds the same whether or not a sieve leaves out what is clean", () => {
    const builtIn = detectorNames.map((detector) => ({ name: detector, what: { detector } }));
    const own = { name: "own", what: { pattern: "x[0-9]+|^no", maxLength: 8 } };
    const detectors = compileDetectors(
      [...builtIn, own].map((one) => ({ ...one, action: "redact", replacement: `<${one.name}>` })),
    );
    expect(detectors.sieve()).toBeDefined();
    const secrets = [
      "4111 1111 1111 1111",
      "4111111111111111",
      "2024-01-01",
      "GB82WEST12345698765432",
      "a@b.example",
      "@",
      `ghp_${"a1".repeat(18)}`,
      "Bearer aaaaaaaaaaaaaaaaaaaaaaaa1",
      "-----BEGIN PRIVATE KEY-----",
      "x1",
      "no",
      "é",
      "\n",
      ".",
      "word ",
    ];
    const text = fc.array(fc.constantFrom(...secrets), { maxLength: 3 }).map((parts) => parts.join(""));
    const number = fc.constantFrom(1, 12.5, 4111111111111111, 4.111111111111111e20, -5555555555554444, 2e3);
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 3 }, text, number, fc.boolean(), tie("array"), tie("object")),
      array: fc.array(tie("tree"), { maxLength: 4 }),
      object: fc.dictionary(text, tie("tree"), { maxKeys: 4 }),
    }));
    const rules = [rule("$..x1", { kind: "remove" }), rule("$[1]"), rule("$..['@']", { kind: "hash" })];
    fc.assert(
      fc.property(
        tree,
        fc.constantFrom(0, 2),
        fc.array(fc.nat(200), { maxLength: 3 }),
        (value, indent, cuts) => {
          const body = JSON.stringify([value, value], null, indent).replace(/e\+/g, "E");
          const of = (scanners: Scanners, at: readonly number[]): unknown => {
            const redactor = createJsonRedactor(compileJson(rules, { scanners, key }));
            return [feed(redactor, body, at), new Map([...redactor.findings].sort())];
          };
          const expected = of({ scanner: detectors.scanner }, []);
          expect(of(detectors, [])).toEqual(expected);
          expect(of(detectors, cuts)).toEqual(expected);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("counts what was found", () => {
    const redactor = createJsonRedactor(compileJson([], { scanners: fours }));
    feed(redactor, '{"4":"44","b":4}');
    expect(redactor.findings.get("four")).toBe(4);
  });
});
