import type { JsonObject, JsonValue } from "../../attributes/index.js";
import {
  type Answer,
  bodyModes,
  type Direction,
  type HeaderMutation,
  type HeaderPut,
  type ModeOverride,
} from "./message.js";
import {
  createReverseWriter,
  mark,
  type ReverseWriter,
  startWriting,
  wrap,
  writeBytes,
  writeDouble,
  writeLatin1,
  writeNumber,
  writeText,
  written,
} from "./reverse-writer.js";

/** Of `HeaderValueOption.HeaderAppendAction`, which Envoy 1.40 takes no heed of here (measured): see `writePut`. */
const actions: Readonly<Record<HeaderPut["action"], number>> = {
  APPEND_IF_EXISTS_OR_ADD: 0,
  ADD_IF_ABSENT: 1,
  OVERWRITE_IF_EXISTS_OR_ADD: 2,
  OVERWRITE_IF_EXISTS: 3,
};

/** Tags of `ProcessingResponse.response`. */
const kinds = { headers: [0x0a, 0x12], body: [0x1a, 0x22], trailers: [0x2a, 0x32] } as const;

type Kind = keyof typeof kinds;

/** Answers that say nothing but that it goes on, which most are. */
const bare: Readonly<Record<Kind, readonly [request: Uint8Array, response: Uint8Array]>> = {
  headers: [Uint8Array.of(0x0a, 0), Uint8Array.of(0x12, 0)],
  body: [Uint8Array.of(0x1a, 0), Uint8Array.of(0x22, 0)],
  trailers: [Uint8Array.of(0x2a, 0), Uint8Array.of(0x32, 0)],
};

/**
 * Makes what writes ProcessingResponses. Texts are put as they are: names of headers are ASCII, `details` and texts in
 * metadata well-formed or made so. The bytes of a bare answer are the same each time and not to be written to.
 */
export function createAnswerWriter(): (answer: Answer) => Uint8Array {
  const writer = createReverseWriter();
  return (answer) => {
    if (isBare(answer)) return bare[answer.kind][sideOf(answer.direction)];
    startWriting(writer);
    if (answer.modeOverride !== undefined) writeOverride(writer, answer.modeOverride);
    if (answer.metadata !== undefined) {
      const since = mark(writer);
      writeStruct(writer, answer.metadata);
      wrap(writer, 0x42, since);
    }
    writeAnswer(writer, answer);
    return written(writer);
  };
}

function isBare(answer: Answer): answer is Exclude<Answer, { kind: "immediate" }> {
  if (answer.kind === "immediate") return false;
  if (answer.metadata !== undefined || answer.modeOverride !== undefined) return false;
  if (answer.mutation !== undefined && !isEmpty(answer.mutation)) return false;
  if (answer.kind === "headers") return answer.replaceBody === undefined && answer.clearRouteCache !== true;
  return answer.kind === "trailers" || answer.change === undefined;
}

function sideOf(direction: Direction): 0 | 1 {
  return direction === "request" ? 0 : 1;
}

function isEmpty({ remove, set }: HeaderMutation): boolean {
  return remove.length === 0 && set.length === 0;
}

/** What stands last is written first, here and below. */
function writeAnswer(writer: ReverseWriter, answer: Answer): void {
  const outer = mark(writer);
  if (answer.kind === "immediate") {
    writeImmediate(writer, answer);
    wrap(writer, 0x3a, outer);
    return;
  }
  const tag = kinds[answer.kind][sideOf(answer.direction)];
  if (answer.kind === "trailers") {
    writeMutation(writer, 0x0a, answer.mutation);
    wrap(writer, tag, outer);
    return;
  }
  const common = mark(writer);
  if (answer.kind === "headers") {
    if (answer.clearRouteCache === true) writeNumber(writer, 0x28, 1);
    if (answer.replaceBody !== undefined) {
      const since = mark(writer);
      writeBytes(writer, 0x0a, answer.replaceBody);
      wrap(writer, 0x1a, since);
    }
    writeMutation(writer, 0x12, answer.mutation);
    if (answer.replaceBody !== undefined) writeNumber(writer, 0x08, 1);
  } else {
    if (answer.change !== undefined) writeChange(writer, answer.change);
    writeMutation(writer, 0x12, answer.mutation);
  }
  if (mark(writer) > common) wrap(writer, 0x0a, common);
  wrap(writer, tag, outer);
}

type Change = NonNullable<Extract<Answer, { kind: "body" }>["change"]>;

