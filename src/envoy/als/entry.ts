import type { ByteString } from "../../attributes/index.js";
import { readBytes, readFreshBytes, readText, type TextCursor } from "../text.js";
import { readEnd, readInteger, readTag, readVarint, skipValue } from "../wire.js";
import { readCommonField } from "./common.js";
import type { DecisionFacts } from "./decision.js";

/** An address; both empty when it is none of a socket. */
export interface Place {
  address: string;
  port: number;
}

/** Names in a certificate. */
export interface CertificateNames {
  readonly uris: string[];
  readonly dns: string[];
  subject: string;
}

/** TLS of the downstream connection. */
export interface EntryTls {
  /** `TLSVersion`. */
  version: number;
  sni: string;
  readonly local: CertificateNames;
  readonly peer: CertificateNames;
}

/** Metadata of a filter that is not decoded yet. */
export interface RawMetadata {
  readonly filter: string;
  /** Bytes of a google.protobuf.Struct, a copy. */
  readonly bytes: Uint8Array;
}

/** What `google.protobuf.Any`s of filter state say that is understood here. */
export interface FilterState {
  /** `ShadowDecision.check_result`: 1 allowed, 2 denied, 3 error; 0: there is none. */
  shadow: number;
  messages: { readonly request: number; readonly response: number } | undefined;
}

/**
 * An HTTPAccessLogEntry or TCPAccessLogEntry as it stands on the wire. Durations in milliseconds, undefined where
 * there are none; counts are 0 and texts empty where there are none.
 */
export interface Entry {
  readonly isHttp: boolean;
  /** `AccessLogType`. */
  type: number;
  isIntermediate: boolean;
  remote: Place | undefined;
  directRemote: Place | undefined;
  local: Place | undefined;
  upstreamRemote: Place | undefined;
  upstreamLocal: Place | undefined;
  tls: EntryTls | undefined;
  start: number;
  duration: number | undefined;
  lastRx: number | undefined;
  firstUpstreamTx: number | undefined;
  lastUpstreamTx: number | undefined;
  firstUpstreamRx: number | undefined;
  lastUpstreamRx: number | undefined;
  firstDownstreamTx: number | undefined;
  lastDownstreamTx: number | undefined;
  upstreamCluster: string;
  transportFailure: string;
  routeName: string;
  attempts: number;
  termination: string;
  streamId: string;
  /** A bit for each field of `ResponseFlags`: 1 for field 1, 2 for field 2, 4 for field 3 … */
  flags: number;
  wireSent: number;
  wireReceived: number;
  upstreamWireSent: number;
  upstreamWireReceived: number;
  readonly customTags: Map<string, string>;
  /** Of the metadata of the ext_authz filter of the entry's protocol. */
  decision: DecisionFacts | undefined;
  /** The same of the ext_proc filter's, with what body policies did. */
  processed: DecisionFacts | undefined;
  readonly metadata: RawMetadata[];
  readonly filterState: FilterState;
  /** `HTTPVersion`. */
  httpVersion: number;
  /** `RequestMethod`. */
  method: number;
  scheme: string;
  authority: ByteString;
  path: ByteString;
  originalPath: ByteString;
  userAgent: ByteString;
  referer: ByteString;
  forwardedFor: ByteString;
  requestId: ByteString;
  requestHeadersBytes: number;
  requestBodyBytes: number;
  readonly requestHeaders: Map<string, ByteString[]>;
  responseCode: number;
  responseHeadersBytes: number;
  responseBodyBytes: number;
  readonly responseHeaders: Map<string, ByteString>;
  readonly responseTrailers: Map<string, ByteString>;
  codeDetails: string;
  /** Of a connection, since it was opened. */
  received: number;
  sent: number;
}

function emptyEntry(isHttp: boolean): Entry {
  return {
    isHttp,
    type: 0,
    isIntermediate: false,
    remote: undefined,
    directRemote: undefined,
    local: undefined,
    upstreamRemote: undefined,
    upstreamLocal: undefined,
    tls: undefined,
    start: 0,
    duration: undefined,
    lastRx: undefined,
    firstUpstreamTx: undefined,
    lastUpstreamTx: undefined,
    firstUpstreamRx: undefined,
    lastUpstreamRx: undefined,
    firstDownstreamTx: undefined,
    lastDownstreamTx: undefined,
    upstreamCluster: "",
    transportFailure: "",
    routeName: "",
    attempts: 0,
    termination: "",
    streamId: "",
    flags: 0,
    wireSent: 0,
    wireReceived: 0,
    upstreamWireSent: 0,
    upstreamWireReceived: 0,
    customTags: new Map(),
    decision: undefined,
    processed: undefined,
    metadata: [],
    filterState: { shadow: 0, messages: undefined },
    httpVersion: 0,
    method: 0,
    scheme: "",
    authority: "",
    path: "",
    originalPath: "",
    userAgent: "",
    referer: "",
    forwardedFor: "",
    requestId: "",
    requestHeadersBytes: 0,
    requestBodyBytes: 0,
    requestHeaders: new Map(),
    responseCode: 0,
    responseHeadersBytes: 0,
    responseBodyBytes: 0,
    responseHeaders: new Map(),
    responseTrailers: new Map(),
    codeDetails: "",
    received: 0,
    sent: 0,
  };
}

