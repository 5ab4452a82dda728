import { Buffer } from "node:buffer";
import { readText, type TextCursor } from "../text.js";
import { readEnd, readInteger, readTag, readVarint, skipValue } from "../wire.js";
import { readDecision } from "./decision.js";
import type { CertificateNames, Entry, EntryTls, Place } from "./entry.js";
import { unauthorizedExternalService } from "./flags.js";

const httpCheck = "envoy.filters.http.ext_authz";
const tcpCheck = "envoy.filters.network.ext_authz";
const httpProcessing = "envoy.filters.http.ext_proc";
const shadowState = "envoy.filters.http.ext_authz.shadow";
const grpcStatsState = "envoy.filters.http.grpc_stats";

/** Reads one field of AccessLogCommon; `tag` has been read. The numbers are field * 8 + wire type. */
export function readCommonField(cursor: TextCursor, end: number, tag: number, entry: Entry): void {
  switch (tag) {
    case 18:
      entry.remote = readAddress(cursor, readEnd(cursor, end), entry.remote);
      break;
    case 26:
      entry.local = readAddress(cursor, readEnd(cursor, end), entry.local);
      break;
    case 34:
      entry.tls ??= emptyTls();
      readTls(cursor, readEnd(cursor, end), entry.tls);
      break;
    case 42:
      entry.start = readTime(cursor, readEnd(cursor, end));
      break;
    case 50:
      entry.lastRx = readTime(cursor, readEnd(cursor, end));
      break;
    case 58:
      entry.firstUpstreamTx = readTime(cursor, readEnd(cursor, end));
      break;
    case 66:
      entry.lastUpstreamTx = readTime(cursor, readEnd(cursor, end));
      break;
    case 74:
      entry.firstUpstreamRx = readTime(cursor, readEnd(cursor, end));
      break;
    case 82:
      entry.lastUpstreamRx = readTime(cursor, readEnd(cursor, end));
      break;
    case 90:
      entry.firstDownstreamTx = readTime(cursor, readEnd(cursor, end));
      break;
    case 98:
      entry.lastDownstreamTx = readTime(cursor, readEnd(cursor, end));
      break;
    case 106:
      entry.upstreamRemote = readAddress(cursor, readEnd(cursor, end), entry.upstreamRemote);
      break;
    case 114:
      entry.upstreamLocal = readAddress(cursor, readEnd(cursor, end), entry.upstreamLocal);
      break;
    case 122:
      entry.upstreamCluster = readText(cursor, end);
      break;
    case 130:
      entry.flags = readFlags(cursor, readEnd(cursor, end), entry.flags);
      break;
    case 138:
      readMetadata(cursor, readEnd(cursor, end), entry);
      break;
    case 146:
      entry.transportFailure = readText(cursor, end);
      break;
    case 154:
      entry.routeName = readText(cursor, end);
      break;
    case 162:
      entry.directRemote = readAddress(cursor, readEnd(cursor, end), entry.directRemote);
      break;
    case 170:
      readFilterState(cursor, readEnd(cursor, end), entry);
      break;
    case 178:
      readCustomTag(cursor, readEnd(cursor, end), entry.customTags);
      break;
    case 186:
      entry.duration = readTime(cursor, readEnd(cursor, end));
      break;
    case 192:
      entry.attempts = readVarint(cursor, end);
      break;
    case 202:
      entry.termination = readText(cursor, end);
      break;
    case 210:
      entry.streamId = readText(cursor, end);
      break;
    case 216:
      entry.isIntermediate = readVarint(cursor, end) !== 0 || cursor.high !== 0;
      break;
    case 232:
      entry.wireSent = readInteger(cursor, end);
      break;
    case 240:
      entry.wireReceived = readInteger(cursor, end);
      break;
    case 248:
      entry.upstreamWireSent = readInteger(cursor, end);
      break;
    case 256:
      entry.upstreamWireReceived = readInteger(cursor, end);
      break;
    case 264:
      entry.type = readVarint(cursor, end);
      break;
    default:
      skipValue(cursor, end, tag);
  }
}

/** A Timestamp or Duration, in milliseconds. */
function readTime(cursor: TextCursor, end: number): number {
  let seconds = 0;
  let nanos = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) {
      const low = readVarint(cursor, end);
      seconds = (cursor.high | 0) * 2 ** 32 + low;
    } else if (tag === 0x10) nanos = readVarint(cursor, end) | 0;
    else skipValue(cursor, end, tag);
  }
  return seconds * 1000 + nanos / 1e6;
}

function readAddress(cursor: TextCursor, end: number, before: Place | undefined): Place {
  const place = before ?? { address: "", port: 0 };
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readSocketAddress(cursor, readEnd(cursor, end), place);
    else skipValue(cursor, end, tag);
  }
  return place;
}

