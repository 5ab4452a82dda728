import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTraceContext } from "../../../src/traces/index.js";

const trace = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";
const short = "8448eb211c80319c";
const zeros = "0".repeat(16);

const read = (headers: Readonly<Record<string, string | string[]>>): ReturnType<typeof readTraceContext> =>
  readTraceContext(
    new Map(
      Object.entries(headers).map(([name, lines]) => [name, typeof lines === "string" ? [lines] : lines]),
    ),
  );
const context = (sampled: string, changes = {}): object => ({
  ...{ traceId: trace, spanId: span, sampled, traceState: "" },
  ...changes,
});

describe("traceparent", () => {
  it.each([
    ["sampled", `00-${trace}-${span}-01`, "yes"],
    ["not sampled", `00-${trace}-${span}-00`, "no"],
    ["with flags that nobody knows", `00-${trace}-${span}-fe`, "no"],
    ["of a later version", `cc-${trace}-${span}-01`, "yes"],
    ["of a later version that says more", `cc-${trace}-${span}-01-what-ever`, "yes"],
  ])("%s names the trace and the caller's span", (_, traceparent, sampled) => {
    expect(read({ traceparent })).toEqual(context(sampled));
  });

  it.each([
    ["version ff", `ff-${trace}-${span}-01`],
    ["more than version 00 has", `00-${trace}-${span}-01-x`],
    ["a later version that goes on without a dash", `cc-${trace}-${span}-01x`],
    ["a trace id of zeros", `00-${zeros}${zeros}-${span}-01`],
    ["a span id of zeros", `00-${trace}-${zeros}-01`],
    ["capital letters", `00-${trace.toUpperCase()}-${span}-01`],
    ["a trace id that is too short", `00-${trace.slice(1)}-${span}-01`],
    ["other characters", `00-${trace.slice(1)}g-${span}-01`],
    ["spaces", ` 00-${trace}-${span}-01`],
    ["a line break", `00-${trace}-${span}-01\n`],
    ["nothing", ""],
    ["two lines that Envoy made one", `00-${trace}-${span}-01,00-${trace}-${span}-01`],
    ["more than anybody sends", `cc-${trace}-${span}-01-${"x".repeat(1000)}`],
  ])("with %s is none", (_, traceparent) => {
    expect(read({ traceparent })).toBeUndefined();
  });

  it("that came twice is none", () => {
    const traceparent = `00-${trace}-${span}-01`;
    expect(read({ traceparent: [traceparent, traceparent] })).toBeUndefined();
  });
});

describe("tracestate", () => {
  const stateOf = (tracestate: string | string[]): string | undefined =>
    read({ traceparent: `00-${trace}-${span}-01`, tracestate })?.traceState;

  it("of several lines is one list", () => {
    expect(stateOf(["a=1, tenant@b=2 3", "", "c=!"])).toBe("a=1,tenant@b=2 3,c=!");
  });

  it.each([
    ["a member without a value", "a"],
    ["a key in capital letters", "A=1"],
    ["a key that stands twice", "a=1,a=2"],
    ["more than 32 members", Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(",")],
    ["more than 512 characters", `a=${"x".repeat(250)},b=${"x".repeat(250)},c=${"x".repeat(10)}`],
    ["control characters", "a=\u0001"],
  ])("with %s is left out, and the trace goes on", (_, tracestate) => {
    expect(stateOf(tracestate)).toBe("");
  });
});

