import { LRUCache } from "lru-cache";
import {
  type Attributes,
  type ByteString,
  type HttpRequest,
  type Identity,
  type Ip,
  lowerAscii,
  parseZonedIp,
  readIdentity,
  toBytes,
  type Workload,
} from "../../attributes/index.js";
import type { MeshSettings } from "../../engine/index.js";
import type {
  AttributeContext__Output,
  CheckRequest__Output,
  HttpRequest__Output,
  Peer__Output,
} from "../../proto/index.js";
import { createCallerReader } from "../client-cert.js";
import { orRefuse } from "../or-refuse.js";
import { remoteIp } from "../remote-ip.js";
import { urlPathOf } from "../url-path.js";
import { workloadFromExtensions, workloadFromPeer } from "../workload.js";
import { noXff, type XffOverride, xffOverride, xffSettings } from "../xff.js";
import { metadataReader } from "./metadata.js";

/**
 * Turns a CheckRequest into Attributes. Throws a GatehouseError `bad_request` when a part cannot be
 * understood.
 */
export type RequestReader = (request: CheckRequest__Output, mesh: MeshSettings) => Attributes;

/** Distinct certificates remembered: parsing one costs 300 µs, a mesh has a few thousand. */
const maxCertificates = 5_000;
/** Characters of all of them: whoever may choose a certificate may choose a huge one. */
const maxCertificateText = 64 * 1024 * 1024;
/** Distinct destinations remembered; they are part of Envoy's configuration, so few. */
const maxWorkloads = 10_000;
/** Destinations that are compared before a key is made for the memory; comparing costs a fifth of that. */
const maxRecent = 4;

/** What a request says of its destination, and the workload that it names. */
interface Destination {
  readonly extensions: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly principal: string;
  readonly workload: Workload | undefined;
  readonly xff: XffOverride;
}

const noBody = new Uint8Array();
const noExtensions: Readonly<Record<string, string>> = {};
const noDestination: Destination = {
  extensions: noExtensions,
  labels: noExtensions,
  principal: "",
  workload: undefined,
  xff: noXff,
};

/** A reader with its own memory of certificates and workloads. */
export function createRequestReader(): RequestReader {
  const identities = new LRUCache<string, Identity>({
    max: maxCertificates,
    maxSize: maxCertificateText,
    sizeCalculation: (_, certificate) => certificate.length,
  });
  const workloads = new LRUCache<string, Destination>({ max: maxWorkloads });
  const recent: Destination[] = [];
  let turn = 0;

  function identityOf(certificate: string | undefined): Identity | undefined {
    if (certificate === undefined || certificate === "") return undefined;
    const known = identities.get(certificate);
    if (known !== undefined) return known;
    const identity = orRefuse("client certificate", () => readIdentity(certificate));
    identities.set(certificate, identity);
    return identity;
  }

  const callerBehind = createCallerReader((certificate) => {
    const identity = identityOf(certificate);
    if (identity === undefined) throw new Error("certificate is empty");
    return identity;
  });

  /** The same destination gives the same workload object, by which plans are remembered. */
  function destinationOf(
    extensions: Readonly<Record<string, string>>,
    { labels = noExtensions, principal = "" }: Peer__Output,
  ): Destination {
    if (isEmpty(extensions) && isEmpty(labels)) return noDestination;
    for (const seen of recent) {
      if (
        seen.principal === principal &&
        isSame(seen.extensions, extensions) &&
        isSame(seen.labels, labels)
      ) {
        return seen;
      }
    }
    const key = JSON.stringify([extensions, labels, principal]);
    let found = workloads.get(key);
    if (found === undefined) {
      const workload = orRefuse(
        "destination workload",
        () => workloadFromExtensions(extensions) ?? workloadFromPeer(labels, principal),
      );
      found = { extensions, labels, principal, workload, xff: xffOverride(extensions) };
      workloads.set(key, found);
    }
    recent[turn] = found;
    turn = (turn + 1) % maxRecent;
    return found;
  }

  return ({ attributes: context = {} }, mesh) => {
    const { source = {}, destination = {} } = context;
    const { identity: direct, fault } = attempt(() => identityOf(source.certificate));
    const { workload, xff } = destinationOf(context.context_extensions ?? noExtensions, destination);
    const peer = endpoint(source);
    const local = endpoint(destination);
    const sni = lowerAscii(toBytes(context.tls_session?.sni ?? ""));
    const request = context.request?.http === undefined ? undefined : readHttp(context.request.http);
    const trust = mesh.clientCertHeaders;
    if (fault !== undefined && trust !== undefined) throw fault;
    const behind =
      trust === undefined || request === undefined
        ? undefined
        : callerBehind(peer, direct, request.headers, trust);
    const identity = behind === undefined ? direct : behind.identity;
    return {
      protocol: request === undefined ? "tcp" : "http",
      time: readTime(context),
      source: behind?.source ?? peer,
      destination: local,
      remoteIp:
        request === undefined
          ? peer.ip
          : remoteIp(peer.ip, request.headers.get("x-forwarded-for"), xffSettings(mesh, workload, xff)),
      identity,
      identityFault: fault,
      unsent: undefined,
      tls:
        (identity ?? direct ?? fault) !== undefined ||
        sni !== "" ||
        peer.principal !== "" ||
        local.principal !== "",
      sni,
      workload,
      request,
      metadata: metadataReader(context.metadata_context),
      routeMetadata: metadataReader(context.route_metadata_context),
      auth: undefined,
    };
  };
}

