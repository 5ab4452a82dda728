import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Limit, parseRateLimitFile } from "../../../src/ratelimit/index.js";

/** `file:line:column` of nothing: code, place and text of each finding. */
function findings(text: string | Uint8Array): readonly string[] {
  return parseRateLimitFile(text).findings.map(
    ({ code, place, message }) => `${code.code} ${place?.line}:${place?.column} ${message}`,
  );
}

function isAccepted(text: string | Uint8Array): boolean {
  const { spec, findings: found } = parseRateLimitFile(text);
  expect(spec === undefined).toBe(found.length > 0);
  return spec !== undefined;
}

/** What the peer makes of a scalar as a descriptor's value; undefined: it refuses the file. */
function textOf(scalar: string): string | undefined {
  return parseRateLimitFile(`domain: d\ndescriptors:\n- key: k\n  value: ${scalar}\n`).spec?.descriptors[0]
    ?.value;
}

function limitOf(fields: string): Limit | undefined {
  return parseRateLimitFile(`domain: d\ndescriptors:\n- key: k\n  rate_limit: {${fields}}\n`).spec
    ?.descriptors[0]?.rateLimit;
}

function countOf(scalar: string): number | undefined {
  return limitOf(`unit: hour, requests_per_unit: ${scalar}`)?.requestsPerUnit;
}

function flagOf(scalar: string): boolean | undefined {
  return parseRateLimitFile(`domain: d\ndescriptors:\n- key: k\n  shadow_mode: ${scalar}\n`).spec
    ?.descriptors[0]?.shadowMode;
}

/** Mappings each of which is made from an alias of the one before. */
function anchors(count: number, mapping: (last: string) => string): string {
  const lines = Array.from({ length: count }, (_, i) => `key: &a${i + 1} ${mapping(`*a${i}`)}\n`);
  return `domain: d\nkey: &a0 {key: x}\n${lines.join("")}`;
}

describe("a rate limit file", () => {
  it("is read whole, with the places of its descriptors", () => {
    const text = [
      "domain: edge",
      "descriptors:",
      "  - key: client",
      "    value: x*",
      "    share_threshold: true",
      "    quota_mode: on",
      "    detailed_metric: yes",
      "    value_to_metric: y",
      "    rate_limit: {unit: Hour, requests_per_unit: 10, name: a, replaces: [{name: b}, {name: c}]}",
      "    descriptors:",
      "      - key: path",
      "        shadow_mode: true",
      "        rate_limit: {unlimited: true}",
    ].join("\n");
    expect(parseRateLimitFile(text)).toEqual({
      findings: [],
      spec: {
        domain: "edge",
        domainPlace: { line: 1, column: 9 },
        descriptors: [
          {
            key: "client",
            value: "x*",
            rateLimit: {
              unit: "HOUR",
              requestsPerUnit: 10,
              unlimited: false,
              name: "a",
              replaces: ["b", "c"],
            },
            shadowMode: false,
            quotaMode: true,
            detailedMetric: true,
            valueToMetric: true,
            shareThreshold: true,
            line: 3,
            column: 5,
            descriptors: [
              {
                key: "path",
                value: "",
                rateLimit: { unit: undefined, requestsPerUnit: 0, unlimited: true, name: "", replaces: [] },
                descriptors: [],
                shadowMode: true,
                quotaMode: false,
                detailedMetric: false,
                valueToMetric: false,
                shareThreshold: false,
                line: 11,
                column: 9,
              },
            ],
          },
        ],
      },
    });
  });

  it("denies all where a limit has no number", () => {
    expect(limitOf("unit: hour")?.requestsPerUnit).toBe(0);
  });
});

describe("a text field", () => {
  it.each([
    ["0x10", "0x10"],
    ["007", "007"],
    ["Yes", "Yes"],
    ["1_000", "1_000"],
    ["2024-01-01", "2024-01-01"],
    ["!!timestamp 2024-02-29", "2024-02-29"],
    ["~", ""],
    ["NULL", ""],
    ['"null"', "null"],
    ["'it''s'", "it's"],
    ['"\\x41\\u00e9\\U0001F600\\\n    b"', "Aé😀b"],
    ["!!binary aGk=", "hi"],
    ["!!binary /w==", "\udcff"],
    ["!foo 1.5", "1.5"],
    ["!!str 1.5", "1.5"],
    ["1:30", "1:30"],
    ["1e400", "1e400"],
    ["a#b  #c", "a#b"],
    ["a\n    b\n\n    c", "a b\nc"],
    ["|-\n    a\n     b\n", "a\n b"],
    [">\n    a\n    b\n\n    c\n", "a b\nc\n"],
    ["<<", "<<"],
  ])("keeps the source of %j", (scalar, value) => {
    expect(textOf(scalar)).toBe(value);
  });

  it.each([
    "1.5",
    "08",
    "1e3",
    ".5",
    ".5_5",
    "-.inf",
    ".nan",
    "9223372036854775808",
    "!!float 5",
    "!!int x",
    "!!bool 1",
    "!!null x",
    "!!timestamp 2023-02-29",
    "!!binary a",
    '"\\q"',
    '"\\ud800"',
    '"\\/"',
    "@x",
    "`x",
    "%x",
    "a: b",
    "[a]",
    "{key: a}",
    "*nowhere",
    "!e!x y",
    "\tx",
  ])("does not take %j", (scalar) => {
    // A tab in front of a value is white space.
    expect(textOf(scalar)).toBe(scalar === "\tx" ? "x" : undefined);
  });
});

