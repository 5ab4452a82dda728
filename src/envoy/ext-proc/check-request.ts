import { Buffer } from "node:buffer";
import { type ByteString, toText } from "../../attributes/index.js";
import type { CheckRequest } from "../../proto/index.js";
import { toStruct } from "../struct.js";
import type { BesideRequest } from "./exchange.js";
import type { HeaderLines } from "./message.js";
import type { ReadRequest } from "./request.js";

type Attributes = NonNullable<CheckRequest["attributes"]>;
type Endpoint = NonNullable<Attributes["source"]>;

/** Namespaces of other filters that are passed on where Envoy forwards them. */
const namespaces = [
  "envoy.filters.http.jwt_authn",
  "envoy.filters.http.rbac",
  "envoy.filters.http.ext_authz",
];

/**
 * The CheckRequest that Envoy's ext_authz filter would have sent, for Rego's `input` and for external providers. Headers
 * are joined by commas, as without `encode_raw_headers`. `body`: of the request, which headers are made true
 * for; undefined: it is not told. Missing: the caller's certificate, the stream's id,
 * labels of the destination, metadata of the route and of filters beside `jwt_authn`, `rbac` and `ext_authz`. Throws
 * where the filter's `request_attributes` keep back who calls: a policy in any language may read it.
 */
export function toCheckRequest(
  { attributes, peer, destination }: ReadRequest,
  beside: BesideRequest,
  body?: Uint8Array,
): CheckRequest {
  const { unsent, request, time } = attributes;
  const fault = unsent?.peer ?? unsent?.identity ?? unsent?.destination ?? unsent?.sni;
  if (fault !== undefined) throw fault;
  const http =
    request === undefined
      ? undefined
      : {
          method: wireText(request.method),
          path: wireText(request.path),
          host: wireText(request.host),
          scheme: request.scheme,
          protocol: request.protocol,
          size: request.size,
          headers: joined(withBody(request.headers, body)),
          ...(body !== undefined && { raw_body: Buffer.from(body) }),
        };
  const metadata = namespaces.flatMap((name) => {
    const found = beside.metadata(name);
    return found === undefined ? [] : [[name, toStruct(found)] as const];
  });
  return {
    attributes: {
      source: endpoint(peer),
      destination: endpoint(attributes.destination),
      request: {
        ...(time > 0 && { time: { seconds: Math.floor(time / 1000), nanos: (time % 1000) * 1e6 } }),
        ...(http !== undefined && { http }),
      },
      context_extensions: { ...destination.extensions },
      metadata_context: { filter_metadata: Object.fromEntries(metadata) },
      ...(attributes.sni !== "" && { tls_session: { sni: wireText(attributes.sni) } }),
    },
  };
}

function endpoint({ ip, port, principal }: ReadRequest["peer"]): Endpoint {
  const socket =
    ip === undefined ? {} : { address: { socket_address: { address: ip.text, port_value: port } } };
  return { ...socket, principal };
}

/**
 * Makes headers say of the body that stands beside them what is true: its length, where it was decoded; that it is whole,
 * of which Envoy tells ext_authz and a client could tell us the contrary; and its type as readers of `parsed_body` know
 * it, which take no heed of another case or of `application/problem+json`.
 */
function withBody(headers: HeaderLines, body: Uint8Array | undefined): HeaderLines {
  if (body === undefined) return headers;
  const told = new Map(headers).set("x-envoy-auth-partial-body", ["false"]);
  if (headers.has("content-length")) told.set("content-length", [String(body.length)]);
  const [type = "", ...others] = headers.get("content-type") ?? [];
  const name = (/^[^;\s]+/.exec(type)?.[0] ?? "").toLowerCase();
  if (name === "" || others.length > 0) return told;
  const isJson = name === "text/json" || (name.startsWith("application/") && name.endsWith("+json"));
  const line = `${isJson ? "application/json" : name}${type.slice(name.length)}`;
  return line === type ? told : told.set("content-type", [line]);
}

function joined(headers: HeaderLines): Record<string, string> {
  return Object.fromEntries(Array.from(headers, ([name, lines]) => [name, wireText(lines.join(","))]));
}

/** Protobuf's strings are UTF-8: Envoy puts `!` for each byte that is not, too. */
function wireText(bytes: ByteString): string {
  return toText(bytes).replaceAll("\ufffd", "!");
}