function isEmpty(record: Readonly<Record<string, string>>): boolean {
  for (const _ in record) return false;
  return true;
}

/** Same keys and values, in any order. */
function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  if (one === other) return true;
  let keys = 0;
  for (const key in one) {
    if (!Object.hasOwn(other, key) || one[key] !== other[key]) return false;
    keys++;
  }
  for (const _ in other) keys--;
  return keys === 0;
}

function attempt(read: () => Identity | undefined): { readonly identity?: Identity; readonly fault?: Error } {
  try {
    const identity = read();
    return identity === undefined ? {} : { identity };
  } catch (fault) {
    return { fault: fault as Error };
  }
}

function endpoint(peer: Peer__Output): { ip: Ip | undefined; port: number; principal: string } {
  const socket = peer.address?.socket_address;
  const ip = socket?.address === undefined ? undefined : parseZonedIp(socket.address);
  return { ip, port: socket?.port_value ?? 0, principal: peer.principal ?? "" };
}

function readTime(context: AttributeContext__Output): number {
  const time = context.request?.time;
  return time === undefined ? 0 : integer(time.seconds, 0) * 1000 + Math.floor((time.nanos ?? 0) / 1e6);
}

/** A 64-bit integer as a decoder gives it: a text, a number, or protobufjs's Long. */
function integer(value: unknown, absent: number): number {
  if (value === undefined) return absent;
  const long = value as { readonly toNumber?: () => number };
  return typeof long.toNumber === "function" ? long.toNumber() : Number(value);
}

function readHttp(http: HttpRequest__Output): HttpRequest {
  const headers = readHeaders(http);
  const path = headers.get(":path")?.[0] ?? "";
  return {
    id: http.id ?? "",
    method: headers.get(":method")?.[0] ?? "",
    host: headers.get(":authority")?.[0] ?? "",
    path,
    urlPath: urlPathOf(path),
    scheme: http.scheme ?? "",
    protocol: http.protocol ?? "",
    headers,
    size: integer(http.size, -1),
    body: http.raw_body !== undefined && http.raw_body.length > 0 ? http.raw_body : textBody(http.body),
  };
}

function textBody(body: string | undefined): Uint8Array {
  return body === undefined || body === "" ? noBody : Buffer.from(body, "utf8");
}

/**
 * Every line by its lower-case name, from the raw `header_map` where Envoy sent one, else from the joined
 * `headers`.
 */
function readHeaders(http: HttpRequest__Output): Map<string, ByteString[]> {
  const headers = new Map<string, ByteString[]>();
  const lines = http.header_map?.headers;
  if (lines === undefined || lines.length === 0) {
    for (const [name, value] of Object.entries(http.headers ?? {})) add(headers, name, toBytes(value));
  } else {
    for (const { key = "", value = "", raw_value } of lines) {
      const raw = raw_value !== undefined && raw_value.length > 0;
      add(headers, key, raw ? raw_value.toString("latin1") : toBytes(value));
    }
  }
  pseudo(headers, ":method", http.method);
  pseudo(headers, ":authority", http.host);
  pseudo(headers, ":path", http.path);
  return headers;
}

function add(headers: Map<string, ByteString[]>, key: string, value: ByteString): void {
  const name = key.toLowerCase();
  const lines = headers.get(name);
  if (lines === undefined) headers.set(name, [value]);
  else lines.push(value);
}

/** Fields that stand outside the headers too; Envoy sends both, other callers perhaps one. */
function pseudo(headers: Map<string, ByteString[]>, name: string, value: string | undefined): void {
  if (value !== undefined && value !== "" && !headers.has(name)) headers.set(name, [toBytes(value)]);
}