describe("a number", () => {
  it.each([
    ["010", 8],
    ["0o17", 15],
    ["0b101", 5],
    ["0b+1", 1],
    ["0x_1F", 31],
    ["1_000", 1000],
    ["+5", 5],
    ["-0", 0],
    ["4294967295", 4294967295],
    ['!!int "7"', 7],
    ["~", 0],
  ])("%s is %d", (scalar, count) => {
    expect(countOf(scalar)).toBe(count);
  });

  it.each(["4294967296", "-1", '"5"', "five", "5.0", "!!str 5", "2024-01-01", "[5]", "true"])(
    "%s is none that fits",
    (scalar) => {
      expect(countOf(scalar)).toBeUndefined();
    },
  );
});

describe("a flag", () => {
  it.each(["y", "Yes", "YES", "on", "True", "!!bool on", '!!bool "y"'])("%s is true", (scalar) => {
    expect(flagOf(scalar)).toBe(true);
  });

  it.each(["n", "No", "OFF", "false", "~", ""])("%j is false", (scalar) => {
    expect(flagOf(scalar)).toBe(false);
  });

  it.each(["tRue", "1", '"true"', "! true", "maybe", "{}"])("%s is neither", (scalar) => {
    expect(flagOf(scalar)).toBeUndefined();
  });
});

describe("a key that is written twice", () => {
  it("counts where it is last, a merge included", () => {
    expect(parseRateLimitFile("domain: a\ndomain: b\n").spec?.domain).toBe("b");
    const merge = "domain: d\ndescriptors:\n- &a {key: k, value: v}\n- value: w\n  <<: [{key: j}, *a]\n";
    expect(parseRateLimitFile(merge).spec?.descriptors[1]).toMatchObject({ key: "j", value: "v" });
  });

  it("hides what its first value may not be", () => {
    expect(isAccepted("domain: d\nkey: 1.5\nkey: 1\n")).toBe(true);
    expect(isAccepted("domain: d\nvalue: {bogus: 1}\nvalue: ~\n")).toBe(true);
  });

  it("makes one rate limit of two, unless the second is null", () => {
    const twice = (second: string): unknown => {
      const text = `domain: d\ndescriptors:\n- key: k\n  rate_limit: {unit: hour}\n  rate_limit: ${second}\n`;
      const { spec } = parseRateLimitFile(text);
      return spec === undefined ? "refused" : spec.descriptors[0]?.rateLimit?.unit;
    };
    expect(twice("{requests_per_unit: 1}")).toBe("HOUR");
    expect(twice("null")).toBeUndefined();
    // Another spelling of null empties the limit, which then has no unit.
    expect(twice("Null")).toBe("refused");
  });
});

describe("what is refused", () => {
  it.each([
    ["", "GH0804 1:1 empty or missing `domain`"],
    ["hello", "GH0803 1:1 a scalar, expected a mapping"],
    ["domain: d\nbogus: 1", "GH0802 2:1 unknown key `bogus`"],
    ["domain: d\n5: 1", "GH0802 2:1 key is not a text"],
    ["domain: d\ndescriptors: [a]", "GH0803 2:15 list holds a scalar, expected mappings"],
    ["domain: d\ndescriptors: {key: a}", "GH0803 2:14 a mapping, expected a list"],
    ["domain: d\nvalue: 1.5", "GH0803 2:8 number that is no 64-bit integer, expected none in the file"],
    ["domain: d\ndescriptors:\n- value: v", "GH0805 3:3 descriptor has an empty key"],
    [
      "domain: d\ndescriptors:\n- key: a_b\n- key: a\n  value: b",
      "GH0806 4:3 duplicate descriptor composite key `d.a_b`",
    ],
    [
      "domain: d\ndescriptors:\n- key: k\n  share_threshold: true",
      "GH0805 3:3 `share_threshold` on `k`, expected a value or key that ends with *",
    ],
    [
      "domain: d\ndescriptors:\n- key: k\n  rate_limit:\n    unit: hours",
      "GH0807 5:11 invalid rate limit unit `hours`, expected second, minute, hour, day, week, month or year",
    ],
    [
      "domain: d\ndescriptors:\n- key: k\n  rate_limit: {unlimited: true, unit: day}",
      "GH0807 4:39 rate limit with a unit, expected none when `unlimited`",
    ],
    [
      "domain: d\ndescriptors:\n- key: k\n  rate_limit: {unit: day, replaces: [{name: ''}]}",
      "GH0808 4:38 empty `replaces` entry",
    ],
    [
      "domain: d\ndescriptors:\n- key: k\n  rate_limit: {unit: day, name: n, replaces: [{name: n}]}",
      "GH0808 4:47 `replaces` names the limit's own name `n`",
    ],
    ["domain: &a {key: *a}", "GH0801 1:18 anchor holds itself"],
    ["domain: d\n<<: x", "GH0801 2:5 `<<` takes mappings only"],
    ["domain: d\n[a]: b", "GH0801 2:1 key is a collection, expected a text"],
    ["domain: d\ndescriptors:\n\t- key: k", "GH0801 3:1 character that begins nothing"],
    ["%YAML 1.2\n---\ndomain: d", "GH0801 1:1 YAML 1.1 expected"],
    ["domain: d\n# \u0001", "GH0801 2:3 control character"],
    [Buffer.from([0x61, 0x3a, 0x0a, 0xff]), "GH0801 2:1 invalid UTF-8"],
  ])("%j: %s", (text, message) => {
    expect(findings(text)).toContain(message);
    expect(isAccepted(text)).toBe(false);
  });

  it("names every mistake of a kind, up to a number", () => {
    const text = `domain: d\ndescriptors:\n${"- value: v\n".repeat(80)}`;
    expect(findings(text)).toHaveLength(50);
  });
});

