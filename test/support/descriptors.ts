import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";

/** The serialized API description of one .proto file, as a program carries it. */
export type FileDescriptor = descriptor.IFileDescriptorProto;

const SUFFIX = Buffer.from(".proto");
const NAME_TAG = 0x0a;
/**
 * A program may hold more than one copy of a file, in clusters of their own that lie further apart than this.
 */
const CLUSTER_GAP = 64 << 10;
/** Field numbers of FileDescriptorProto that occur once; the other known ones repeat. */
const SINGULAR = new Set([1, 2, 8, 9, 12, 14]);
/** Wire type by field number. */
const WIRE_TYPE = new Map([
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15].map((field) => [field, 2] as const),
  ...[10, 11, 14].map((field) => [field, 0] as const),
]);

interface Found {
  readonly offset: number;
  readonly file: FileDescriptor;
}

/**
 * Reads the descriptors that a C++ program embeds for its own reflection, by file name. Of several clusters
 * it takes the one with the most files: gRPC's libraries carry older copies of some Envoy files beside
 * Envoy's own.
 */
export function embeddedDescriptors(program: Buffer): Map<string, FileDescriptor> {
  let best: Found[] = [];
  let cluster: Found[] = [];
  for (const found of scan(program)) {
    const last = cluster.at(-1);
    if (last && found.offset - last.offset > CLUSTER_GAP) cluster = [];
    cluster.push(found);
    if (cluster.length > best.length) best = cluster;
  }
  return new Map(best.map(({ file }) => [file.name ?? "", file]));
}

function* scan(program: Buffer): Generator<Found> {
  let from = 0;
  for (;;) {
    const hit = program.indexOf(SUFFIX, from);
    if (hit === -1) return;
    from = hit + SUFFIX.length;
    const offset = startOf(program, from);
    if (offset === undefined) continue;
    const end = endOf(program, offset);
    try {
      const file = descriptor.FileDescriptorProto.decode(program.subarray(offset, end)) as FileDescriptor;
      yield { offset, file };
      from = Math.max(from, end);
    } catch {
      // Bytes that only look like a descriptor.
    }
  }
}

/**
 * Where the field `name` starts whose text ends at `end`: its tag, its length, and only characters of a path.
 */
function startOf(program: Buffer, end: number): number | undefined {
  for (let start = end - SUFFIX.length; start > 2 && end - start < 1024; start--) {
    const length = end - start;
    const oneByte = length < 128 && program[start - 1] === length && program[start - 2] === NAME_TAG;
    if (oneByte) return start - 2;
    const twoBytes =
      length >= 128 &&
      program[start - 1] === length >> 7 &&
      program[start - 2] === ((length & 127) | 128) &&
      program[start - 3] === NAME_TAG;
    if (twoBytes) return start - 3;
    if (!/[\w./-]/.test(String.fromCharCode(program[start - 1] ?? 0))) return undefined;
  }
  return undefined;
}

/** Nothing says how long a descriptor is: it ends where no field of it can follow. */
function endOf(program: Buffer, offset: number): number {
  const seen = new Set<number>();
  let at = offset;
  for (;;) {
    const reader = new protobuf.BufferReader(program.subarray(at, at + (1 << 20)));
    try {
      const tag = reader.uint32();
      const field = tag >>> 3;
      if (WIRE_TYPE.get(field) !== (tag & 7)) return at;
      if (SINGULAR.has(field) && seen.has(field)) return at;
      seen.add(field);
      reader.skipType(tag & 7);
    } catch {
      return at;
    }
    at += reader.pos;
  }
}
