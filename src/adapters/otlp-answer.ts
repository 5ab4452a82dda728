import protobuf from "protobufjs/minimal.js";
import { type Pause, type SinkBase, startPause } from "./sinks-ports.js";

/** What became of one request. */
export type Sent =
  /** `rejected`: of its items, which the receiver does not want, now or ever. */
  | { readonly kind: "taken"; readonly rejected: number }
  /** To be sent again, not before `afterMs` if the receiver says so. */
  | { readonly kind: "later"; readonly afterMs: number | undefined; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

/** Of `ExportLogsServiceResponse` and `ExportTraceServiceResponse`: how many items were rejected. Garbage: none. */
export function readRejected(bytes: Uint8Array): number {
  return tolerant(0, () => {
    let rejected = 0;
    eachField(bytes, (field, reader) => {
      if (field !== 1) return false;
      eachField(reader.bytes(), (inner, partial) => {
        if (inner !== 1) return false;
        rejected = Number(partial.int64());
        return true;
      });
      return true;
    });
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  });
}

const retryInfo = "type.googleapis.com/google.rpc.RetryInfo";

/** The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`; undefined when there is none. */
export function readRetryDelay(status: Uint8Array): number | undefined {
  return tolerant(undefined, () => {
    let delay: number | undefined;
    eachField(status, (field, reader) => {
      if (field !== 3) return false;
      delay = readDetail(reader.bytes()) ?? delay;
      return true;
    });
    return delay;
  });
}

function readDetail(any: Uint8Array): number | undefined {
  let type = "";
  let value: Uint8Array = new Uint8Array();
  eachField(any, (field, reader) => {
    if (field === 1) type = reader.string();
    else if (field === 2) value = reader.bytes();
    else return false;
    return true;
  });
  if (type !== retryInfo) return undefined;
  let delay = 0;
  eachField(value, (field, reader) => {
    if (field !== 1) return false;
    eachField(reader.bytes(), (part, duration) => {
      if (part === 1) delay += Number(duration.int64()) * 1000;
      else if (part === 2) delay += duration.int32() / 1_000_000;
      else return false;
      return true;
    });
    return true;
  });
  return Math.max(delay, 0);
}

/** `read` gives whether it read the field. */
function eachField(bytes: Uint8Array, read: (field: number, reader: protobuf.Reader) => boolean): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (!read(tag >>> 3, reader)) reader.skipType(tag & 7);
  }
}

function tolerant<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110 section 10.2.3); undefined for what is neither. */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(date - now, 0);
}

/** How long attempts are apart. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
  /** Most that a receiver's own wish is heeded. */
  readonly maxWishMs: number;
}

/** Waits before attempt `attempt` + 1: doubled each time, of which a random half is left out, not less than was wished. */
export function pauseBefore(
  attempt: number,
  wishMs: number | undefined,
  { minMs, maxMs, maxWishMs }: Backoff,
  { random, schedule }: SinkBase,
): Pause {
  const own = Math.min(minMs * 2 ** (attempt - 1), maxMs) * (0.5 + random() / 2);
  return startPause(schedule, Math.max(own, Math.min(wishMs ?? 0, maxWishMs)));
}