describe("what is accepted although it looks wrong", () => {
  it.each([
    ["garbage behind the first document", "domain: d\n---\n][\n"],
    ["bytes that are no text far behind the document", `domain: d\n...\n#${"x".repeat(600)}\u0001`],
    ["half a character at the very end", Buffer.from([...Buffer.from("domain: d\n---\n"), 0xe2, 0x82])],
    ["keys of another level", "domain: d\nshadow_mode: maybe\nunit: ~\n"],
    [
      "an invalid unit of a limit that is unlimited",
      "domain: d\ndescriptors: [{key: k, rate_limit: {unlimited: y, unit: eon}}]",
    ],
    ["a byte order mark", "\ufeffdomain: d"],
    ["UTF-16", Buffer.from("\ufeffdomain: d", "utf16le")],
    ["UTF-16 of the other order", Buffer.from("\ufeffdomain: d", "utf16le").swap16()],
    ["lines that end in NEL", "domain: d\u0085descriptors: []"],
    ["a document on the line of its beginning", "--- {domain: d}\n"],
    ["flow collections without indentation", "domain: d\ndescriptors: [\n{key: k}\n]"],
    ["keys in another encoding", "!!binary ZG9tYWlu: d\n? descriptors\n: []"],
    ["tags of collections", "!!str\ndomain: d\ndescriptors: !!map [!!int {key: k}]"],
    ["a list in the column of its key", "domain: d\ndescriptors:\n- key: k\n"],
  ])("%s", (_, text) => {
    expect(isAccepted(text)).toBe(true);
  });
});

describe("hostile files", () => {
  it("are answered, whatever bytes they hold", () => {
    const pieces = fc.constantFrom(
      ...["\n", "  ", "- ", ": ", "key", "value", "domain: d\n", "descriptors:\n", "&a ", "*a", "<<: "],
      ...["[", "]", "{", "}", ",", "? ", "|", ">", "!!int ", "'", '"', "#", "%TAG", "---", "..."],
      ...["\\", "1.5", "~", "\t", "\u0001", "é"],
    );
    const texts = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(""));
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 700 }), fc.string(), texts);
    fc.assert(
      fc.property(bytes, (text) => {
        const parsed = parseRateLimitFile(text);
        expect(parsed.spec === undefined).toBe(parsed.findings.length > 0);
        for (const { place } of parsed.findings) {
          expect(Math.min(place?.line ?? 0, place?.column ?? 0)).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["brackets", `domain: d\nvalue: ${"[".repeat(100_000)}`, "nested too deeply"],
    ["braces", `domain: d\nvalue: ${"{a: ".repeat(20_000)}`, "nested too deeply"],
    ["entries", "- ".repeat(100_000), "nested too deeply"],
    [
      "aliases of aliases",
      anchors(30, (last) => `{key: ${last}, value: ${last}}`),
      "aliases repeat too much",
    ],
    ["long chains of aliases", anchors(2000, (last) => `{<<: ${last}}`), "nested too deeply"],
  ])("%s are refused", (_, text, message) => {
    expect(findings(text).join()).toContain(message);
  });

  it("that are deep but not too deep survive a structured clone", () => {
    const text = `domain: d\ndescriptors: ${"[{key: k, descriptors: ".repeat(150)}[]${"}]".repeat(150)}`;
    const { spec } = parseRateLimitFile(text);
    expect(structuredClone(spec)).toEqual(spec);
    expect(spec?.descriptors).toHaveLength(1);
  });

  it("do not put long texts or secrets into messages", () => {
    const key = `eyJ${"a".repeat(60)}`;
    expect(findings(`domain: d\n${key}: 1`).join()).not.toContain(key);
  });
});
