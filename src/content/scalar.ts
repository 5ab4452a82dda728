import { ContentError } from "./error.js";
import { advance, lengthEnd, quoted, type Source, varint, wire } from "./wire.js";

/** How a value without parts is read: its wire type, and what gives its JSON text. */
export interface Scalar {
  readonly wireType: number;
  /** Reads the value at the cursor, which it leaves behind it. */
  readonly read: (source: Source, end: number) => string;
  /** The text of the value that a field without presence does not show. */
  readonly zero: string;
}

function scalar(wireType: number, zero: string, read: Scalar["read"]): Scalar {
  return { wireType, zero, read };
}

/** Decimal text of 64 bits. */
function unsigned(low: number, high: number): string {
  return high < 0x20_0000 ? String(high * 0x1_0000_0000 + low) : String((BigInt(high) << 32n) | BigInt(low));
}

function signed(low: number, high: number): string {
  if (high < 0x8000_0000) return unsigned(low, high);
  return String(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)));
}

function zigzag64(low: number, high: number): string {
  const value = (BigInt(high) << 32n) | BigInt(low);
  return String((value >> 1n) ^ -(value & 1n));
}

function fixed64(write: (low: number, high: number) => string): Scalar["read"] {
  return (source, end) => {
    const start = advance(source, 8, end);
    return write(source.bytes.readUInt32LE(start), source.bytes.readUInt32LE(start + 4));
  };
}

function varint64(write: (low: number, high: number) => string): Scalar["read"] {
  return (source, end) => write(varint(source, end), source.high);
}

/** A double, written in a way of its own. */
export function doubles(write: (value: number) => string): Scalar {
  return scalar(wire.fixed64, "0", (source, end) =>
    write(source.bytes.readDoubleLE(advance(source, 8, end))),
  );
}

/** The types of .proto files that are neither messages nor enums. */
export type ScalarName =
  | "bool"
  | "int32"
  | "uint32"
  | "sint32"
  | "int64"
  | "uint64"
  | "sint64"
  | "fixed32"
  | "sfixed32"
  | "fixed64"
  | "sfixed64"
  | "float"
  | "double"
  | "string"
  | "bytes";

/** Numbers, booleans, strings and bytes; 64-bit integers as numbers, floats as encoding/json writes them. */
export const scalars: Readonly<Record<ScalarName, Scalar>> = {
  bool: scalar(wire.varint, "false", (source, end) =>
    varint(source, end) !== 0 || source.high !== 0 ? "true" : "false",
  ),
  int32: scalar(wire.varint, "0", (source, end) => String(varint(source, end) | 0)),
  uint32: scalar(wire.varint, "0", (source, end) => String(varint(source, end))),
  sint32: scalar(wire.varint, "0", (source, end) => {
    const value = varint(source, end);
    return String((value >>> 1) ^ -(value & 1));
  }),
  int64: scalar(wire.varint, "0", varint64(signed)),
  uint64: scalar(wire.varint, "0", varint64(unsigned)),
  sint64: scalar(wire.varint, "0", varint64(zigzag64)),
  fixed32: scalar(wire.fixed32, "0", (source, end) =>
    String(source.bytes.readUInt32LE(advance(source, 4, end))),
  ),
  sfixed32: scalar(wire.fixed32, "0", (source, end) =>
    String(source.bytes.readInt32LE(advance(source, 4, end))),
  ),
  fixed64: scalar(wire.fixed64, "0", fixed64(unsigned)),
  sfixed64: scalar(wire.fixed64, "0", fixed64(signed)),
  float: scalar(wire.fixed32, "0", (source, end) =>
    floatText(singlePrecision(source.bytes.readFloatLE(advance(source, 4, end)))),
  ),
  double: doubles(floatText),
  string: scalar(wire.bytes, '""', (source, end) => {
    const valueEnd = lengthEnd(source, end);
    const text = quoted(source, source.at, valueEnd);
    source.at = valueEnd;
    return text;
  }),
  bytes: scalar(wire.bytes, '""', (source, end) => {
    const valueEnd = lengthEnd(source, end);
    const text = `"${source.bytes.toString("base64", source.at, valueEnd)}"`;
    source.at = valueEnd;
    return text;
  }),
};

/** An enum by its numbers. */
export const enumNumber: Scalar = scalars.int32;

/** An enum by its names; a number without one as number. */
export function enumName(names: ReadonlyMap<number, string>): Scalar {
  const read: Scalar["read"] = (source, end) => {
    const value = varint(source, end) | 0;
    const name = names.get(value);
    return name === undefined ? String(value) : JSON.stringify(name);
  };
  const zero = names.get(0);
  return scalar(wire.varint, zero === undefined ? "0" : JSON.stringify(zero), read);
}

/** google.protobuf.NullValue: JSON's null, and absent when it has no presence and is zero. */
export const enumNull: Scalar = scalar(wire.varint, "null", (source, end) => {
  varint(source, end);
  return "null";
});

/** The same in quotes, as protojson has 64-bit integers and all keys of maps. */
export function inQuotes({ wireType, read, zero }: Scalar): Scalar {
  return scalar(wireType, `"${zero}"`, (source, end) => `"${read(source, end)}"`);
}

/** As protojson has floats: what JSON cannot write is a string. */
export function floatText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
  return Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"';
}

/** The double with the fewest digits that rounds to the same single-precision float. */
function singlePrecision(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** Go's %g with as many digits as needed, which has an exponent from 1e6 on; NaN and infinities as strings. */
export function generalText(value: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return floatText(value);
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** Refuses a tree that is nested too deep. */
export function deepen(depth: number, maxDepth: number): number {
  if (depth >= maxDepth) {
    throw new ContentError("too_deep", `protobuf message is nested deeper than ${maxDepth} levels`);
  }
  return depth + 1;
}
