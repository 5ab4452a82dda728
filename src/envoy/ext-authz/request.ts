import { LRUCache } from "lru-cache";
import {
  type Attributes,
  type ByteString,
  type HttpRequest,
  type Identity,
  type Ip,
  lowerAscii,
  type Peer,
  parseZonedIp,
  readIdentity,
  toBytes,
  toText,
  type Workload,
} from "../../attributes/index.js";
import { GatehouseError } from "../../diagnostics/index.js";
import type { ClientCertHeaders, MeshSettings, XffSettings } from "../../engine/index.js";
import type {
  AttributeContext__Output,
  CheckRequest__Output,
  HttpRequest__Output,
  Peer__Output,
} from "../../proto/index.js";
import { createClientCertReader, isTrusted } from "./client-cert.js";
import { metadataReader } from "./metadata.js";
import { remoteIp } from "./remote-ip.js";
import { own, workloadFromExtensions, workloadFromPeer } from "./workload.js";

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

/** Who stands behind a trusted proxy; the address stays the proxy's. */
interface Caller {
  readonly source: Peer;
  readonly identity: Identity | undefined;
}

/** Settings that the route names itself; `unreadable` refuses the HTTP requests that need them. */
type XffOverride = Partial<XffSettings> | "unreadable";

const noBody = new Uint8Array();
const noExtensions: Readonly<Record<string, string>> = {};
const noXff: XffOverride = {};
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

  const readClientCert = createClientCertReader((certificate) => {
    const identity = identityOf(certificate);
    if (identity === undefined) throw new Error("certificate is empty");
    return identity;
  });

  /**
   * Who asks if the peer is a proxy that the mesh trusts to say so; undefined: the peer itself. A trusted proxy
   * that names nobody speaks for a caller without a certificate, never for itself: else everybody who comes
   * through it would have the proxy's own rights.
   */
  function callerBehind(
    peer: Peer,
    direct: Identity | undefined,
    request: HttpRequest,
    trust: ClientCertHeaders,
  ): Caller | undefined {
    if (!isTrusted(trust, peer, direct)) return undefined;
    const identity = orRefuse("header with the client certificate", () =>
      readClientCert(trust.headers, request.headers),
    );
    const { ip, port } = peer;
    return { source: { ip, port, principal: toText(identity?.names[0] ?? "") }, identity };
  }

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
      trust === undefined || request === undefined ? undefined : callerBehind(peer, direct, request, trust);
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

function orRefuse<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new GatehouseError("bad_request", `${what} cannot be read`, { cause });
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

function xffOverride(extensions: Readonly<Record<string, string>>): XffOverride {
  const use = own(extensions, "xff.use_remote_address");
  const hops = own(extensions, "xff.num_trusted_hops");
  if (use === "" && hops === "") return noXff;
  if (!/^(true|false)?$/.test(use) || !/^[0-9]{0,9}$/.test(hops)) return "unreadable";
  return {
    ...(use !== "" && { useRemoteAddress: use === "true" }),
    ...(hops !== "" && { numTrustedHops: Number(hops) }),
  };
}

function xffSettings(mesh: MeshSettings, workload: Workload | undefined, xff: XffOverride): XffSettings {
  if (xff === "unreadable") {
    throw new GatehouseError("bad_request", "context extensions of X-Forwarded-For cannot be read");
  }
  const perType = mesh.xffPerType[(workload ?? mesh.defaultWorkload)?.type ?? "sidecar"];
  return perType === undefined && xff === noXff ? mesh.xff : { ...mesh.xff, ...perType, ...xff };
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
  const cut = path.search(/[?#]/);
  return {
    id: http.id ?? "",
    method: headers.get(":method")?.[0] ?? "",
    host: headers.get(":authority")?.[0] ?? "",
    path,
    urlPath: cut < 0 ? path : path.slice(0, cut),
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
