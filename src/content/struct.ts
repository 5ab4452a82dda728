import { compileMessage, type Field, type WriteMessage } from "./message.js";
import { enumNull, type Scalar, scalars } from "./scalar.js";

/** Where ways of writing google.protobuf.Value differ. */
export interface ValueStyle {
  readonly number: Scalar;
  /** A value of no kind. */
  readonly missing: () => string;
}

/** Writers of google.protobuf.Struct, Value and ListValue as the JSON that they stand for. */
export interface StructWriters {
  readonly struct: WriteMessage;
  readonly value: WriteMessage;
  readonly list: WriteMessage;
}

/** Nested values count two levels each, the message and its value. */
export function compileStruct(style: ValueStyle, maxDepth: number): StructWriters {
  const nested = { message: () => value };
  const kind = (number: number, type: Field["type"]): Field => ({ number, name: "kind", type, oneof: 0 });
  const value: WriteMessage = compileMessage(
    [
      kind(1, enumNull),
      kind(2, style.number),
      kind(3, scalars.string),
      kind(4, scalars.bool),
      kind(5, { message: () => struct }),
      kind(6, { message: () => list }),
    ],
    maxDepth,
    style.missing,
  );
  const struct = compileMessage(
    [{ number: 1, name: "fields", type: nested, mapKey: scalars.string }],
    maxDepth,
    () => "{}",
  );
  const list = compileMessage(
    [{ number: 1, name: "values", type: nested, repeated: true }],
    maxDepth,
    () => "[]",
  );
  return { struct, value, list };
}
