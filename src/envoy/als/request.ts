import {
  type Attributes,
  type ByteString,
  type HttpRequest,
  type Identity,
  type Ip,
  type JsonObject,
  lowerAscii,
  parseZonedIp,
  toBytes,
} from "../../attributes/index.js";
import { readStruct } from "../read-struct.js";
import { type Texts, textCursor } from "../text.js";
import type { CertificateNames, Entry, Place, RawMetadata } from "./entry.js";

/** Attributes whose workload is not known yet. */
export type Described = { -readonly [Name in keyof Attributes]: Attributes[Name] };

/** Reads addresses; the same text gives the same object. */
export type Addresses = (place: Place | undefined) => Ip | undefined;

const maxAddresses = 10_000;
const noBody = new Uint8Array();
const noRouteMetadata = (): undefined => undefined;
const noMetadata = (): undefined => undefined;

/** `HTTPVersion`, in the words of a CheckRequest. */
const protocols = ["", "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"];
/** `RequestMethod`; what is another method is not specified. */
const methods = ["", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/** An empty memory of addresses. */
export function createAddresses(): Addresses {
  const known = new Map<string, Ip | undefined>();
  return (place) => {
    if (place === undefined || place.address === "") return undefined;
    const { address } = place;
    const found = known.get(address);
    if (found !== undefined) return found;
    const ip = parseZonedIp(address);
    if (known.size >= maxAddresses) known.clear();
    known.set(address, ip);
    return ip;
  };
}

/** What an entry tells of its request or connection, as the check of the same would have it. */
export function describe(entry: Entry, addresses: Addresses, texts: Texts): Described {
  const { isHttp, remote, local, tls } = entry;
  const direct = entry.directRemote ?? remote;
  const ip = addresses(direct);
  const identity = tls === undefined ? undefined : identityOf(tls.peer);
  return {
    protocol: isHttp ? "http" : "tcp",
    time: Math.floor(entry.start),
    source: { ip, port: direct?.port ?? 0, principal: tls === undefined ? "" : principalOf(tls.peer) },
    destination: {
      ip: addresses(local),
      port: local?.port ?? 0,
      principal: tls === undefined ? "" : principalOf(tls.local),
    },
    remoteIp: isHttp ? (addresses(remote) ?? ip) : ip,
    identity,
    identityFault: undefined,
    tls: tls !== undefined,
    sni: tls === undefined ? "" : lowerAscii(toBytes(tls.sni)),
    workload: undefined,
    request: isHttp ? requestOf(entry) : undefined,
    metadata: metadataReader(entry, texts),
    routeMetadata: noRouteMetadata,
    auth: undefined,
  };
}

/** The name of a certificate by which Envoy calls its owner: the first URI, else the first DNS name, else the subject. */
export function principalOf({ uris, dns, subject }: CertificateNames): string {
  return uris[0] ?? dns[0] ?? subject;
}

/** Envoy writes an empty certificate where there is none. */
function identityOf({ uris, dns, subject }: CertificateNames): Identity | undefined {
  if (uris.length === 0 && dns.length === 0 && subject === "") return undefined;
  return { names: [...uris.map(toBytes), ...dns.map(toBytes), toBytes(subject)] };
}

/** The path as the check saw it: Envoy's router may have rewritten it afterwards, and names the original then. */
function requestOf(entry: Entry): HttpRequest {
  const headers = entry.requestHeaders;
  const path = entry.originalPath === "" ? entry.path : entry.originalPath;
  const method = methods[entry.method] || (headers.get(":method")?.[0] ?? "");
  add(headers, ":authority", entry.authority);
  add(headers, ":path", path);
  add(headers, ":method", method);
  add(headers, "user-agent", entry.userAgent);
  add(headers, "referer", entry.referer);
  add(headers, "x-forwarded-for", entry.forwardedFor);
  add(headers, "x-request-id", entry.requestId);
  return {
    // An entry has x-request-id only, which is not the stream's id.
    id: "",
    method,
    host: entry.authority,
    path,
    urlPath: withoutQuery(path),
    scheme: entry.scheme,
    protocol: protocols[entry.httpVersion] ?? "",
    headers,
    size: entry.requestBodyBytes,
    body: noBody,
  };
}

function add(headers: Map<string, ByteString[]>, name: string, value: ByteString): void {
  if (value !== "" && !headers.has(name)) headers.set(name, [value]);
}

function withoutQuery(path: ByteString): ByteString {
  for (let index = 0; index < path.length; index++) {
    const character = path.charCodeAt(index);
    if (character === 0x3f || character === 0x23) return path.slice(0, index);
  }
  return path;
}

/** Decodes a filter's metadata when they are asked for. */
function metadataReader({ metadata }: Entry, texts: Texts): (filter: string) => JsonObject | undefined {
  if (metadata.length === 0) return noMetadata;
  let read: Map<RawMetadata, JsonObject | undefined> | undefined;
  return (filter) => {
    const raw = metadata.findLast((one) => one.filter === filter);
    if (raw === undefined) return undefined;
    read ??= new Map();
    if (!read.has(raw)) read.set(raw, decode(raw, texts));
    return read.get(raw);
  };
}

/** Undefined where the bytes are none: whoever asks late can do nothing about it. */
function decode({ bytes }: RawMetadata, texts: Texts): JsonObject | undefined {
  try {
    return readStruct(textCursor(bytes, texts), bytes.length);
  } catch {
    return undefined;
  }
}
