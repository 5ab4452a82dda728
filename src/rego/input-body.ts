import {
  bytesOf,
  ContentError,
  type Descriptors,
  decodeForm,
  decodeGrpc,
  decodeJson,
  decodeMultipart,
} from "../content/index.js";
import type { Seen } from "./input-fields.js";

/** JSON text of `parsed_body`, and `truncated_body`. */
export interface ParsedBody {
  readonly json: string;
  readonly truncated: boolean;
}

const none: ParsedBody = { json: "null", truncated: false };
const cut: ParsedBody = { json: "null", truncated: true };

/**
 * The body as OPA-Envoy parses it: only `headers` is asked, by exact lower-case name, and the content type by parts of its text.
 * Throws a ContentError for a body or content-length that is a bad request. `path` is the unescaped path's segments.
 */
export function parseBody(seen: Seen, path: readonly string[], grpc: Descriptors | undefined): ParsedBody {
  if (header(seen, '"x-envoy-auth-partial-body"') === "true") return cut;
  const type = header(seen, '"content-type"');
  if (type === undefined) return none;
  if (type.includes("application/json")) return parsed(seen, decodeJson);
  if (type.includes("application/grpc")) return grpc === undefined ? none : grpcBody(seen, path, grpc);
  if (type.includes("application/x-www-form-urlencoded")) return parsed(seen, decodeForm);
  if (type.includes("multipart/form-data"))
    return parsed(seen, (body) => decodeMultipart(body, type) ?? "null");
  return none;
}

/** A header's value; names are JSON texts. */
function header({ headers }: Seen, name: string): string | undefined {
  const text = headers?.get(name);
  return text === undefined ? undefined : (JSON.parse(text) as string);
}

function parsed(seen: Seen, decode: (body: Uint8Array) => string): ParsedBody {
  const body = bytesOfBody(seen);
  if (body === undefined) return none;
  const length = header(seen, '"content-length"');
  if (length !== undefined && declared(length) > BigInt(body.length)) return cut;
  return { json: decode(body), truncated: false };
}

function bytesOfBody({ body, rawBody }: Seen): Uint8Array | undefined {
  if (body !== undefined && body.end > body.start) return bytesOf(body);
  return rawBody !== undefined && rawBody.end > rawBody.start ? bytesOf(rawBody) : undefined;
}

/** Go's strconv.ParseInt of 64 bits. */
function declared(length: string): bigint {
  const value = /^[+-]?\d{1,400}$/.test(length) ? BigInt(length.replace(/^\+/, "")) : undefined;
  if (value === undefined || BigInt.asIntN(64, value) !== value) {
    throw new ContentError("bad_frame", "content-length is no integer");
  }
  return value;
}

function grpcBody({ rawBody }: Seen, path: readonly string[], known: Descriptors): ParsedBody {
  if (rawBody === undefined || rawBody.end === rawBody.start) return none;
  const [service = "", method = ""] = path;
  if (path.length !== 2) throw new ContentError("bad_frame", "path of a grpc request has not two segments");
  const found = decodeGrpc(bytesOf(rawBody), service, method, known);
  if (found.kind === "truncated") return cut;
  return found.kind === "unknown" ? none : { json: found.json, truncated: false };
}
