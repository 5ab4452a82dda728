import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { CheckResponse__Output } from "../../src/proto/index.js";

/** One request of the corpus and what the real OPA-Envoy answered; see its README for the fields. */
export interface RegoCase {
  readonly id: string;
  readonly module_id: string;
  readonly module: string;
  readonly data: unknown;
  readonly entrypoint: string;
  readonly plugin_config: Readonly<Record<string, unknown>>;
  readonly request_b64: string;
  readonly response?: PeerResponse;
  readonly error?: { readonly code: number; readonly message: string };
  readonly outcome: "allow" | "deny" | "bad-request" | "error";
  readonly wasm_class: string;
  readonly opa_version_sensitive?: boolean;
}

/** A CheckResponse as protojson. */
interface PeerResponse {
  readonly status?: { readonly code?: number };
  readonly okResponse?: {
    readonly headers?: readonly PeerHeader[];
    readonly headersToRemove?: readonly string[];
    readonly responseHeadersToAdd?: readonly PeerHeader[];
    readonly queryParametersToSet?: readonly { readonly key?: string; readonly value?: string }[];
    readonly queryParametersToRemove?: readonly string[];
  };
  readonly deniedResponse?: {
    readonly status?: { readonly code?: string };
    readonly headers?: readonly PeerHeader[];
    readonly body?: string;
  };
  readonly dynamicMetadata?: Readonly<Record<string, unknown>>;
}

interface PeerHeader {
  readonly header?: { readonly key?: string; readonly value?: string };
}

/** What both answers are compared as. */
interface Answer {
  readonly verdict: "allow" | "deny" | "error";
  readonly status: number;
  readonly body: unknown;
  readonly headers: readonly string[];
  readonly headersToRemove: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly querySet: readonly string[];
  readonly queryRemove: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Reads a corpus, plain or gzipped. */
export function readRegoCorpus(file: string): readonly RegoCase[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RegoCase);
}

/** What our answer differs in from the peer's; empty when they agree, as the corpus's README says it. */
export function disagreements(one: RegoCase, ours: CheckResponse__Output | undefined): readonly string[] {
  const found = ours === undefined ? undefined : ourAnswer(ours);
  if (one.error !== undefined || one.response === undefined) {
    const refused = found === undefined || found.verdict === "deny";
    return refused ? [] : [`peer gives error ${one.error?.message}, ours allows`];
  }
  if (found === undefined) return ["ours gives a gRPC error"];
  const peer = peerAnswer(one.response);
  const points: string[] = [];
  for (const field of Object.keys(peer) as (keyof Answer)[]) {
    if (field === "metadata") points.push(...metadataPoints(peer.metadata, found.metadata));
    else if (one.outcome === "bad-request" && field === "body") continue;
    else if (!same(peer[field], found[field])) {
      points.push(`${field}: peer ${JSON.stringify(peer[field])}, ours ${JSON.stringify(found[field])}`);
    }
  }
  return points;
}

/** Ours may have further keys; what a decision's id is does not matter. */
function metadataPoints(peer: Answer["metadata"], ours: Answer["metadata"]): string[] {
  return Object.entries(peer).flatMap(([key, value]) => {
    const other = ours[key];
    if (key === "decision_id" ? typeof other === "string" && other !== "" : same(value, other)) return [];
    return [`metadata ${key}: peer ${JSON.stringify(value)}, ours ${JSON.stringify(other)}`];
  });
}

