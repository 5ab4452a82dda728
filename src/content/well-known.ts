import { Buffer } from "node:buffer";
import { ContentError } from "./error.js";
import { compileMessage, type Field, type WriteMessage } from "./message.js";
import { doubles, floatText, inQuotes, type Scalar, scalars } from "./scalar.js";
import { compileStruct } from "./struct.js";
import { sourceOf } from "./wire.js";

/** A message that an Any holds: how to write it, and whether its JSON is an object with its fields. */
export interface Resolved {
  readonly write: WriteMessage;
  readonly isPlain: boolean;
}

/**
 * Writers of google.protobuf's types that have a JSON of their own, by full name, as protojson writes them. `resolve`
 * finds the message of an Any by full name.
 */
export function compileWellKnown(
  resolve: (name: string) => Resolved | undefined,
  maxDepth: number,
): ReadonlyMap<string, WriteMessage> {
  const fields = (...list: Field[]): WriteMessage => compileMessage(list, maxDepth);
  const wrapper = (type: Scalar): WriteMessage =>
    compileMessage([{ number: 1, name: "value", type }], maxDepth, () => type.zero);
  const seconds = fields(
    { number: 1, name: "seconds", type: scalars.int64 },
    { number: 2, name: "nanos", type: scalars.int32 },
  );
  const time =
    (text: (seconds: number, nanos: number) => string): WriteMessage =>
    (span, depth) => {
      const parts = JSON.parse(seconds(span, depth)) as { seconds?: number; nanos?: number };
      return `"${text(parts.seconds ?? 0, parts.nanos ?? 0)}"`;
    };
  const paths = fields({ number: 1, name: "paths", type: scalars.string, repeated: true });
  const struct = compileStruct(
    {
      number: doubles(finite),
      missing: () => refuse("google.protobuf.Value has no kind"),
    },
    maxDepth,
  );
  return new Map<string, WriteMessage>([
    ["google.protobuf.Any", compileAny(resolve, maxDepth)],
    ["google.protobuf.Timestamp", time(timestampText)],
    ["google.protobuf.Duration", time(durationText)],
    ["google.protobuf.BoolValue", wrapper(scalars.bool)],
    ["google.protobuf.Int32Value", wrapper(scalars.int32)],
    ["google.protobuf.UInt32Value", wrapper(scalars.uint32)],
    ["google.protobuf.Int64Value", wrapper(inQuotes(scalars.int64))],
    ["google.protobuf.UInt64Value", wrapper(inQuotes(scalars.uint64))],
    ["google.protobuf.FloatValue", wrapper(scalars.float)],
    ["google.protobuf.DoubleValue", wrapper(scalars.double)],
    ["google.protobuf.StringValue", wrapper(scalars.string)],
    ["google.protobuf.BytesValue", wrapper(scalars.bytes)],
    ["google.protobuf.Struct", struct.struct],
    ["google.protobuf.Value", struct.value],
    ["google.protobuf.ListValue", struct.list],
    ["google.protobuf.FieldMask", (span, depth) => fieldMaskText(paths(span, depth))],
    ["google.protobuf.Empty", fields()],
  ]);
}

function refuse(message: string): never {
  throw new ContentError("bad_message", message);
}

function finite(value: number): string {
  return Number.isFinite(value) ? floatText(value) : refuse("google.protobuf.Value is no json number");
}

/** Digits behind the point: none, 3, 6 or 9. */
function fraction(nanos: number): string {
  if (nanos === 0) return "";
  return `.${String(nanos)
    .padStart(9, "0")
    .replace(/(?:000){1,2}$/, "")}`;
}

/** RFC 3339, years 1 to 9999. */
function timestampText(seconds: number, nanos: number): string {
  if (seconds < -62_135_596_800 || seconds > 253_402_300_799)
    refuse("google.protobuf.Timestamp is out of range");
  if (nanos < 0 || nanos > 999_999_999) refuse("google.protobuf.Timestamp has nanos out of range");
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}${fraction(nanos)}Z`;
}

function durationText(seconds: number, nanos: number): string {
  if (Math.abs(seconds) > 315_576_000_000 || Math.abs(nanos) > 999_999_999 || seconds * nanos < 0) {
    refuse("google.protobuf.Duration is out of range");
  }
  const sign = seconds < 0 || nanos < 0 ? "-" : "";
  return `${sign}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;
}

function fieldMaskText(json: string): string {
  const { paths = [] } = JSON.parse(json) as { paths?: readonly string[] };
  const camel = paths.map((path) => {
    if (!/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/.test(path))
      refuse("google.protobuf.FieldMask has an invalid path");
    const name = path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const back = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return back === path ? name : refuse("google.protobuf.FieldMask has a path that json cannot write");
  });
  return JSON.stringify(camel.join(","));
}

function compileAny(resolve: (name: string) => Resolved | undefined, maxDepth: number): WriteMessage {
  const any = compileMessage(
    [
      { number: 1, name: "typeUrl", type: scalars.string },
      { number: 2, name: "value", type: scalars.bytes },
    ],
    maxDepth,
  );
  return (span, depth) => {
    const { typeUrl, value = "" } = JSON.parse(any(span, depth)) as { typeUrl?: string; value?: string };
    if (typeUrl === undefined) return value === "" ? "{}" : refuse("google.protobuf.Any has no type");
    const resolved = resolve(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
    if (resolved === undefined) return refuse("google.protobuf.Any is of a type that is not known");
    const source = sourceOf(Buffer.from(value, "base64"));
    const text = resolved.write({ source, start: 0, end: source.bytes.length }, depth + 1);
    const type = `{"@type":${JSON.stringify(typeUrl)}`;
    if (!resolved.isPlain) return `${type},"value":${text}}`;
    return text === "{}" ? `${type}}` : `${type},${text.slice(1)}`;
  };
}
