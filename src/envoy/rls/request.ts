import type { DescriptorRequest, RateLimitRequest } from "../../ratelimit/index.js";
import {
  type Cursor,
  cursorOf,
  readEnd,
  readString,
  readTag,
  readVarint,
  skipValue,
  WireError,
} from "../wire.js";
import { RpcError, rpcCode } from "./rpc-error.js";

/** Descriptors of one call. Envoy sends one for each of a route's few `rate_limits`. */
export const maxDescriptors = 10_000;

type Override = NonNullable<DescriptorRequest["limit"]>;

/**
 * Decodes a RateLimitRequest as strictly as Go does: what is no message, or has a string that is not UTF-8,
 * throws RpcError INTERNAL in gRPC's words. A known field of a wrong wire type is an unknown one, and unknown
 * ones are skipped; the last one of a scalar wins, messages are merged. RpcError INVALID_ARGUMENT for what
 * could not be decided: more than 10,000 descriptors, or a limit of several units (`unit_multiplier`), which
 * would be another limit without them.
 */
export function readRateLimitRequest(bytes: Uint8Array): RateLimitRequest {
  try {
    return readRequest(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new RpcError(rpcCode.internal, `grpc: error unmarshalling request: ${error.message}`);
  }
}

function readRequest(bytes: Uint8Array): RateLimitRequest {
  const cursor = cursorOf(bytes);
  const end = bytes.length;
  const descriptors: DescriptorRequest[] = [];
  let domain = "";
  let hitsAddend = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) domain = readString(cursor, end);
    else if (tag === 0x12) {
      descriptors.push(readDescriptor(cursor, readEnd(cursor, end)));
      if (descriptors.length > maxDescriptors) {
        throw new RpcError(
          rpcCode.invalidArgument,
          `rate limit request has more than ${maxDescriptors} descriptors`,
        );
      }
    } else if (tag === 0x18) hitsAddend = readVarint(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return { domain, descriptors, hitsAddend };
}

function readDescriptor(cursor: Cursor, end: number): DescriptorRequest {
  const entries: DescriptorRequest["entries"][number][] = [];
  let limit: Override | undefined;
  let hitsAddend: number | bigint | undefined;
  let isNegative = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) entries.push(readEntry(cursor, readEnd(cursor, end)));
    else if (tag === 0x12) limit = readOverride(cursor, readEnd(cursor, end), limit);
    else if (tag === 0x1a) hitsAddend = readIntegerValue(cursor, readEnd(cursor, end), hitsAddend ?? 0);
    else if (tag === 0x20) isNegative = readVarint(cursor, end) !== 0 || cursor.high !== 0;
    else skipValue(cursor, end, tag);
  }
  return { entries, limit, hitsAddend, isNegative };
}

function readEntry(cursor: Cursor, end: number): { readonly key: string; readonly value: string } {
  let key = "";
  let value = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) key = readString(cursor, end);
    else if (tag === 0x12) value = readString(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return { key, value };
}

/** `before`: what the descriptor's override says so far. */
function readOverride(cursor: Cursor, end: number, before: Override | undefined): Override {
  let requestsPerUnit = before?.requestsPerUnit ?? 0;
  let unit = before?.unit ?? 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) requestsPerUnit = readVarint(cursor, end);
    // Enums are signed.
    else if (tag === 0x10) unit = readVarint(cursor, end) | 0;
    else if (tag === 0x1a) requireOneUnit(readIntegerValue(cursor, readEnd(cursor, end), 0));
    else skipValue(cursor, end, tag);
  }
  return { requestsPerUnit, unit };
}

function requireOneUnit(multiplier: number | bigint): void {
  if (multiplier === 1) return;
  throw new RpcError(
    rpcCode.invalidArgument,
    `unit_multiplier of a limit override is ${multiplier}, expected 1`,
  );
}

/** A wrapper around an integer without sign; a bigint where a number would lose digits. */
function readIntegerValue(cursor: Cursor, end: number, before: number | bigint): number | bigint {
  let value = before;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) {
      const low = readVarint(cursor, end);
      const { high } = cursor;
      value = high < 2 ** 21 ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
    } else skipValue(cursor, end, tag);
  }
  return value;
}
