import { Buffer } from "node:buffer";
import type { JsonObject } from "../../attributes/index.js";
import type { HeaderEdits } from "../../body/index.js";
import type { Direction, HeaderMutation, Part } from "./message.js";
import { isBuffered, isStreaming } from "./modes.js";
import { join, withLength } from "./mutations.js";
import { cannotSend, emit, type Session, tooLarge } from "./session-state.js";
import { effectiveMode, nothing, type Side, takeReleased } from "./side.js";

type BodyPart = Extract<Part, { kind: "body" }>;
type TrailersPart = Extract<Part, { kind: "trailers" }>;

/** What an answer says of the body's end. */
interface End {
  /** The flow gave all. */
  readonly isLast: boolean;
  /** No trailers follow. */
  readonly endOfStream: boolean;
  readonly metadata: JsonObject | undefined;
}

/** Larger pieces of a streamed body are cut, as Envoy's documentation asks for. */
const maxPiece = 64 * 1024;

/** Lets a piece of body through that nobody looks at. */
export function passBody(session: Session, side: Side, part: BodyPart): void {
  const { direction, body, endOfStream, withoutMessage, compressed } = part;
  const mode = effectiveMode(side);
  if (mode === "GRPC") {
    const change = { kind: "streamed", bytes: body, endOfStream, withoutMessage, compressed } as const;
    emit(session, { kind: "body", direction, change });
  } else if (mode === "FULL_DUPLEX_STREAMED") emitPieces(session, direction, [body], { endOfStream });
  else emit(session, { kind: "body", direction, change: undefined });
}

/** Answers a piece of body with what the flow released. `edits` are heeded in answers to whole bodies only. */
export function answerBody(
  session: Session,
  side: Side,
  { body }: BodyPart,
  end: { readonly edits: HeaderEdits; readonly isLast: boolean },
): void {
  const { direction } = side;
  const { edits, isLast } = end;
  const mode = effectiveMode(side);
  const metadata = isLast ? session.options.verdicts.metadata(direction) : undefined;
  if (isStreaming(mode)) {
    answerPieces(session, side, edits, { isLast, endOfStream: isLast, metadata });
    return;
  }
  const bytes = takeReleased(side);
  const isSame = bytes.length === body.length && Buffer.compare(bytes, body) === 0;
  let mutation: HeaderMutation | undefined;
  if (isBuffered(mode)) {
    const isOther = mode === "BUFFERED" && side.hasContentLength && bytes.length !== body.length;
    const length = isOther ? bytes.length : undefined;
    mutation = withLength(join(side.edits, edits), length);
  }
  const changed = bytes.length === 0 ? ({ kind: "clear" } as const) : ({ kind: "body", bytes } as const);
  emit(session, { kind: "body", direction, mutation, change: isSame ? undefined : changed, metadata });
}

/** Answers trailers that ended a body: what of it is still there goes before them, where that can be. */
export function answerTrailers(
  session: Session,
  side: Side,
  { trailers }: TrailersPart,
  { edits, untrue }: { readonly edits: HeaderEdits; readonly untrue: readonly string[] },
): void {
  const { direction } = side;
  const metadata = session.options.verdicts.metadata(direction);
  const mode = effectiveMode(side);
  if (isStreaming(mode)) {
    if (!answerPieces(session, side, edits, { isLast: true, endOfStream: false, metadata: undefined }))
      return;
  } else {
    const isLost = isBuffered(mode) && withLength(edits, undefined) !== undefined;
    if (side.releasedBytes > 0 || isLost) {
      cannotSend(session, side);
      return;
    }
  }
  const remove = untrue.filter((name) => trailers.has(name));
  const mutation = remove.length === 0 ? undefined : { remove, set: [] };
  emit(session, { kind: "trailers", direction, mutation, metadata });
}

/** False: nothing may follow. */
function answerPieces(session: Session, side: Side, edits: HeaderEdits, end: End): boolean {
  const { held, direction } = side;
  if (held !== undefined && side.holdsAll && !end.isLast) {
    if (side.releasedBytes <= session.options.maxHeldBytes) return true;
    tooLarge(session, side);
    return false;
  }
  if (held !== undefined)
    emit(session, side.holdsAll ? { ...held, mutation: join(held.mutation, edits) } : held);
  side.held = undefined;
  const pieces = side.released;
  side.released = [];
  side.releasedBytes = 0;
  emitPieces(session, direction, pieces, end);
  return true;
}

/** Pieces of at most 64 KiB; the last one says that it is. */
function emitPieces(
  session: Session,
  direction: Direction,
  chunks: readonly Uint8Array[],
  end: Pick<End, "endOfStream"> & Partial<End>,
): void {
  const pieces: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (chunk.length <= maxPiece) {
      if (chunk.length > 0) pieces.push(chunk);
      continue;
    }
    for (let at = 0; at < chunk.length; at += maxPiece) pieces.push(chunk.subarray(at, at + maxPiece));
  }
  if (pieces.length === 0 && end.endOfStream) pieces.push(nothing);
  for (const [index, bytes] of pieces.entries()) {
    const isLast = index === pieces.length - 1;
    const change = { kind: "streamed", bytes, endOfStream: end.endOfStream && isLast } as const;
    emit(session, { kind: "body", direction, change, metadata: isLast ? end.metadata : undefined });
  }
}
