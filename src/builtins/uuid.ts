import { stringAt } from "./arguments.js";
import type { Builtin, Builtins } from "./builtin.js";
import { bytesOf } from "./bytes.js";
import { integer } from "./number.js";
import { remembered } from "./rand.js";
import { valueText } from "./text.js";
import { objectOf, type Value } from "./value.js";

const rfc4122: Builtin = (args, evaluation) =>
  remembered(evaluation, `uuid.rfc4122:${valueText(args[0] ?? null)}`, () => {
    const bytes = Buffer.from(evaluation.randomBytes(16));
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  });

/** The 32 digits of a UUID in one of the forms that google/uuid reads; what encloses the form in braces is free. */
function digitsOf(text: string): string | undefined {
  const bytes = bytesOf(text).toString("latin1");
  if (bytes.length === 32) return /^[0-9a-f]{32}$/i.test(bytes) ? bytes : undefined;
  const start = /^urn:uuid:/i.test(bytes) ? 9 : bytes.length === 38 ? 1 : 0;
  const form = bytes.slice(start, start + 36);
  if (![36, 38, 45].includes(bytes.length) || (bytes.length === 45 && start !== 9)) return undefined;
  const groups = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(form);
  return groups?.slice(1).join("");
}

/** 100 ns steps from 1582-10-15, where UUID times begin, to 1970. */
const epochSteps = 122_192_928_000_000_000n;

const domains: readonly string[] = ["Person", "Group", "Org"];
const casts: readonly string[] = ["global:unicast", "global:multicast", "local:unicast", "local:multicast"];

const parse: Builtin = (args) => {
  const digits = digitsOf(stringAt(args, 0));
  if (digits === undefined) return undefined;
  const bytes = Buffer.from(digits, "hex");
  const version = bytes.readUInt8(6) >> 4;
  const entries: [string, Value][] = [
    ["version", version],
    ["variant", variantOf(bytes.readUInt8(8))],
  ];
  if (version === 1 || version === 2) entries.push(...originOf(bytes));
  if (version === 2) {
    const domain = bytes.readUInt8(9);
    entries.push(["id", bytes.readUInt32BE(0)], ["domain", domains[domain] ?? `Domain${domain}`]);
  }
  return objectOf(entries);
};

function variantOf(byte: number): string {
  if ((byte & 0xc0) === 0x80) return "RFC4122";
  if ((byte & 0xe0) === 0xc0) return "Microsoft";
  return (byte & 0xe0) === 0xe0 ? "Future" : "Reserved";
}

/** When and where a UUID of version 1 or 2 was made. */
function originOf(bytes: Buffer): [string, Value][] {
  const steps =
    BigInt(bytes.readUInt32BE(0)) |
    (BigInt(bytes.readUInt16BE(4)) << 32n) |
    (BigInt(bytes.readUInt16BE(6) & 0x0fff) << 48n);
  const node = bytes.subarray(10).toString("hex");
  return [
    ["time", integer(BigInt.asIntN(64, (steps - epochSteps) * 100n))],
    ["nodeid", node.replace(/..(?!$)/g, "$&-")],
    ["macvariables", casts[bytes.readUInt8(10) & 3] ?? ""],
    ["clocksequence", bytes.readUInt16BE(8) & 0x3fff],
  ];
}

/** `uuid.*` of OPA (topdown/uuid.go). Of a text that is no UUID `uuid.parse` gives nothing. */
export const uuidBuiltins: Builtins = { "uuid.rfc4122": rfc4122, "uuid.parse": parse };
