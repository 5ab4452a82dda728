import type { DescriptorStatus, RateLimitAnswer, Unit } from "../../ratelimit/index.js";
import { createSink, putDouble, putMessage, putString, putVarint, type Sink, written } from "./sink.js";

/** `RateLimitResponse.Code`; never UNKNOWN (0), with which Envoy lets every request through. */
const codes: Readonly<Record<RateLimitAnswer["code"], number>> = { OK: 1, OVER_LIMIT: 2 };

/** `RateLimitResponse.RateLimit.Unit`. */
const units: Readonly<Record<Unit, number>> = {
  SECOND: 1,
  MINUTE: 2,
  HOUR: 3,
  DAY: 4,
  MONTH: 5,
  YEAR: 6,
  WEEK: 7,
};

/** Bytes that most answers do not need more than: a status without a name has 30. */
const roomForAnswer = 32;
const roomForStatus = 48;

/**
 * An answer as a RateLimitResponse. Its counts are whole numbers from 0 to 2^32 - 1. Everything is written
 * from the end on, so the last field comes first.
 */
export function encodeRateLimitResponse(answer: RateLimitAnswer): Uint8Array {
  const { statuses, responseHeaders, dynamicMetadata } = answer;
  const sink = createSink(roomForAnswer + roomForStatus * (statuses.length + responseHeaders.length));
  if (dynamicMetadata !== undefined) {
    putStruct(sink, dynamicMetadata);
    putMessage(sink, 0x32, 0);
  }
  for (let index = responseHeaders.length - 1; index >= 0; index--) {
    const header = responseHeaders[index];
    if (header !== undefined) putHeader(sink, header);
  }
  for (let index = statuses.length - 1; index >= 0; index--) {
    const status = statuses[index];
    if (status !== undefined) putStatus(sink, status);
  }
  putVarint(sink, 0x08, codes[answer.code]);
  return written(sink);
}

function putHeader(sink: Sink, [name, value]: RateLimitAnswer["responseHeaders"][number]): void {
  const before = sink.size;
  putString(sink, 0x12, value);
  putString(sink, 0x0a, name);
  putMessage(sink, 0x1a, before);
}

function putStatus(sink: Sink, status: DescriptorStatus): void {
  const { currentLimit, limitRemaining, durationUntilReset } = status;
  const before = sink.size;
  if (durationUntilReset !== undefined) putDuration(sink, durationUntilReset);
  if (limitRemaining !== 0) putVarint(sink, 0x18, limitRemaining);
  if (currentLimit !== undefined) putLimit(sink, currentLimit);
  putVarint(sink, 0x08, codes[status.code]);
  putMessage(sink, 0x12, before);
}

function putLimit(sink: Sink, limit: NonNullable<DescriptorStatus["currentLimit"]>): void {
  const { name, requestsPerUnit, unit } = limit;
  const before = sink.size;
  if (name !== "") putString(sink, 0x1a, name);
  if (unit !== undefined) putVarint(sink, 0x10, units[unit]);
  if (requestsPerUnit !== 0) putVarint(sink, 0x08, requestsPerUnit);
  putMessage(sink, 0x12, before);
}

/** Seconds, perhaps with a fraction, as google.protobuf.Duration. */
function putDuration(sink: Sink, duration: number): void {
  const before = sink.size;
  const seconds = Math.floor(duration);
  const nanos = Math.floor((duration - seconds) * 1e9);
  if (nanos !== 0) putVarint(sink, 0x10, nanos);
  if (seconds !== 0) putVarint(sink, 0x08, seconds);
  putMessage(sink, 0x22, before);
}

/** A JSON object as the fields of google.protobuf.Struct. */
function putStruct(sink: Sink, object: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(object).reverse()) {
    const before = sink.size;
    putValue(sink, 0x12, value);
    putString(sink, 0x0a, name);
    putMessage(sink, 0x0a, before);
  }
}

/** JSON as a field of google.protobuf.Value; what JSON does not have becomes null. */
function putValue(sink: Sink, tag: number, value: unknown): void {
  const before = sink.size;
  if (typeof value === "string") putString(sink, 0x1a, value);
  else if (typeof value === "number") putDouble(sink, 0x11, value);
  else if (typeof value === "boolean") putVarint(sink, 0x20, value ? 1 : 0);
  else if (Array.isArray(value)) {
    for (const item of value.toReversed()) putValue(sink, 0x0a, item);
    putMessage(sink, 0x32, before);
  } else if (typeof value === "object" && value !== null) {
    putStruct(sink, value as Readonly<Record<string, unknown>>);
    putMessage(sink, 0x2a, before);
  } else putVarint(sink, 0x08, 0);
  putMessage(sink, tag, before);
}