function readSocketAddress(cursor: TextCursor, end: number, place: Place): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x12) place.address = readText(cursor, end);
    else if (tag === 0x18) place.port = readVarint(cursor, end);
    else skipValue(cursor, end, tag);
  }
}

function emptyTls(): EntryTls {
  return {
    version: 0,
    sni: "",
    local: { uris: [], dns: [], subject: "" },
    peer: { uris: [], dns: [], subject: "" },
  };
}

function readTls(cursor: TextCursor, end: number, tls: EntryTls): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) tls.version = readVarint(cursor, end);
    else if (tag === 0x1a) tls.sni = readText(cursor, end);
    else if (tag === 0x22) readCertificate(cursor, readEnd(cursor, end), tls.local);
    else if (tag === 0x2a) readCertificate(cursor, readEnd(cursor, end), tls.peer);
    else skipValue(cursor, end, tag);
  }
}

function readCertificate(cursor: TextCursor, end: number, names: CertificateNames): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readAlternativeName(cursor, readEnd(cursor, end), names);
    else if (tag === 0x12) names.subject = readText(cursor, end);
    else skipValue(cursor, end, tag);
  }
}

/** Of the oneof the last one counts. */
function readAlternativeName(cursor: TextCursor, end: number, names: CertificateNames): void {
  let list: string[] | undefined;
  let name = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a || tag === 0x12) {
      list = tag === 0x0a ? names.uris : names.dns;
      name = readText(cursor, end);
    } else skipValue(cursor, end, tag);
  }
  list?.push(name);
}

/** ResponseFlags: 27 booleans, and field 13, a message with a reason. */
function readFlags(cursor: TextCursor, end: number, before: number): number {
  let flags = before;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (tag === 0x6a) {
      if (hasReason(cursor, readEnd(cursor, end))) flags |= unauthorizedExternalService;
    } else if (tag % 8 === 0 && field <= 28 && field !== 13) {
      const bit = 1 << (field - 1);
      flags = readVarint(cursor, end) !== 0 || cursor.high !== 0 ? flags | bit : flags & ~bit;
    } else skipValue(cursor, end, tag);
  }
  return flags;
}

function hasReason(cursor: TextCursor, end: number): boolean {
  let reason = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) reason = readVarint(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return reason !== 0;
}

/** The facts of a decision are always needed and read now, all else when it is asked for. */
function readMetadata(cursor: TextCursor, end: number, entry: Entry): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readFilterMetadata(cursor, readEnd(cursor, end), entry);
    else skipValue(cursor, end, tag);
  }
}

function readFilterMetadata(cursor: TextCursor, end: number, entry: Entry): void {
  let filter = "";
  let from = end;
  let to = end;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) filter = readText(cursor, end);
    else if (tag === 0x12) {
      to = readEnd(cursor, end);
      from = cursor.at;
      cursor.at = to;
    } else skipValue(cursor, end, tag);
  }
  // A copy: a report that is kept would keep the whole message otherwise.
  entry.metadata.push({ filter, bytes: Buffer.from(cursor.bytes.subarray(from, to)) });
  const isCheck = filter === (entry.isHttp ? httpCheck : tcpCheck);
  if (!isCheck && (filter !== httpProcessing || !entry.isHttp)) return;
  cursor.at = from;
  entry[isCheck ? "decision" : "processed"] = readDecision(cursor, to);
  cursor.at = end;
}

function readCustomTag(cursor: TextCursor, end: number, tags: Map<string, string>): void {
  let name = "";
  let value = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readText(cursor, end);
    else if (tag === 0x12) value = readText(cursor, end);
    else skipValue(cursor, end, tag);
  }
  tags.set(name, value);
}

function readFilterState(cursor: TextCursor, end: number, entry: Entry): void {
  let name = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readText(cursor, end);
    else if (tag === 0x12 && (name === shadowState || name === grpcStatsState)) {
      readAny(cursor, readEnd(cursor, end), entry, name === shadowState);
    } else skipValue(cursor, end, tag);
  }
}

/** The type is the one that the name stands for. */
function readAny(cursor: TextCursor, end: number, entry: Entry, isShadow: boolean): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag !== 0x12) skipValue(cursor, end, tag);
    else if (isShadow) entry.filterState.shadow = readPair(cursor, readEnd(cursor, end)).first;
    else {
      const { first, second } = readPair(cursor, readEnd(cursor, end));
      entry.filterState.messages = { request: first, response: second };
    }
  }
}

/** Fields 1 and 2 as integers: of ShadowDecision {check_result} and of grpc_stats' FilterObject {request and response}. */
function readPair(cursor: TextCursor, end: number): { readonly first: number; readonly second: number } {
  let first = 0;
  let second = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) first = readInteger(cursor, end);
    else if (tag === 0x10) second = readInteger(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return { first, second };
}
