import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { maxDescriptors, RpcError, readRateLimitRequest } from "../../../src/envoy/rls/index.js";
import type { RateLimitRequest } from "../../../src/ratelimit/index.js";

const folder = join(import.meta.dirname, "..", "..", "..", "proto");

function loadType(name: string): protobuf.Type {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => (target.startsWith("google/") ? target : join(folder, target));
  root.loadSync("envoy/service/ratelimit/v3/rls.proto", { keepCase: true });
  return root.resolveAll().lookupType(name);
}

const type = loadType("envoy.service.ratelimit.v3.RateLimitRequest");
const encode = (message: object): Uint8Array => type.encode(type.fromObject(message)).finish();
const bytesOf = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(" ", ""), "hex");
const hexOf = (text: string): string => Buffer.from(text, "utf8").toString("hex");

/** A field with a length before it. */
const field = (tag: string, inside: string): string =>
  `${tag}${Buffer.of(inside.replaceAll(" ", "").length / 2).toString("hex")}${inside}`;

const malformed = {
  code: 13,
  message: "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data",
};
const notUtf8 = {
  code: 13,
  message: "grpc: error unmarshalling request: string field contains invalid UTF-8",
};

function errorOf(bytes: Uint8Array): unknown {
  try {
    readRateLimitRequest(bytes);
  } catch (error) {
    return error;
  }
  return undefined;
}

/** What protobufjs makes of it, in our terms. */
function decodeAsProtobufjs(bytes: Uint8Array): RateLimitRequest {
  const plain = type.toObject(type.decode(bytes), { longs: String, defaults: true, arrays: true }) as {
    domain: string;
    hits_addend: number;
    descriptors: {
      entries: { key: string; value: string }[];
      limit: { requests_per_unit: number; unit: number } | null;
      hits_addend: { value: string } | null;
      is_negative_hits: boolean;
    }[];
  };
  return {
    domain: plain.domain,
    hitsAddend: plain.hits_addend,
    descriptors: plain.descriptors.map(({ entries, limit, hits_addend, is_negative_hits }) => ({
      entries: entries.map(({ key, value }) => ({ key, value })),
      limit: limit === null ? undefined : { requestsPerUnit: limit.requests_per_unit, unit: limit.unit },
      hitsAddend: hits_addend === null ? undefined : integer(hits_addend.value),
      isNegative: is_negative_hits,
    })),
  };
}

function integer(decimal: string): number | bigint {
  return Number.isSafeInteger(Number(decimal)) ? Number(decimal) : BigInt(decimal);
}

