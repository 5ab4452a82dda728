import { Buffer } from "node:buffer";
import type { HttpRequest } from "../../src/attributes/index.js";
import { noEdits, type ProviderRequest } from "../../src/engine/index.js";
import type { CheckRequest } from "../../src/proto/index.js";
import { loadProtos } from "../../src/server/protos.js";

/** An HTTP request as the engine shows it to a provider. Header names in lower case. */
export function anHttpRequest(
  changes: Partial<Omit<HttpRequest, "headers">> & { headers?: Record<string, string | string[]> } = {},
): HttpRequest {
  const { headers = {}, ...rest } = changes;
  const path = rest.path ?? "/";
  const lines = Object.entries(headers).map(([name, value]) => [name, [value].flat()] as const);
  return {
    id: "1",
    method: "GET",
    host: "shop.example",
    path,
    urlPath: path.replace(/[?#].*$/, ""),
    scheme: "http",
    protocol: "HTTP/1.1",
    size: -1,
    body: new Uint8Array(0),
    ...rest,
    headers: new Map([[":path", [path]], ...lines]),
  };
}

/** What a provider is asked with; without a request it is TCP. */
export function aQuestion(request?: HttpRequest): ProviderRequest {
  return {
    attributes: {
      protocol: request === undefined ? "tcp" : "http",
      time: 0,
      source: { ip: undefined, port: 0, principal: "" },
      destination: { ip: undefined, port: 0, principal: "" },
      remoteIp: undefined,
      identity: undefined,
      tls: false,
      sni: "",
      workload: undefined,
      request,
      metadata: () => undefined,
      routeMetadata: () => undefined,
      auth: undefined,
    },
    workload: undefined,
    edits: noEdits,
    original: loadProtos().check.requestSerialize(asCheckRequest(request)),
  };
}

function asCheckRequest(request: HttpRequest | undefined): CheckRequest {
  if (request === undefined) return { attributes: { source: { principal: "spiffe://td/ns/a/sa/b" } } };
  const lines = [...request.headers].flatMap(([key, values]) => values.map((value) => [key, value] as const));
  const headers = lines.map(([key, value]) => ({ key, raw_value: Buffer.from(value, "latin1") }));
  const { method, host, path } = request;
  return { attributes: { request: { http: { method, host, path, header_map: { headers } } } } };
}
