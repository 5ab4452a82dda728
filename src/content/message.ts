import { Buffer } from "node:buffer";
import { ContentError } from "./error.js";
import { deepen, type Scalar } from "./scalar.js";
import {
  bytesOf,
  fieldTag,
  lengthEnd,
  type Source,
  type Span,
  skipGroup,
  skipValue,
  sourceOf,
  wire,
} from "./wire.js";

/** Gives the JSON text of a message. */
export type WriteMessage = (span: Span, depth: number) => string;

/** What a field holds: one value, or a message. Tables of messages may refer to each other, so those come late. */
export type FieldType = Scalar | { readonly message: () => WriteMessage };

/** A field of a message. */
export interface Field {
  readonly number: number;
  /** The key of its JSON. */
  readonly name: string;
  readonly type: FieldType;
  readonly repeated?: boolean;
  /** Of a map, whose values are of `type`: what gives its keys, always as JSON strings. */
  readonly mapKey?: Scalar;
  /** Shown even when zero: proto2, `optional`, members of a oneof. Messages always are. */
  readonly presence?: boolean;
  /** Which oneof of the message it is in. */
  readonly oneof?: number;
  /** proto2's. */
  readonly required?: boolean;
  /** A message between group tags instead of behind a length. */
  readonly group?: boolean;
  /** Sees what the field ended up with: a string's or bytes' place, a map's keys and values as JSON texts. */
  readonly watch?: (found: Span | ReadonlyMap<string, string>) => void;
}

/** What a field of one message has so far; undefined: not there. */
type Slot = string | Span | Span[] | Map<string, string> | undefined;

interface Step {
  readonly field: Field;
  readonly slot: number;
  readonly key: string;
  /** Adds the value at the source. */
  readonly read: (slots: Slot[], source: Source, end: number, tag: number, depth: number) => void;
}

/**
 * A writer of JSON straight from the wire, for messages with these fields: absent and zero fields are not shown, unknown
 * ones are skipped, singular messages that come several times are merged, as Go's proto package and protojson have it.
 * It throws `bad_message` where Go's proto.Unmarshal fails, and `too_deep`. With `bare` the text is the value of the one
 * field that is there, not an object; where there is none, what `bare` gives.
 */
export function compileMessage(
  fields: readonly Field[],
  maxDepth: number,
  bare?: () => string,
): WriteMessage {
  const steps = new Map<number, Step>();
  const ordered: Step[] = fields.map((field, slot) => stepOf(field, slot, fields));
  for (const step of ordered) {
    for (const type of wireTypesOf(step.field)) steps.set(step.field.number * 8 + type, step);
  }
  /** Tags of one byte, where nearly all are. */
  const short: (Step | undefined)[] = Array.from({ length: 128 }, (_, tag) => steps.get(tag));

  const empty: readonly Slot[] = ordered.map(() => undefined);

  return (span, depth) => {
    const { source, end } = span;
    const inner = deepen(depth, maxDepth);
    const slots = empty.slice();
    source.at = span.start;
    while (source.at < end) {
      const tag = fieldTag(source, end);
      const step = tag < 128 ? short[tag] : steps.get(tag);
      if (step === undefined) skipValue(source, tag, end);
      else step.read(slots, source, end, tag, inner);
    }
    let out = "";
    for (const step of ordered) {
      const text = finished(step, slots[step.slot], inner);
      if (text === undefined) continue;
      if (bare !== undefined) return text;
      out += out === "" ? step.key : `,${step.key}`;
      out += text;
    }
    return bare === undefined ? `{${out}}` : bare();
  };
}

function finished({ field }: Step, slot: Slot, depth: number): string | undefined {
  if (slot === undefined) {
    if (field.required === true)
      throw new ContentError("bad_message", `required field \`${field.name}\` is missing`);
    return undefined;
  }
  if (typeof slot === "string") return field.repeated === true ? `[${slot}]` : slot;
  if (slot instanceof Map) {
    field.watch?.(slot);
    return objectText(slot);
  }
  return "message" in field.type
    ? field.type.message()(Array.isArray(slot) ? merged(slot) : slot, depth)
    : undefined;
}

function objectText(members: ReadonlyMap<string, string>): string {
  let out = "";
  for (const [key, value] of members) {
    out += out === "" ? key : `,${key}`;
    out += `:${value}`;
  }
  return `{${out}}`;
}

/** Messages are merged by reading one behind the other. */
function merged(spans: readonly Span[]): Span {
  const source = sourceOf(Buffer.concat(spans.map(bytesOf)));
  return { source, start: 0, end: source.bytes.length };
}

function wireTypesOf({ type, mapKey, repeated, group }: Field): readonly number[] {
  if (mapKey !== undefined) return [wire.bytes];
  if ("message" in type) return [group === true ? wire.groupStart : wire.bytes];
  // Lists of numbers are read packed or not, whatever was declared.
  return repeated === true && type.wireType !== wire.bytes ? [type.wireType, wire.bytes] : [type.wireType];
}

