import {
  type Attributes,
  type HttpRequest,
  type Identity,
  type Ip,
  type JsonObject,
  type JsonValue,
  lowerAscii,
  member,
  type Peer,
  parseZonedIp,
  readIdentity,
  toBytes,
  toText,
  type Unsent,
} from "../../attributes/index.js";
import { GatehouseError } from "../../diagnostics/index.js";
import type { ClientCertHeaders, MeshSettings } from "../../engine/index.js";
import { createCallerReader } from "../client-cert.js";
import { remoteIp } from "../remote-ip.js";
import { urlPathOf } from "../url-path.js";
import { xffSettings } from "../xff.js";
import { createDestinationReader, type Destination, type InitialMetadata } from "./destination.js";
import type { BesideRequest } from "./exchange.js";
import type { HeaderLines } from "./message.js";

/**
 * Where our bootstraps keep the TCP peer, `IP:PORT`, by the set_filter_state filter from
 * `%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%`. Never `source.address`, which follows `x-forwarded-for` and is the client's to
 * choose (measured).
 */
export const peerAttribute = "filter_state['gatehouse.peer']";

/**
 * The `request_attributes` that the filter has to be configured with. What is missing of the first four makes whatever
 * decides by it refuse.
 */
export const requestAttributes: readonly string[] = [
  peerAttribute,
  "destination.address",
  "connection.mtls",
  "connection.requested_server_name",
  "connection.uri_san_peer_certificate",
  "connection.dns_san_peer_certificate",
  "connection.subject_peer_certificate",
  "connection.uri_san_local_certificate",
  "connection.dns_san_local_certificate",
  "connection.subject_local_certificate",
  "connection.tls_version",
  "request.time",
  "request.scheme",
  "request.protocol",
  "request.size",
];

/** What a stream's first message and its initial metadata say. */
export interface ProcessedRequest {
  readonly headers: HeaderLines;
  readonly beside: BesideRequest;
  readonly initialMetadata: InitialMetadata;
}

/** A request as it was read. */
export interface ReadRequest {
  readonly attributes: Attributes;
  /** The caller's end of the connection, also where a trusted proxy speaks for somebody else. */
  readonly peer: Peer;
  readonly destination: Destination;
}

/**
 * Turns request headers into Attributes, with the meaning that ext_authz's reader has. What ext_proc cannot know: the
 * stream's id (`request.id` is empty: Envoy's attribute of this name is the header `x-request-id`, which clients
 * choose), SANs behind the first of each kind, metadata of the route, and labels of the destination. Throws a
 * GatehouseError `bad_request` when a part cannot be understood.
 */
export type ProcessedRequestReader = (request: ProcessedRequest, mesh: MeshSettings) => ReadRequest;

const noBody = new Uint8Array();

/** A reader with its own memory of callers and workloads. */
export function createProcessedRequestReader(): ProcessedRequestReader {
  const destinationOf = createDestinationReader();
  const peerOf = rememberLast(endpoint);
  const localOf = rememberLast(endpoint);
  const callerBehind = createCallerReader(readIdentity);

  return ({ headers, beside, initialMetadata }, mesh) => {
    const told = beside.attributes();
    const destination = destinationOf(initialMetadata);
    const { workload, xff } = destination;
    const { names, fault: noIdentity } = namesOf(told);
    const direct: Identity | undefined = names === undefined ? undefined : { names };
    const peer = { ...peerOf(text(told, peerAttribute)), principal: toText(names?.[0] ?? "") };
    const localAddress = text(told, "destination.address");
    const local = { ...localOf(localAddress), principal: localPrincipal(told) };
    const sni = text(told, "connection.requested_server_name");
    const unsent = unsentOf({
      peer: peer.ip === undefined,
      identity: noIdentity,
      destination: localAddress === undefined,
      sni: sni === undefined,
    });
    const trust = mesh.clientCertHeaders;
    if (trust !== undefined) refuseUnknown(trust, unsent);
    const behind = trust === undefined ? undefined : callerBehind(peer, direct, headers, trust);
    const identity = behind === undefined ? direct : behind.identity;
    const attributes: Attributes = {
      protocol: "http",
      time: timeOf(told),
      source: behind?.source ?? peer,
      destination: local,
      remoteIp: remoteIp(peer.ip, headers.get("x-forwarded-for"), xffSettings(mesh, workload, xff)),
      identity,
      identityFault: undefined,
      unsent: behind === undefined || unsent === undefined ? unsent : { ...unsent, identity: undefined },
      tls:
        (identity ?? direct) !== undefined ||
        (sni ?? "") !== "" ||
        local.principal !== "" ||
        text(told, "connection.tls_version") !== undefined,
      sni: lowerAscii(toBytes(sni ?? "")),
      workload,
      request: httpOf(headers, told),
      metadata: beside.metadata,
      routeMetadata: noRouteMetadata,
      auth: undefined,
    };
    return { attributes, peer, destination };
  };
}

