import { BuiltinError } from "./builtin.js";

/** What is left to read of a DER text; reading moves `at`. */
export interface Der {
  readonly bytes: Buffer;
  at: number;
}

/** One element: its identifier octet, its contents, and all of it. */
export interface Element {
  readonly tag: number;
  readonly body: Buffer;
  readonly whole: Buffer;
}

/** Identifier octets (ITU-T X.690). */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The identifier octet of a context-specific tag. */
export function context(number: number, constructed = false): number {
  return (constructed ? 0xa0 : 0x80) | number;
}

export function der(bytes: Buffer): Der {
  return { bytes, at: 0 };
}

export function isEmpty(input: Der): boolean {
  return input.at >= input.bytes.length;
}

/** Whether the next element has a tag. */
export function isNext(input: Der, tag: number): boolean {
  return input.bytes[input.at] === tag;
}

/**
 * Reads the next element, with a given tag if one is given. As strict as Go's cryptobyte: one-byte tags, definite
 * lengths in their shortest form. Throws a BuiltinError for anything else.
 */
export function read(input: Der, tag?: number): Element {
  const { bytes, at } = input;
  const found = bytes[at] ?? fail("end of data");
  if ((found & 0x1f) === 0x1f || (tag !== undefined && found !== tag)) fail("unexpected tag");
  const first = bytes[at + 1] ?? fail("end of data");
  const extra = first < 0x80 ? 0 : first & 0x7f;
  if (first >= 0x80 && (extra === 0 || extra > 4)) fail("length");
  if (at + 2 + extra > bytes.length) fail("end of data");
  const length = extra === 0 ? first : bytes.readUIntBE(at + 2, extra);
  if (extra > 0 && (length < 0x80 || length < 2 ** (8 * (extra - 1)))) fail("length");
  const start = at + 2 + extra;
  if (start + length > bytes.length) fail("end of data");
  input.at = start + length;
  return { tag: found, body: bytes.subarray(start, input.at), whole: bytes.subarray(at, input.at) };
}

/** Reads the next element's contents, to be read in turn. */
export function enter(input: Der, tag: number): Der {
  return der(read(input, tag).body);
}

/** As {@link enter}, undefined when the next element has another tag. */
export function enterIf(input: Der, tag: number): Der | undefined {
  return isNext(input, tag) ? enter(input, tag) : undefined;
}

export function readBoolean(input: Der): boolean {
  const { body } = read(input, tags.boolean);
  if (body.length !== 1 || (body[0] !== 0 && body[0] !== 0xff)) fail("boolean");
  return body[0] === 0xff;
}

/** Longer ones are in no certificate; writing them out would take long. */
const maxIntegerBytes = 8_192;

/** Reads an integer in its shortest form, under another tag if one is given. */
export function readInteger(input: Der, tag: number = tags.integer): bigint {
  const { body } = read(input, tag);
  const [first = fail("integer"), second] = body;
  if (body.length > maxIntegerBytes) fail("integer");
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    fail("integer");
  }
  return BigInt.asIntN(body.length * 8, BigInt(`0x${body.toString("hex")}`));
}

/** As {@link readInteger}, of a value that fits in so many bits with a sign. */
export function readSmallInteger(input: Der, tag: number = tags.integer, bits = 53): number {
  const value = readInteger(input, tag);
  if (BigInt.asIntN(bits, value) !== value) fail("integer");
  return Number(value);
}

/** Reads a bit string; gives its bytes and how many bits at their end are none. */
export function readBitString(input: Der): { readonly bytes: Buffer; readonly unused: number } {
  const { body } = read(input, tags.bitString);
  const unused = body[0] ?? fail("bit string");
  const bytes = body.subarray(1);
  const last = bytes.at(-1);
  if (unused > 7 || (last === undefined ? unused > 0 : (last & ((1 << unused) - 1)) !== 0))
    fail("bit string");
  return { bytes, unused };
}

/** A bit string moved so that its unused bits are at the front (Go's BitString.RightAlign). */
export function rightAligned({ bytes, unused }: { readonly bytes: Buffer; readonly unused: number }): Buffer {
  if (unused === 0) return bytes;
  return Buffer.from(bytes.map((byte, i) => (byte >> unused) | ((bytes[i - 1] ?? 0) << (8 - unused))));
}

/** Reads an object identifier, `[2, 5, 4, 3]`. Throws when a component has more than 31 bits. */
export function readOid(input: Der): readonly number[] {
  const components = oidComponents(read(input, tags.oid).body);
  return components.map((part) => (part < 2n ** 31n ? Number(part) : fail("object identifier")));
}

/** The components in the contents of an object identifier, however large they are. */
export function oidComponents(body: Buffer): readonly bigint[] {
  const parts: bigint[] = [];
  let value = 0n;
  let begun = false;
  if (body.length === 0 || body.length > maxOidBytes) fail("object identifier");
  for (const byte of body) {
    if (!begun && byte === 0x80) fail("object identifier");
    value = (value << 7n) | BigInt(byte & 0x7f);
    begun = byte >= 0x80;
    if (begun) continue;
    if (parts.length === 0)
      parts.push(value < 80n ? value / 40n : 2n, value < 80n ? value % 40n : value - 80n);
    else parts.push(value);
    value = 0n;
  }
  if (begun) fail("object identifier");
  return parts;
}

/** Longer ones would cost the square of their length to read. */
const maxOidBytes = 1_000;

function fail(what: string): never {
  throw new BuiltinError(`malformed DER: ${what}`);
}