/** Decodes an HTTPAccessLogEntry; throws WireError when it is none. Unknown fields are skipped. */
export function readHttpEntry(cursor: TextCursor, end: number): Entry {
  const entry = emptyEntry(true);
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readCommon(cursor, readEnd(cursor, end), entry);
    else if (tag === 0x10) entry.httpVersion = readVarint(cursor, end);
    else if (tag === 0x1a) readRequest(cursor, readEnd(cursor, end), entry);
    else if (tag === 0x22) readResponse(cursor, readEnd(cursor, end), entry);
    else skipValue(cursor, end, tag);
  }
  return entry;
}

/** The same of a TCPAccessLogEntry. */
export function readTcpEntry(cursor: TextCursor, end: number): Entry {
  const entry = emptyEntry(false);
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readCommon(cursor, readEnd(cursor, end), entry);
    else if (tag === 0x12) readConnection(cursor, readEnd(cursor, end), entry);
    else skipValue(cursor, end, tag);
  }
  return entry;
}

function readCommon(cursor: TextCursor, end: number, entry: Entry): void {
  while (cursor.at < end) readCommonField(cursor, end, readTag(cursor, end), entry);
}

function readConnection(cursor: TextCursor, end: number, entry: Entry): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) entry.received = readInteger(cursor, end);
    else if (tag === 0x10) entry.sent = readInteger(cursor, end);
    else skipValue(cursor, end, tag);
  }
}

/** HTTPRequestProperties. */
function readRequest(cursor: TextCursor, end: number, entry: Entry): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) entry.method = readVarint(cursor, end);
    else if (tag === 0x12) entry.scheme = readText(cursor, end);
    else if (tag === 0x1a) entry.authority = readBytes(cursor, end);
    else if (tag === 0x2a) entry.path = readFreshBytes(cursor, end);
    else if (tag === 0x32) entry.userAgent = readBytes(cursor, end);
    else if (tag === 0x3a) entry.referer = readBytes(cursor, end);
    else if (tag === 0x42) entry.forwardedFor = readBytes(cursor, end);
    else if (tag === 0x4a) entry.requestId = readFreshBytes(cursor, end);
    else if (tag === 0x52) entry.originalPath = readFreshBytes(cursor, end);
    else if (tag === 0x58) entry.requestHeadersBytes = readInteger(cursor, end);
    else if (tag === 0x60) entry.requestBodyBytes = readInteger(cursor, end);
    else if (tag === 0x6a) readRequestHeader(cursor, readEnd(cursor, end), entry.requestHeaders);
    else skipValue(cursor, end, tag);
  }
}

/** HTTPResponseProperties. */
function readResponse(cursor: TextCursor, end: number, entry: Entry): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) entry.responseCode = readUint32Value(cursor, readEnd(cursor, end), entry.responseCode);
    else if (tag === 0x10) entry.responseHeadersBytes = readInteger(cursor, end);
    else if (tag === 0x18) entry.responseBodyBytes = readInteger(cursor, end);
    else if (tag === 0x22) readResponseHeader(cursor, readEnd(cursor, end), entry.responseHeaders);
    else if (tag === 0x2a) readResponseHeader(cursor, readEnd(cursor, end), entry.responseTrailers);
    else if (tag === 0x32) entry.codeDetails = readText(cursor, end);
    else skipValue(cursor, end, tag);
  }
}

function readUint32Value(cursor: TextCursor, end: number, before: number): number {
  let value = before;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) value = readVarint(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return value;
}

/** Envoy has joined a header's lines by a comma. */
function readRequestHeader(cursor: TextCursor, end: number, headers: Map<string, ByteString[]>): void {
  let name = "";
  let value = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readBytes(cursor, end);
    else if (tag === 0x12) value = readBytes(cursor, end);
    else skipValue(cursor, end, tag);
  }
  headers.set(name.toLowerCase(), [value]);
}

function readResponseHeader(cursor: TextCursor, end: number, headers: Map<string, ByteString>): void {
  let name = "";
  let value = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readBytes(cursor, end);
    else if (tag === 0x12) value = readBytes(cursor, end);
    else skipValue(cursor, end, tag);
  }
  headers.set(name.toLowerCase(), value);
}