/** Who may speak for others is said by what is not known. */
function refuseUnknown({ trustedRanges, trustedIds }: ClientCertHeaders, unsent: Unsent | undefined): void {
  if (unsent?.peer !== undefined && trustedRanges.length > 0) throw unsent.peer;
  if (unsent?.identity !== undefined && trustedIds.length > 0) throw unsent.identity;
}

/** Metadata of the route do not come on ext_proc: who reads them cannot decide. */
function noRouteMetadata(): never {
  throw new GatehouseError("bad_request", "metadata of the route are not known on ext_proc");
}

function text(told: JsonObject, name: string): string | undefined {
  const value = member(told, name);
  return typeof value === "string" ? value : undefined;
}

/**
 * The names of the caller's certificate that Envoy tells of: the first URI SAN, the first DNS SAN, the subject;
 * undefined without one. `connection.mtls` is always there when Envoy was asked for it, and so is the subject, perhaps
 * empty, of a certificate.
 */
function namesOf(told: JsonObject): {
  readonly names: readonly string[] | undefined;
  readonly fault: boolean;
} {
  const isPresented: JsonValue | undefined = member(told, "connection.mtls");
  if (isPresented === false) return { names: undefined, fault: false };
  const subject = text(told, "connection.subject_peer_certificate");
  if (isPresented !== true || subject === undefined) return { names: undefined, fault: true };
  const sans = [
    text(told, "connection.uri_san_peer_certificate"),
    text(told, "connection.dns_san_peer_certificate"),
  ];
  const names = [...sans.filter((san) => san !== undefined && san !== ""), subject];
  return { names: names.map((name) => toBytes(name ?? "")), fault: false };
}

/** As Envoy names a peer: the first URI SAN, else the first DNS SAN, else the subject. */
function localPrincipal(told: JsonObject): string {
  return (
    text(told, "connection.uri_san_local_certificate") ||
    text(told, "connection.dns_san_local_certificate") ||
    text(told, "connection.subject_local_certificate") ||
    ""
  );
}

const faults: { readonly [Part in keyof Unsent]: Error } = {
  peer: fault(peerAttribute),
  identity: fault("connection.mtls` and `connection.subject_peer_certificate"),
  destination: fault("destination.address"),
  sni: fault("connection.requested_server_name"),
};

function fault(name: string): Error {
  const message = `Envoy does not send \`${name}\`, expected among the filter's \`request_attributes\``;
  return new GatehouseError("bad_request", message);
}

function unsentOf(missing: { readonly [Part in keyof Unsent]: boolean }): Unsent | undefined {
  if (!missing.peer && !missing.identity && !missing.destination && !missing.sni) return undefined;
  return {
    peer: missing.peer ? faults.peer : undefined,
    identity: missing.identity ? faults.identity : undefined,
    destination: missing.destination ? faults.destination : undefined,
    sni: missing.sni ? faults.sni : undefined,
  };
}

/** Connections have many requests one after the other, so what was read last is often what is asked for. */
function rememberLast<Result>(
  read: (text: string | undefined) => Result,
): (text: string | undefined) => Result {
  let lastText: string | undefined;
  let last = read(undefined);
  return (text) => {
    if (text === lastText) return last;
    last = read(text);
    lastText = text;
    return last;
  };
}

/** `IP:PORT`, `[IP]:PORT`, or an address alone; what is none of these is unknown. */
function endpoint(address: string | undefined): { readonly ip: Ip | undefined; readonly port: number } {
  if (address === undefined) return { ip: undefined, port: 0 };
  const [, v6, v4, digits = "0"] = /^(?:\[([^\]]+)\]|([0-9.]+))(?::([0-9]{1,5}))?$/.exec(address) ?? [];
  const ip = parseZonedIp(v6 ?? v4 ?? address);
  return { ip, port: ip === undefined ? 0 : Number(digits) };
}

/** `2026-11-22T04:09:39.541111+00:00`. */
function timeOf(told: JsonObject): number {
  const time = Date.parse(text(told, "request.time") ?? "");
  return Number.isNaN(time) ? 0 : time;
}

function httpOf(headers: HeaderLines, told: JsonObject): HttpRequest {
  const path = headers.get(":path")?.[0] ?? "";
  return {
    id: "",
    method: headers.get(":method")?.[0] ?? "",
    host: headers.get(":authority")?.[0] ?? "",
    path,
    urlPath: urlPathOf(path),
    scheme: text(told, "request.scheme") ?? headers.get(":scheme")?.[0] ?? "",
    protocol: text(told, "request.protocol") ?? "",
    headers,
    size: sizeOf(headers, told),
    body: noBody,
  };
}

function sizeOf(headers: HeaderLines, told: JsonObject): number {
  const size = member(told, "request.size");
  if (typeof size === "number") return size;
  const length = headers.get("content-length")?.[0] ?? "";
  return /^[0-9]{1,15}$/.test(length) ? Number(length) : -1;
}
