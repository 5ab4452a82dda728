import { WasmError } from "./error.js";
import { byte, count, type Reader, skip, skipNumber, unsigned } from "./reader.js";

/** Opcodes that the pass looks at or writes. */
export const op = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  drop: 0x1a,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Load: 0x28,
  i32Load8u: 0x2d,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32LtS: 0x48,
  i32GeU: 0x4f,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32And: 0x71,
  i32Or: 0x72,
} as const;

/** The type of a block without a result. */
export const noResult = 0x40;

/** The type i32. */
export const i32 = 0x7f;

/** Where a branch names its target: how many blocks out. */
export interface Label {
  readonly at: number;
  readonly end: number;
  readonly depth: number;
}

/**
 * Reads one instruction: moves the reader behind it, and gives the index that it calls (for `call`), else -1. The
 * labels of a branch are added to `labels`. Throws a WasmError for whatever it does not know: MVP, sign extension and
 * saturating conversions it does.
 */
export function instruction(reader: Reader, labels: Label[]): number {
  const code = byte(reader);
  if (code >= 0x45 && code <= 0xc4) return -1;
  if (code >= 0x28 && code <= 0x3e) {
    if (unsigned(reader) >= 0x40) throw unknown(code);
    skipNumber(reader, 5);
    return -1;
  }
  switch (code) {
    case op.localGet:
    case op.localSet:
    case op.localTee:
    case op.globalGet:
    case op.globalSet:
      skipNumber(reader, 5);
      return -1;
    case op.br:
    case op.brIf:
      labels.push(label(reader));
      return -1;
    case op.i32Const:
    case op.block:
    case op.loop:
    case op.if:
      skipNumber(reader, 5);
      return -1;
    case op.call:
      return unsigned(reader);
    case 0x00:
    case 0x01:
    case op.else:
    case op.end:
    case op.return:
    case op.drop:
    case 0x1b:
      return -1;
    case op.brTable: {
      const targets = count(reader);
      for (let i = 0; i <= targets; i++) labels.push(label(reader));
      return -1;
    }
    case op.callIndirect:
      skipNumber(reader, 5);
      if (byte(reader) !== 0) throw unknown(code);
      return -1;
    case 0x3f:
    case op.memoryGrow:
      if (byte(reader) !== 0) throw unknown(code);
      return -1;
    case 0x42:
      skipNumber(reader, 10);
      return -1;
    case 0x43:
      skip(reader, 4);
      return -1;
    case 0x44:
      skip(reader, 8);
      return -1;
    case 0xfc:
      if (unsigned(reader) > 7) throw unknown(code);
      return -1;
    default:
      throw unknown(code);
  }
}

function label(reader: Reader): Label {
  const at = reader.at;
  const depth = unsigned(reader);
  return { at, depth, end: reader.at };
}

function unknown(code: number): WasmError {
  return new WasmError("unsupported", `instruction 0x${code.toString(16)} of the module is not known`);
}
