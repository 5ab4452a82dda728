import {
  type ByteString,
  type JsonObject,
  type JsonValue,
  lowerAscii,
  member,
  toText,
} from "../attributes/index.js";
import type { Report } from "../report/index.js";
import { type Masks, maskText } from "./mask.js";
import { known, type Operator, plain, type Read } from "./operator.js";

/** `NAME` or `NAME?OTHER`. */
const headerArgument = /^([^?\s]+)(?:\?([^?\s]+))?$/;

type Find = (report: Report) => ByteString | undefined;

/** An operator that reads a header, or another one where it is missing; masked. */
function headerOperator(find: (name: string) => Find, change: (value: ByteString) => ByteString): Operator {
  return (argument = "", masks: Masks) => {
    const match = headerArgument.exec(argument);
    if (match === null) return { expected: "a header's name, or two with `?` between them" };
    const names = match.slice(1).flatMap((name) => (name === undefined ? [] : lowerAscii(name)));
    const reads = names.map((name) => ({ find: find(name), mask: masks.headerMask(name) }));
    return (report) => {
      for (const { find, mask } of reads) {
        const value = find(report);
        if (value !== undefined) return toText(mask(change(value)));
      }
      return undefined;
    };
  };
}

/** What entries have beside the headers that Envoy was told to log. */
const ofRequest: Readonly<Record<string, Find>> = {
  ":authority": ({ attributes: { request } }) => known(request?.host),
  host: ({ attributes: { request } }) => known(request?.host),
  ":method": ({ attributes: { request } }) => known(request?.method),
  ":path": ({ attributes: { request } }) => known(request?.path),
  ":scheme": ({ attributes: { request } }) => known(request?.scheme),
};

function requestHeader(name: string): Find {
  if (Object.hasOwn(ofRequest, name)) return ofRequest[name] as Find;
  return ({ attributes: { request } }) => request?.headers.get(name)?.[0];
}

const asItIs = (value: ByteString): ByteString => value;
const withoutQuery = (value: ByteString): ByteString => value.replace(/[?#].*$/s, "");

/** google.rpc.Code in Envoy's `CAMEL_STRING`. */
const grpcCodes = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

function snake(name: string): string {
  if (name === "OK") return name;
  if (name === "Canceled") return "CANCELLED";
  return name.replace(/(?!^)[A-Z]/g, "_$&").toUpperCase();
}

const snakeCodes = grpcCodes.map(snake);

const grpcStatus: Operator = (argument = "CAMEL_STRING") => {
  if (argument === "NUMBER") return ({ response }) => response?.grpcStatus;
  const names =
    argument === "CAMEL_STRING" ? grpcCodes : argument === "SNAKE_STRING" ? snakeCodes : undefined;
  if (names === undefined) return { expected: "CAMEL_STRING, SNAKE_STRING or NUMBER" };
  return ({ response }) => {
    const code = response?.grpcStatus;
    return code === undefined ? undefined : (names[code] ?? String(code));
  };
};

/** Claims that may be read; the others say more of the caller than a log should. */
const writtenClaims: ReadonlySet<string> = new Set(["iss", "sub", "aud", "azp", "exp"]);
/** Filters that put verified tokens into their metadata: below a key of theirs. */
const tokenFilters: ReadonlySet<string> = new Set(["envoy.filters.http.jwt_authn", "istio_authn"]);

/** `NAMESPACE`, `NAMESPACE:KEY`, `NAMESPACE:KEY:KEY` …; tokens' claims are masked. */
const dynamicMetadata: Operator = (argument = "") => {
  const [filter = "", ...keys] = argument.split(":");
  if (filter === "" || keys.includes("")) return { expected: "a namespace, or one with keys behind `:`" };
  const mask = tokenFilters.has(filter) ? maskClaims : (value: JsonValue): JsonValue => value;
  return ({ attributes }) => {
    const found = attributes.metadata(filter);
    const [first] = keys;
    if (found === undefined) return undefined;
    let value: JsonValue | undefined = mask(first === undefined ? found : pick(found, first), 0);
    for (const key of keys) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
      value = member(value as JsonObject, key);
    }
    return value ?? undefined;
  };
};

/** Only the part that is read, so that no more is masked than is needed. */
function pick(metadata: JsonObject, key: string): JsonObject {
  const value = member(metadata, key);
  return value === undefined ? {} : Object.fromEntries([[key, value]]);
}

/** Depth 0: keys of the filter; 1: claims. */
function maskClaims(value: JsonValue, depth: number): JsonValue {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return maskText;
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([name, part]): [string, JsonValue] => {
      if (depth === 0) return [name, maskClaims(part, 1)];
      return [name, writtenClaims.has(name) ? part : maskText];
    }),
  );
}

const path: Operator = (argument = "WQ", masks) => {
  const [query = "", which = "ORIG_OR_PATH"] = argument.split(":");
  if (!["WQ", "NQ"].includes(query) || !["PATH", "ORIG", "ORIG_OR_PATH"].includes(which)) {
    return { expected: "WQ or NQ, and behind `:` PATH, ORIG or ORIG_OR_PATH" };
  }
  return ({ attributes: { request } }) =>
    request === undefined
      ? undefined
      : known(toText(query === "WQ" ? masks.url(request.path) : request.urlPath));
};

const grpcNumber: Read = ({ response }) => response?.grpcStatus;

/** Operators of HTTP. */
export const httpOperators: readonly (readonly [name: string, operator: Operator])[] = [
  ["REQ", headerOperator(requestHeader, asItIs)],
  ["REQ_WITHOUT_QUERY", headerOperator(requestHeader, withoutQuery)],
  [
    "RESP",
    headerOperator(
      (name) =>
        ({ response }) =>
          response?.headers.get(name),
      asItIs,
    ),
  ],
  [
    "TRAILER",
    headerOperator(
      (name) =>
        ({ response }) =>
          response?.trailers.get(name),
      asItIs,
    ),
  ],
  ["PATH", path],
  ["GRPC_STATUS", grpcStatus],
  ["GRPC_STATUS_NUMBER", plain(grpcNumber)],
  ["DYNAMIC_METADATA", dynamicMetadata],
];