describe("B3", () => {
  it.each([
    ["b3 with a decision", { b3: `${trace}-${span}-1` }, context("yes")],
    ["b3 with the parent too", { b3: `${trace}-${span}-0-${short}` }, context("no")],
    ["b3 for debugging", { b3: `${trace}-${span}-d` }, context("yes")],
    ["b3 without a decision", { b3: `${trace}-${span}` }, context("undecided")],
    ["b3 of 64 bits", { b3: `${short}-${span}-1` }, context("yes", { traceId: zeros + short })],
    ["b3 that only says no", { b3: "0" }, { traceId: "", spanId: "", sampled: "no", traceState: "" }],
    ["several headers", { "x-b3-traceid": trace, "x-b3-spanid": span, "x-b3-sampled": "1" }, context("yes")],
    [
      "several headers with true",
      { "x-b3-traceid": trace, "x-b3-spanid": span, "x-b3-sampled": "true" },
      context("yes"),
    ],
    [
      "several headers for debugging",
      { "x-b3-traceid": trace, "x-b3-spanid": span, "x-b3-sampled": "0", "x-b3-flags": "1" },
      context("yes"),
    ],
    [
      "several headers without a decision",
      { "x-b3-traceid": trace, "x-b3-spanid": span },
      context("undecided"),
    ],
    [
      "several headers of 64 bits, in capitals",
      { "x-b3-traceid": short.toUpperCase(), "x-b3-spanid": span, "x-b3-parentspanid": "?" },
      context("undecided", { traceId: zeros + short }),
    ],
    [
      "x-b3-sampled alone",
      { "x-b3-sampled": "0" },
      { traceId: "", spanId: "", sampled: "no", traceState: "" },
    ],
  ])("in %s is read", (_, headers, expected) => {
    expect(read(headers as Record<string, string>)).toEqual(expected);
  });

  it.each([
    ["ids of zeros", { b3: `${zeros}-${span}-1` }],
    ["a trace without a span", { "x-b3-traceid": trace }],
    ["another decision", { b3: `${trace}-${span}-2` }],
    ["two lines", { b3: [`${trace}-${span}-1`, `${trace}-${span}-1`] }],
    ["something long", { b3: `${trace}-${span}-1-${"0".repeat(100_000)}` }],
    ["a decision that is none", { "x-b3-sampled": "maybe" }],
  ])("with %s says nothing", (_, headers) => {
    expect(read(headers as Record<string, string>)).toBeUndefined();
  });

  it("in one header wins over several, and goes for several where it is not valid", () => {
    const several = { "x-b3-traceid": short, "x-b3-spanid": span, "x-b3-sampled": "0" };
    expect(read({ b3: `${trace}-${span}-1`, ...several })).toEqual(context("yes"));
    expect(read({ b3: "nonsense", ...several })).toEqual(context("no", { traceId: zeros + short }));
  });
});

describe("W3C beside B3", () => {
  it("wins where it is valid", () => {
    const b3 = `${short}-${span}-0`;
    expect(read({ traceparent: `00-${trace}-${span}-01`, b3 })).toEqual(context("yes"));
    expect(read({ traceparent: `ff-${trace}-${span}-01`, b3 })).toEqual(
      context("no", { traceId: zeros + short }),
    );
  });
});

describe("whatever a client sends", () => {
  const names = [
    ...["traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid"],
    ...["x-b3-sampled", "x-b3-flags", "__proto__"],
  ];
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(..."0123456789abcdefABg"), minLength: length, maxLength: length });
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.constantFrom("0", "1", "d", "true", "", "-", "a=b"),
    hex(16),
    hex(32),
    fc.tuple(hex(2), hex(32), hex(16), hex(2)).map((parts) => parts.join("-")),
    fc.tuple(hex(32), hex(16), fc.constantFrom("0", "1", "d", "x")).map((parts) => parts.join("-")),
    fc.nat(100_000).map((length) => "0-".repeat(length)),
  );

  it("gives ids that OTLP takes, or none", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), fc.array(line, { maxLength: 3 }), { maxKeys: 6 }),
        (headers) => {
          const found = readTraceContext(new Map(Object.entries(headers)));
          if (found === undefined) return;
          expect(["yes", "no", "undecided"]).toContain(found.sampled);
          expect(found.traceState.length).toBeLessThanOrEqual(512);
          if (found.traceId === "") {
            expect(found.spanId).toBe("");
            expect(found.sampled).not.toBe("undecided");
          } else {
            expect(found.traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
            expect(found.spanId).toMatch(/^(?!0+$)[0-9a-f]{16}$/);
          }
        },
      ),
    );
  });
});