const statuses: Readonly<Record<string, number>> = {
  Continue: 100,
  OK: 200,
  Created: 201,
  Accepted: 202,
  NonAuthoritativeInformation: 203,
  NoContent: 204,
  ResetContent: 205,
  PartialContent: 206,
  MultiStatus: 207,
  AlreadyReported: 208,
  IMUsed: 226,
  MultipleChoices: 300,
  MovedPermanently: 301,
  Found: 302,
  SeeOther: 303,
  NotModified: 304,
  UseProxy: 305,
  TemporaryRedirect: 307,
  PermanentRedirect: 308,
  BadRequest: 400,
  Unauthorized: 401,
  PaymentRequired: 402,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  ProxyAuthenticationRequired: 407,
  RequestTimeout: 408,
  Conflict: 409,
  Gone: 410,
  LengthRequired: 411,
  PreconditionFailed: 412,
  PayloadTooLarge: 413,
  URITooLong: 414,
  UnsupportedMediaType: 415,
  RangeNotSatisfiable: 416,
  ExpectationFailed: 417,
  MisdirectedRequest: 421,
  UnprocessableEntity: 422,
  Locked: 423,
  FailedDependency: 424,
  UpgradeRequired: 426,
  PreconditionRequired: 428,
  TooManyRequests: 429,
  RequestHeaderFieldsTooLarge: 431,
  InternalServerError: 500,
  NotImplemented: 501,
  BadGateway: 502,
  ServiceUnavailable: 503,
  GatewayTimeout: 504,
  HTTPVersionNotSupported: 505,
  VariantAlsoNegotiates: 506,
  InsufficientStorage: 507,
  LoopDetected: 508,
  NotExtended: 510,
  NetworkAuthenticationRequired: 511,
};

function peerAnswer({
  status,
  okResponse: ok,
  deniedResponse: denied,
  dynamicMetadata,
}: PeerResponse): Answer {
  const allowed = (status?.code ?? 0) === 0;
  const name = denied?.status?.code ?? "Forbidden";
  return {
    verdict: allowed ? "allow" : "deny",
    status: allowed ? 200 : (statuses[name] ?? Number.NaN),
    body: loose(denied?.body ?? ""),
    headers: pairs(allowed ? ok?.headers : denied?.headers),
    headersToRemove: [...(ok?.headersToRemove ?? [])].sort(),
    responseHeaders: pairs(ok?.responseHeadersToAdd),
    querySet: (ok?.queryParametersToSet ?? []).map(({ key = "", value = "" }) => `${key}=${value}`).sort(),
    queryRemove: [...(ok?.queryParametersToRemove ?? [])].sort(),
    metadata: dynamicMetadata ?? {},
  };
}

function ourAnswer(response: CheckResponse__Output): Answer {
  const { status, ok_response: ok, denied_response: denied, dynamic_metadata: metadata } = response;
  const allowed = (status?.code ?? 0) === 0;
  return {
    verdict: allowed ? "allow" : "deny",
    status: allowed ? 200 : Number(denied?.status?.code ?? 403),
    body: loose(denied?.body ?? ""),
    headers: pairs((allowed ? ok?.headers : denied?.headers) as readonly PeerHeader[] | undefined),
    headersToRemove: [...(ok?.headers_to_remove ?? [])].sort(),
    responseHeaders: pairs(ok?.response_headers_to_add as readonly PeerHeader[] | undefined),
    querySet: (ok?.query_parameters_to_set ?? []).map(({ key = "", value = "" }) => `${key}=${value}`).sort(),
    queryRemove: [...(ok?.query_parameters_to_remove ?? [])].sort(),
    metadata: struct(metadata),
  };
}

function pairs(headers: readonly PeerHeader[] = []): readonly string[] {
  return headers
    .map(({ header }) => `${header?.key ?? ""}: ${JSON.stringify(loose(header?.value ?? ""))}`)
    .sort();
}

/** A text that is JSON compares as JSON. */
function loose(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return { json: JSON.parse(text) as unknown };
  } catch {
    return text;
  }
}

interface Struct {
  readonly fields?: Readonly<Record<string, StructValue>> | undefined;
}

interface StructValue {
  readonly kind?: string;
  readonly [kind: string]: unknown;
}

function struct(value: unknown): Readonly<Record<string, unknown>> {
  const { fields = {} } = (value ?? {}) as Struct;
  return Object.fromEntries(Object.entries(fields).map(([key, member]) => [key, plain(member)]));
}

function plain(value: StructValue): unknown {
  if (value["structValue"] !== undefined && value["structValue"] !== null)
    return struct(value["structValue"]);
  const list = value["listValue"] as { readonly values?: readonly StructValue[] } | null | undefined;
  if (list !== undefined && list !== null) return (list.values ?? []).map(plain);
  if (value.kind === "numberValue") return value["numberValue"];
  if (value.kind === "boolValue") return value["boolValue"];
  return value.kind === "stringValue" ? value["stringValue"] : null;
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") return a === b;
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value === "string") return loose(value) === value ? value : sorted(loose(value));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, member]) => [key, sorted(member)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