const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("", "k", "\u0000", "\ufeff", "ä".repeat(30), "x".repeat(300)),
);
const uint32 = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 31, 2 ** 32 - 1), fc.nat(2 ** 32 - 1));
const uint64 = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt(0n, 2n ** 64n - 1n),
);
const message = fc.record(
  {
    domain: text,
    hits_addend: uint32,
    descriptors: fc.array(
      fc.record(
        {
          entries: fc.array(fc.record({ key: text, value: text }, { requiredKeys: [] }), { maxLength: 4 }),
          limit: fc.record({ requests_per_unit: uint32, unit: fc.constantFrom(0, 1, 6, 7, 99, -1) }),
          hits_addend: uint64.map((value) => ({ value: String(value) })),
          is_negative_hits: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 4 },
    ),
  },
  { requiredKeys: [] },
);

/** Whether protobufjs takes it; it does not take every varint of five bytes. */
function isTaken(bytes: Uint8Array): boolean {
  try {
    type.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether protobufjs reads it as the specification says: it looks at no wire types, does not merge messages,
 * and reads 32 bits in five or ten bytes only.
 */
function isPlain(bytes: Uint8Array, of: protobuf.Type): boolean {
  const reader = protobuf.Reader.create(bytes);
  const seen = new Set<number>();
  const short = (): number => {
    const start = reader.pos;
    const value = Number(reader.uint64());
    return reader.pos - start > 5 ? Number.NaN : value;
  };
  while (reader.pos < reader.len) {
    const tag = short();
    if (!(tag < 2 ** 32)) return false;
    const known = of.fieldsById[Math.floor(tag / 8)]?.resolve();
    if (known !== undefined && tag % 8 !== wireTypeOf(known)) return false;
    if (tag % 8 === 0) {
      if (known?.type === "uint64" || known === undefined) reader.uint64();
      else if (Number.isNaN(short())) return false;
      continue;
    }
    // No groups: protobufjs does not look whether it is their own end that ends them.
    if (tag % 8 !== 2) return false;
    const length = short();
    if (!(length <= reader.len - reader.pos)) return false;
    const inside = bytes.subarray(reader.pos, reader.pos + length);
    reader.pos += length;
    if (!(known?.resolvedType instanceof protobuf.Type)) continue;
    if (!known.repeated && seen.has(known.id)) return false;
    seen.add(known.id);
    if (!isPlain(inside, known.resolvedType)) return false;
  }
  return true;
}

function wireTypeOf({ type: name, resolvedType }: protobuf.Field): number {
  return name === "string" || resolvedType instanceof protobuf.Type ? 2 : 0;
}

describe("reading a RateLimitRequest", () => {
  it("gives all that the message says", () => {
    const bytes = encode({
      domain: "edge",
      hits_addend: 4_294_967_295,
      descriptors: [
        {
          entries: [{ key: "k", value: "vä€😀" }, { key: "only" }, {}],
          limit: { requests_per_unit: 5, unit: 7 },
          hits_addend: { value: "9007199254740993" },
          is_negative_hits: true,
        },
        {},
      ],
    });
    expect(readRateLimitRequest(bytes)).toEqual({
      domain: "edge",
      hitsAddend: 4_294_967_295,
      descriptors: [
        {
          entries: [
            { key: "k", value: "vä€😀" },
            { key: "only", value: "" },
            { key: "", value: "" },
          ],
          limit: { requestsPerUnit: 5, unit: 7 },
          hitsAddend: 9007199254740993n,
          isNegative: true,
        },
        { entries: [], limit: undefined, hitsAddend: undefined, isNegative: false },
      ],
    });
  });

  it("gives the empty message for no bytes", () => {
    expect(readRateLimitRequest(new Uint8Array())).toEqual({ domain: "", descriptors: [], hitsAddend: 0 });
  });

  it("tells hits that are 0 from hits that are absent", () => {
    const { descriptors } = readRateLimitRequest(bytesOf("1202 1a00 1200"));
    expect(descriptors.map(({ hitsAddend }) => hitsAddend)).toEqual([0, undefined]);
  });

  it("reads a view into other bytes, and no byte beside it", () => {
    const whole = new Uint8Array([0xff, 0x0a, 0x01, 0x61, 0xff]);
    expect(readRateLimitRequest(whole.subarray(1, 4)).domain).toBe("a");
  });

  it("keeps what stands in names that JavaScript has a meaning for", () => {
    const entries = [{ key: "__proto__", value: "constructor" }];
    expect(readRateLimitRequest(encode({ descriptors: [{ entries }] })).descriptors[0]?.entries).toEqual(
      entries,
    );
  });

  it.each([
    ["a long text", "x".repeat(1_000_000)],
    ["a long text of other letters", "ж".repeat(500_000)],
    ["a byte order mark", "\ufeffa"],
    ["a zero", "a\u0000b"],
  ])("reads %s as it is", (_, domain) => {
    expect(readRateLimitRequest(encode({ domain })).domain).toBe(domain);
  });

  it("lets the last one of a scalar win", () => {
    expect(readRateLimitRequest(bytesOf("0a0161 0a0162 1805 1807"))).toMatchObject({
      domain: "b",
      hitsAddend: 7,
    });
  });

  it("merges an override and a wrapper that stand in a descriptor more than once", () => {
    const twice = `${field("12", "0805")}${field("12", "1003")}${field("1a", "0809")}${field("1a", "")}`;
    expect(readRateLimitRequest(bytesOf(field("12", twice))).descriptors).toEqual([
      { entries: [], limit: { requestsPerUnit: 5, unit: 3 }, hitsAddend: 9, isNegative: false },
    ]);
  });

  it("takes the lower 32 bits of what is too long for its field, as all readers do", () => {
    const bytes = bytesOf(`18 ffffffffffffffffff01 ${field("12", field("12", "10 ffffffffffffffffff01"))}`);
    const { hitsAddend, descriptors } = readRateLimitRequest(bytes);
    expect([hitsAddend, descriptors[0]?.limit?.unit]).toEqual([2 ** 32 - 1, -1]);
  });

  it("takes any number but 0 for true", () => {
    const { descriptors } = readRateLimitRequest(bytesOf("1206 208080808010 1203 208000"));
    expect(descriptors.map(({ isNegative }) => isNegative)).toEqual([true, false]);
  });

  it.each([
    ["an unknown varint", "2001"],
    ["unknown fixed bytes", "21 0102030405060708 25 01020304"],
    ["unknown bytes", "2203 616263"],
    ["an unknown group", "23 0805 24"],
    ["groups inside each other", "23 2b 33 34 0a0161 2c 24"],
    ["the largest field number", "f8ffffff0f 01"],
    ["a domain that is a varint", "0805"],
    ["descriptors that are a group", "13 0a0161 14"],
    ["hits that are bytes", "1a0101"],
  ])("goes past %s", (_, hex) => {
    const bytes = bytesOf(`0a0164 ${hex} 1803`);
    expect(readRateLimitRequest(bytes)).toEqual({ domain: "d", descriptors: [], hitsAddend: 3 });
  });

  it.each([
    ["a string that is cut off", "0a2041"],
    ["a tag alone", "0a"],
    ["field 0", "00"],
    ["field 0 inside of a descriptor", "1202 0000"],
    ["a field number that is too large", "8080808010 01"],
    ["a field number beyond 32 bits", "f8ffffffff01 01"],
    ["wire type 6", "0e"],
    ["wire type 7", "0f"],
    ["text", hexOf("hello world")],
    ["a varint without its end", "18 ffffffff"],
    ["a varint of eleven bytes", "18 8080808080808080808000"],
    ["a varint of 65 bits", "18 ffffffffffffffffff02"],
    ["a length beyond 32 bits", "0a 818080808010 61"],
    ["a length that reaches past its message", "1203 0a0561 0a0161"],
    ["the end of a group that has not begun", "24"],
    ["a group without its end", "23 0805"],
    ["a group with the end of another", "23 2c"],
    ["field 0 in a group", "23 0001 24"],
    ["fixed bytes that are cut off", "25 010203"],
  ])("refuses %s", (_, hex) => {
    expect(errorOf(bytesOf(hex))).toMatchObject(malformed);
  });

  it("ends at a depth of groups, and not with the stack", () => {
    const nested = (depth: number): Uint8Array =>
      Buffer.concat([Buffer.alloc(depth, 0x23), Buffer.alloc(depth, 0x24)]);
    expect(errorOf(nested(10_001))).toBeUndefined();
    expect(errorOf(nested(10_002))).toMatchObject(malformed);
    expect(errorOf(nested(1_000_000))).toMatchObject(malformed);
  });

  it.each([
    ["a domain", "0a02 fffe"],
    ["a key", field("12", field("0a", "0a02 c328"))],
    ["a value with half of a surrogate pair", field("12", field("0a", "1203 eda080"))],
    ["an overlong slash", "0a02 c0af"],
    ["a long text", field("0a", `${"61".repeat(60)}ff`)],
    ["a letter that is cut off", "0a02 61c3"],
  ])("refuses %s that is not UTF-8", (_, hex) => {
    expect(errorOf(bytesOf(hex))).toMatchObject(notUtf8);
  });

  it("reads ten thousand descriptors, and refuses more", () => {
    const of = (count: number): Uint8Array => Buffer.alloc(2 * count, "1200", "hex");
    expect(readRateLimitRequest(of(maxDescriptors)).descriptors).toHaveLength(10_000);
    expect(errorOf(of(maxDescriptors + 1))).toMatchObject({
      code: 3,
      message: "rate limit request has more than 10000 descriptors",
    });
  });

  it("refuses a limit of several units, which would be another limit without them", () => {
    const of = (unit_multiplier: object): Uint8Array =>
      encode({ descriptors: [{ limit: { requests_per_unit: 5, unit: 2, unit_multiplier } }] });
    expect(errorOf(of({ value: 10 }))).toMatchObject({
      code: 3,
      message: "unit_multiplier of a limit override is 10, expected 1",
    });
    expect(errorOf(of({}))).toMatchObject({ code: 3 });
    expect(readRateLimitRequest(of({ value: 1 })).descriptors[0]?.limit).toEqual({
      requestsPerUnit: 5,
      unit: 2,
    });
  });
});

describe("reading beside protobufjs", () => {
  it("gives the same for every message", () => {
    fc.assert(
      fc.property(message, (sample) => {
        const bytes = encode(sample);
        expect(readRateLimitRequest(bytes)).toEqual(decodeAsProtobufjs(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it("gives the same for broken messages that both take, and throws nothing but RpcError", () => {
    const change = fc.record({
      at: fc.nat(200),
      remove: fc.nat(3),
      insert: fc.uint8Array({ maxLength: 3 }),
    });
    const outcomes = { compared: 0, refused: 0 };
    fc.assert(
      fc.property(message, fc.array(change, { minLength: 1, maxLength: 4 }), (sample, changes) => {
        let bytes: Uint8Array = encode(sample);
        for (const { at, remove, insert } of changes) {
          const start = at % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)]);
        }
        const error = errorOf(bytes);
        if (error !== undefined) {
          expect(error).toBeInstanceOf(RpcError);
          outcomes.refused++;
          return;
        }
        if (!isTaken(bytes) || !isPlain(bytes, type)) return;
        expect(readRateLimitRequest(bytes)).toEqual(decodeAsProtobufjs(bytes));
        outcomes.compared++;
      }),
      { numRuns: 2_000 },
    );
    expect(outcomes.refused).toBeGreaterThan(100);
    expect(outcomes.compared).toBeGreaterThan(20);
  });

  it("throws nothing but RpcError for bytes of any kind", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const error = errorOf(bytes);
        expect(error === undefined || error instanceof RpcError).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the bytes that envoyproxy/ratelimit was recorded with", () => {
  it.each([
    ["CgL//g==", notUtf8],
    ["CiBB", malformed],
    ["AA==", malformed],
    ["Dw==", malformed],
    ["aGVsbG8gd29ybGQ=", malformed],
  ])("%s is refused in its words", (base64, error) => {
    expect(errorOf(Buffer.from(base64, "base64"))).toMatchObject(error);
  });
});
