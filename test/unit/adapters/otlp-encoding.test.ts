import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readRejected, readRetryAfter, readRetryDelay } from "../../../src/adapters/otlp-answer.js";
import { encodeLogs } from "../../../src/adapters/otlp-logs.js";
import { encodeSpans } from "../../../src/adapters/otlp-spans.js";
import type { LogLine } from "../../../src/logs/index.js";
import type { Span, SpanValue } from "../../../src/traces/index.js";
import { readLogs, readSpans } from "../../support/otlp-receiver.js";

const hex = (digits: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: digits / 2, maxLength: digits / 2 })
    .map((bytes) => Buffer.from(bytes).toString("hex"));
const text = fc.string({ unit: "grapheme", maxLength: 60 });
const values: fc.Arbitrary<SpanValue> = fc.oneof(
  text,
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
);
const names = fc.oneof(text, fc.constantFrom("__proto__", "constructor", ""));
const attributes = fc
  .array(fc.tuple(names, values), { maxLength: 8 })
  .map((entries) => Object.fromEntries(entries) as Record<string, SpanValue>);
/** Whole milliseconds, and microseconds of them. */
const times = fc.tuple(fc.integer({ min: 1, max: 4_000_000_000_000 }), fc.integer({ min: 0, max: 7 }));
const nanos = ([ms, eighths]: readonly [number, number]): string =>
  (BigInt(ms) * 1_000_000n + BigInt(eighths) * 125_000n).toString();

describe("log records of OTLP", () => {
  it("are decoded by another decoder to what the lines say", () => {
    const line = fc.record({
      time: times,
      text,
      fields: fc.option(attributes, { nil: undefined }),
      traceId: fc.option(hex(32), { nil: undefined }),
      spanId: fc.option(hex(16), { nil: undefined }),
      severity: fc.constantFrom("info" as const, "warn" as const, "error" as const),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (made) => {
        const lines: LogLine[] = made.map((one) => ({
          ...one,
          sink: "x",
          time: one.time[0] + one.time[1] / 8,
        }));
        const got = readLogs(encodeLogs(lines));
        expect(got).toEqual(
          made.map((one) => ({
            resource: new Map([["service.name", "gatehouse"]]),
            body: one.text,
            severity: { info: 9, warn: 13, error: 17 }[one.severity],
            severityText: one.severity.toUpperCase(),
            time: nanos(one.time),
            traceId: one.traceId ?? "",
            spanId: one.spanId ?? "",
            attributes: new Map(Object.entries(one.fields ?? {})),
          })),
        );
      }),
    );
  });

  it("hold no invalid text and no id of a wrong length", () => {
    const bad = { sink: "x", time: Number.NaN, severity: "info" as const, text: "a\uD800b" };
    const got = readLogs(
      encodeLogs([{ ...bad, traceId: "12", spanId: "zzzzzzzzzzzzzzzz", fields: { a: "\uDC00" } }]),
    );
    expect(got[0]).toMatchObject({ body: "a\uFFFDb", traceId: "", spanId: "", time: "0" });
    expect(got[0]?.attributes.get("a")).toBe("\uFFFD");
  });
});

describe("spans of OTLP", () => {
  it("are decoded by another decoder to what they say, together with those of the same resource", () => {
    const resources: readonly Record<string, SpanValue>[] = [
      { "service.name": "a" },
      { "service.name": "b", n: 1 },
    ];
    const span = fc.record({
      resource: fc.constantFrom(0, 1),
      traceId: hex(32),
      spanId: hex(16),
      parentSpanId: fc.oneof(fc.constant(""), hex(16)),
      traceState: text,
      name: text,
      kind: fc.constantFrom("server" as const, "client" as const, "internal" as const),
      start: times,
      end: times,
      status: fc.constantFrom("unset" as const, "ok" as const, "error" as const),
      statusMessage: text,
      attributes,
    });
    fc.assert(
      fc.property(fc.array(span, { maxLength: 6 }), fc.boolean(), (made, isCloned) => {
        const spans: Span[] = made.map(({ start, end, resource, ...rest }) => ({
          ...rest,
          provider: "x",
          startMs: start[0] + start[1] / 8,
          endMs: end[0] + end[1] / 8,
          resource: isCloned ? { ...resources[resource] } : (resources[resource] ?? {}),
        }));
        const got = readSpans(encodeSpans(spans));
        const expected = made.map(({ start, end, resource, kind, status, ...rest }) => ({
          ...rest,
          kind: { internal: 1, server: 2, client: 3 }[kind],
          status: { unset: 0, ok: 1, error: 2 }[status],
          start: nanos(start),
          end: nanos(end),
          resource: new Map(Object.entries(resources[resource] ?? {})),
          attributes: new Map(Object.entries(rest.attributes)),
        }));
        const first = made[0]?.resource;
        const order = made.map(({ resource }, i) => ({ i, last: resource !== first }));
        const sorted = [...order].sort((a, b) => Number(a.last) - Number(b.last) || a.i - b.i);
        expect(got).toEqual(sorted.map(({ i }) => expected[i]));
      }),
    );
  });
});

describe("answers of OTLP receivers", () => {
  it("that are garbage reject nothing and name no delay", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(readRejected(bytes)).toBeGreaterThanOrEqual(0);
        expect(readRetryDelay(bytes) ?? 0).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("name a time to wait in seconds or as a date, and nothing else", () => {
    const now = Date.parse("2025-01-01T00:00:00Z");
    expect(readRetryAfter("3", now)).toBe(3000);
    expect(readRetryAfter("Wed, 01 Jan 2025 00:00:07 GMT", now)).toBe(7000);
    expect(readRetryAfter("Tue, 31 Dec 2024 00:00:00 GMT", now)).toBe(0);
    expect(readRetryAfter("soon", now)).toBeUndefined();
    expect(readRetryAfter(undefined, now)).toBeUndefined();
  });
});