function stepOf(field: Field, slot: number, all: readonly Field[]): Step {
  const rivals = all.flatMap((other, index) =>
    field.oneof !== undefined && other.oneof === field.oneof && other !== field ? [index] : [],
  );
  const read = field.mapKey === undefined ? reader(field, slot) : mapReader(field, field.mapKey, slot);
  if (rivals.length === 0) return { field, slot, key: `${JSON.stringify(field.name)}:`, read };
  return {
    field,
    slot,
    key: `${JSON.stringify(field.name)}:`,
    read: (slots, source, end, tag, depth) => {
      const { at } = source;
      for (const rival of rivals) {
        const replaced = slots[rival];
        const { type } = all[rival] as Field;
        // What is not shown is still read, since Go refuses the whole when it is malformed.
        if (typeof replaced === "object" && !(replaced instanceof Map) && "message" in type) {
          type.message()(Array.isArray(replaced) ? merged(replaced) : (replaced as Span), depth);
        }
        slots[rival] = undefined;
      }
      source.at = at;
      read(slots, source, end, tag, depth);
    },
  };
}

function reader(field: Field, slot: number): Step["read"] {
  const { type } = field;
  if ("message" in type)
    return field.repeated === true ? listOfMessages(field, type.message, slot) : message(field, slot);
  if (field.repeated === true) return list(type, slot);
  const { read, zero } = type;
  const shown = field.presence === true || field.oneof !== undefined;
  const { watch } = field;
  return (slots, source, end) => {
    const start = source.at;
    const text = read(source, end);
    slots[slot] = shown || text !== zero ? text : undefined;
    // The value of a string or of bytes ends where the cursor is.
    if (watch !== undefined) watch(contentOf(source, start, source.at));
  };
}

function contentOf(source: Source, start: number, end: number): Span {
  source.at = start;
  lengthEnd(source, end);
  const span = { source, start: source.at, end };
  source.at = end;
  return span;
}

function list({ read, wireType }: Scalar, slot: number): Step["read"] {
  return (slots, source, end, tag) => {
    const before = slots[slot];
    let out = typeof before === "string" ? before : "";
    if ((tag & 7) === wireType) {
      const text = read(source, end);
      out = out === "" ? text : `${out},${text}`;
    } else {
      const packedEnd = lengthEnd(source, end);
      while (source.at < packedEnd) {
        const text = read(source, packedEnd);
        out = out === "" ? text : `${out},${text}`;
      }
    }
    if (out !== "") slots[slot] = out;
  };
}

/** Where the message at the cursor is, which is left behind it. */
function spanOf(field: Field, source: Source, end: number, tag: number): Span {
  if (field.group === true) {
    const start = source.at;
    return { source, start, end: skipGroup(source, tag, end) };
  }
  const valueEnd = lengthEnd(source, end);
  const span = { source, start: source.at, end: valueEnd };
  source.at = valueEnd;
  return span;
}

function message(field: Field, slot: number): Step["read"] {
  return (slots, source, end, tag) => {
    const span = spanOf(field, source, end, tag);
    const before = slots[slot];
    if (before === undefined) slots[slot] = span;
    else if (Array.isArray(before)) before.push(span);
    else slots[slot] = [before as Span, span];
  };
}

function listOfMessages(field: Field, write: () => WriteMessage, slot: number): Step["read"] {
  return (slots, source, end, tag, depth) => {
    const span = spanOf(field, source, end, tag);
    const behind = source.at;
    const text = write()(span, depth);
    source.at = behind;
    const before = slots[slot];
    slots[slot] = typeof before === "string" ? `${before},${text}` : text;
  };
}

const emptySpan: Span = { source: sourceOf(Buffer.alloc(0)), start: 0, end: 0 };

function mapReader({ type }: Field, mapKey: Scalar, slot: number): Step["read"] {
  const isMessage = "message" in type;
  const keyTag = 8 + mapKey.wireType;
  const valueTag = 16 + (isMessage ? wire.bytes : type.wireType);
  return (slots, source, end, _tag, depth) => {
    const entryEnd = lengthEnd(source, end);
    let key = mapKey.zero;
    let value = isMessage ? "" : type.zero;
    let spans: Span | Span[] | undefined;
    while (source.at < entryEnd) {
      const tag = fieldTag(source, entryEnd);
      if (tag === keyTag) key = mapKey.read(source, entryEnd);
      else if (tag !== valueTag) skipValue(source, tag, entryEnd);
      else if (!isMessage) value = type.read(source, entryEnd);
      else {
        const valueEnd = lengthEnd(source, entryEnd);
        const span = { source, start: source.at, end: valueEnd };
        source.at = valueEnd;
        if (spans === undefined) spans = span;
        else if (Array.isArray(spans)) spans.push(span);
        else spans = [spans, span];
      }
    }
    if (isMessage) {
      value = type.message()(
        spans === undefined ? emptySpan : Array.isArray(spans) ? merged(spans) : spans,
        depth,
      );
      source.at = entryEnd;
    }
    const before = slots[slot];
    if (before instanceof Map) before.set(key, value);
    else slots[slot] = new Map([[key, value]]);
  };
}
