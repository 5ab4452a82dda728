/**
 * Bytes of protobuf in the making. Not protobufjs, whose list of operations takes four times as long for messages as
 * deep as those of OTLP.
 */
export interface Wire {
  bytes: Buffer;
  at: number;
}

/** A value of an attribute. */
export type WireValue = string | number | boolean;

/** Room for a batch of 512; grows. */
const firstBytes = 256 * 1024;

/** Starts a message. */
export function startWire(): Wire {
  return { bytes: Buffer.allocUnsafe(firstBytes), at: 0 };
}

/** What was written. */
export function finishWire({ bytes, at }: Wire): Buffer {
  return bytes.subarray(0, at);
}

function reserve(wire: Wire, count: number): void {
  if (wire.at + count <= wire.bytes.length) return;
  const grown = Buffer.allocUnsafe(Math.max(wire.bytes.length * 2, wire.at + count));
  wire.bytes.copy(grown, 0, 0, wire.at);
  wire.bytes = grown;
}

/** A varint below 2^53; the bytes must be reserved. */
function putVarint(wire: Wire, value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) wire.bytes[wire.at++] = (rest % 128) | 128;
  wire.bytes[wire.at++] = rest;
}

/** Begins a field whose value has a length (strings, bytes, messages); give what it gives to {@link endField}. */
export function beginField(wire: Wire, field: number): number {
  reserve(wire, 8);
  putVarint(wire, (field << 3) | 2);
  wire.at += 1;
  return wire.at;
}

/** Puts the length in front, for which one byte was left, as most values need. */
export function endField(wire: Wire, start: number): void {
  const length = wire.at - start;
  const end = wire.at;
  if (length >= 128) {
    const more = length < 16_384 ? 1 : length < 2_097_152 ? 2 : length < 268_435_456 ? 3 : 4;
    reserve(wire, more);
    wire.bytes.copyWithin(start + more, start, end);
    wire.at = start - 1;
    putVarint(wire, length);
    wire.at = end + more;
  } else wire.bytes[start - 1] = length;
}

/** An unsigned number, or an enum's. */
export function writeNumber(wire: Wire, field: number, value: number): void {
  reserve(wire, 16);
  putVarint(wire, field << 3);
  putVarint(wire, value);
}

const uint32 = 4_294_967_296;

/** `fixed64` of nanoseconds since the epoch; exact, where a number of nanoseconds would not be. */
export function writeNanos(wire: Wire, field: number, milliseconds: number): void {
  const ms = milliseconds > 0 && milliseconds < 1e13 ? milliseconds : 0;
  const whole = Math.floor(ms);
  // (high * 2^16 + low) * 10^6, of which no part needs more than 53 bits.
  const high = Math.floor(whole / 65_536) * 1_000_000;
  const rest = (whole % 65_536) * 1_000_000 + Math.round((ms - whole) * 1_000_000);
  const lower = (high % 65_536) * 65_536 + rest;
  reserve(wire, 16);
  putVarint(wire, (field << 3) | 1);
  wire.at = wire.bytes.writeUInt32LE(lower % uint32, wire.at);
  wire.at = wire.bytes.writeUInt32LE(Math.floor(high / 65_536) + Math.floor(lower / uint32), wire.at);
}

/** `repeated KeyValue`, of common.proto. */
export function writeAttributes(
  wire: Wire,
  field: number,
  attributes: Readonly<Record<string, WireValue>>,
): void {
  for (const key of Object.keys(attributes)) {
    const value = attributes[key];
    if (value === undefined) continue;
    const pair = beginField(wire, field);
    writeText(wire, 1, key);
    writeValue(wire, 2, value);
    endField(wire, pair);
  }
}

/** An AnyValue, of whose members exactly one is written: string 1, bool 2, int 3, double 4. */
export function writeValue(wire: Wire, field: number, value: WireValue): void {
  const any = beginField(wire, field);
  if (typeof value === "string") {
    const text = beginField(wire, 1);
    putText(wire, value);
    endField(wire, text);
  } else if (typeof value === "boolean") writeNumber(wire, 2, value ? 1 : 0);
  else if (Number.isSafeInteger(value)) writeInteger(wire, value);
  else {
    reserve(wire, 16);
    putVarint(wire, (4 << 3) | 1);
    wire.at = wire.bytes.writeDoubleLE(value, wire.at);
  }
  endField(wire, any);
}

/** `int64`: negative ones are ten bytes, of their two's complement. */
function writeInteger(wire: Wire, value: number): void {
  if (value >= 0) {
    writeNumber(wire, 3, value);
    return;
  }
  reserve(wire, 16);
  putVarint(wire, 3 << 3);
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) wire.bytes[wire.at++] = Number(rest & 127n) | 128;
  wire.bytes[wire.at++] = Number(rest);
}

/** A string, unless it is empty, which is the same as none. */
export function writeText(wire: Wire, field: number, text: string): void {
  if (text === "") return;
  const start = beginField(wire, field);
  putText(wire, text);
  endField(wire, start);
}

/** UTF-8; a lone surrogate becomes U+FFFD, as receivers refuse a whole batch for invalid text. */
function putText(wire: Wire, text: string): void {
  const { length } = text;
  reserve(wire, length * 3);
  const { bytes, at } = wire;
  // A call into the runtime costs more than a few characters do.
  if (length < 48) {
    let i = 0;
    for (; i < length; i += 1) {
      const code = text.charCodeAt(i);
      if (code >= 128) break;
      bytes[at + i] = code;
    }
    if (i === length) {
      wire.at = at + length;
      return;
    }
  }
  wire.at = at + bytes.write(text, at, "utf8");
}

/** Bytes of an id in hex; none when it is not of that length, since receivers refuse the whole batch then. */
export function writeId(wire: Wire, field: number, hex: string | undefined, digits: 16 | 32): void {
  if (hex === undefined || hex.length !== digits) return;
  const before = wire.at;
  const start = beginField(wire, field);
  reserve(wire, digits);
  wire.at += wire.bytes.write(hex, wire.at, "hex");
  if (wire.at - start === digits / 2) endField(wire, start);
  else wire.at = before;
}

/** `InstrumentationScope` in field 1 of a scope's message. */
function writeScope(wire: Wire): void {
  const scope = beginField(wire, 1);
  writeText(wire, 1, "gatehouse");
  endField(wire, scope);
}

/** What one resource has to report. */
interface Scoped<Item> {
  readonly resource: Readonly<Record<string, WireValue>>;
  readonly items: readonly Item[];
  readonly write: (wire: Wire, item: Item) => void;
}

/** A ResourceLogs or ResourceSpans, which are alike: the resource, and all items in one scope. */
export function writeScoped<Item>(wire: Wire, { resource, items, write }: Scoped<Item>): void {
  const whole = beginField(wire, 1);
  const attributes = beginField(wire, 1);
  writeAttributes(wire, 1, resource);
  endField(wire, attributes);
  const scope = beginField(wire, 2);
  writeScope(wire);
  for (const item of items) {
    const start = beginField(wire, 2);
    write(wire, item);
    endField(wire, start);
  }
  endField(wire, scope);
  endField(wire, whole);
}

/** About how long attributes are on the wire, in bytes. */
export function sizeOfAttributes(attributes: Readonly<Record<string, unknown>> = {}): number {
  let size = 0;
  for (const key of Object.keys(attributes)) {
    const value = attributes[key];
    size += 16 + key.length + (typeof value === "string" ? value.length : 0);
  }
  return size;
}