function writeChange(writer: ReverseWriter, change: Change): void {
  const outer = mark(writer);
  if (change.kind === "body") writeBytes(writer, 0x0a, change.bytes);
  else if (change.kind === "clear") writeNumber(writer, 0x10, 1);
  else {
    const since = mark(writer);
    if (change.compressed === true) writeNumber(writer, 0x20, 1);
    if (change.withoutMessage === true) writeNumber(writer, 0x18, 1);
    if (change.endOfStream) writeNumber(writer, 0x10, 1);
    if (change.bytes.length > 0) writeBytes(writer, 0x0a, change.bytes);
    wrap(writer, 0x1a, since);
  }
  wrap(writer, 0x1a, outer);
}

function writeImmediate(writer: ReverseWriter, answer: Extract<Answer, { kind: "immediate" }>): void {
  const { httpStatus, headers, body, grpcStatus, details } = answer;
  if (details !== "") writeText(writer, 0x2a, details);
  if (grpcStatus !== undefined) {
    const since = mark(writer);
    if (grpcStatus !== 0) writeNumber(writer, 0x08, grpcStatus);
    wrap(writer, 0x22, since);
  }
  if (body.length > 0) writeBytes(writer, 0x1a, body);
  writeMutation(writer, 0x12, { remove: [], set: headers });
  const since = mark(writer);
  writeNumber(writer, 0x08, httpStatus);
  wrap(writer, 0x0a, since);
}

function writeMutation(writer: ReverseWriter, tag: number, mutation: HeaderMutation | undefined): void {
  if (mutation === undefined || isEmpty(mutation)) return;
  const { remove, set } = mutation;
  const outer = mark(writer);
  for (let index = remove.length - 1; index >= 0; index--) {
    writeLatin1(writer, 0x12, remove[index] as string);
  }
  for (let index = set.length - 1; index >= 0; index--) writePut(writer, set[index] as HeaderPut);
  wrap(writer, tag, outer);
}

/**
 * `raw_value`, since bytes need not be UTF-8. An empty value would otherwise remove the header. Only the deprecated `append`
 * makes Envoy append: without it the last of two cookies is the only one.
 */
function writePut(writer: ReverseWriter, { name, value, action }: HeaderPut): void {
  const option = mark(writer);
  if (value === "") writeNumber(writer, 0x20, 1);
  if (actions[action] !== 0) writeNumber(writer, 0x18, actions[action]);
  else {
    const append = mark(writer);
    writeNumber(writer, 0x08, 1);
    wrap(writer, 0x12, append);
  }
  const header = mark(writer);
  if (value !== "") writeLatin1(writer, 0x1a, value);
  writeLatin1(writer, 0x0a, name);
  wrap(writer, 0x0a, header);
  wrap(writer, 0x0a, option);
}

/** `request_header_mode` is not heeded in an override. */
function writeOverride(writer: ReverseWriter, mode: ModeOverride): void {
  const since = mark(writer);
  if (mode.responseTrailers === "SEND") writeNumber(writer, 0x30, 1);
  if (mode.requestTrailers === "SEND") writeNumber(writer, 0x28, 1);
  if (mode.responseBodyMode !== "NONE") writeNumber(writer, 0x20, bodyModes.indexOf(mode.responseBodyMode));
  if (mode.requestBodyMode !== "NONE") writeNumber(writer, 0x18, bodyModes.indexOf(mode.requestBodyMode));
  writeNumber(writer, 0x10, mode.responseHeaders === "SEND" ? 1 : 2);
  wrap(writer, 0x4a, since);
}

/** Objects and lists inside each other; what is deeper becomes null, as Envoy would refuse the whole message. */
const maxDepth = 32;

function writeStruct(writer: ReverseWriter, object: JsonObject, depth = 0): void {
  const names = Object.keys(object);
  for (let index = names.length - 1; index >= 0; index--) {
    const name = names[index] as string;
    const member = object[name];
    if (member === undefined) continue;
    const entry = mark(writer);
    writeValue(writer, member, depth);
    wrap(writer, 0x12, entry);
    writeText(writer, 0x0a, name);
    wrap(writer, 0x0a, entry);
  }
}

function writeValue(writer: ReverseWriter, value: JsonValue, depth: number): void {
  if (typeof value === "string") writeText(writer, 0x1a, value);
  else if (typeof value === "number") writeDouble(writer, 0x11, value);
  else if (typeof value === "boolean") writeNumber(writer, 0x20, value ? 1 : 0);
  else if (value === null || depth >= maxDepth) writeNumber(writer, 0x08, 0);
  else {
    const since = mark(writer);
    if (Array.isArray(value)) {
      for (let index = value.length - 1; index >= 0; index--) {
        const item = mark(writer);
        writeValue(writer, value[index] as JsonValue, depth + 1);
        wrap(writer, 0x0a, item);
      }
      wrap(writer, 0x32, since);
    } else {
      writeStruct(writer, value as JsonObject, depth + 1);
      wrap(writer, 0x2a, since);
    }
  }
}
