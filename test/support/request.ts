import { type Attributes, type HttpRequest, parseIp, type Workload } from "../../src/attributes/index.js";

/**
 * Builds the attributes of a request for a test: `aRequest().from("ns/default/sa/web").get("/x").build()`.
 */
export interface RequestBuilder {
  readonly get: (path: string) => RequestBuilder;
  readonly method: (method: string, path: string) => RequestBuilder;
  readonly host: (host: string) => RequestBuilder;
  readonly header: (name: string, ...lines: string[]) => RequestBuilder;
  /** A SPIFFE id of the trust domain `cluster.local`, or whole names of a certificate. */
  readonly from: (...names: string[]) => RequestBuilder;
  readonly ip: (source: string, remote?: string) => RequestBuilder;
  readonly port: (port: number) => RequestBuilder;
  readonly claims: (payload: NonNullable<Attributes["auth"]>["payload"]) => RequestBuilder;
  readonly to: (workload: Workload) => RequestBuilder;
  /** Anything else about it. */
  readonly with: (changes: Partial<Attributes>) => RequestBuilder;
  readonly tcp: () => RequestBuilder;
  readonly build: () => Attributes;
}

const plain: Attributes = {
  protocol: "http",
  time: 0,
  source: { ip: parseIp("10.0.0.1"), port: 40_000, principal: "" },
  destination: { ip: parseIp("10.0.0.2"), port: 8080, principal: "" },
  remoteIp: parseIp("10.0.0.1"),
  identity: undefined,
  tls: false,
  sni: "",
  workload: undefined,
  request: undefined,
  metadata: () => undefined,
  routeMetadata: () => undefined,
  auth: undefined,
};

/** Begins a request: a GET of `/` without a client certificate, until told otherwise. */
export function aRequest(): RequestBuilder {
  return builder(plain, "GET", "/", "example.com", new Map());
}

/** A sidecar in namespace `foo` with the labels of Istio's samples. */
export function aWorkload(overrides: Partial<Workload> = {}): Workload {
  const labels = new Map([
    ["app", "httpbin"],
    ["version", "v1"],
  ]);
  return { namespace: "foo", name: "httpbin", type: "sidecar", labels, services: [], ...overrides };
}

function builder(
  base: Attributes,
  method: string,
  path: string,
  host: string,
  extra: ReadonlyMap<string, readonly string[]>,
): RequestBuilder {
  const next = (changes: Partial<Attributes>): RequestBuilder =>
    builder({ ...base, ...changes }, method, path, host, extra);
  return {
    get: (p) => builder(base, "GET", p, host, extra),
    method: (m, p) => builder(base, m, p, host, extra),
    host: (h) => builder(base, method, path, h, extra),
    header: (name, ...lines) =>
      builder(base, method, path, host, new Map(extra).set(name.toLowerCase(), lines)),
    from: (...names) => {
      const full = names.map((name) => (name.startsWith("ns/") ? `spiffe://cluster.local/${name}` : name));
      return next({ identity: { names: full }, tls: true });
    },
    ip: (source, remote = source) =>
      next({ source: { ...base.source, ip: parseIp(source) }, remoteIp: parseIp(remote) }),
    port: (port) => next({ destination: { ...base.destination, port } }),
    claims: (payload) => next({ auth: { payload } }),
    to: (workload) => next({ workload }),
    with: next,
    tcp: () => next({ protocol: "tcp" }),
    build: () => (base.protocol === "tcp" ? base : { ...base, request: http(method, path, host, extra) }),
  };
}

function http(
  method: string,
  path: string,
  host: string,
  extra: ReadonlyMap<string, readonly string[]>,
): HttpRequest {
  const cut = path.search(/[?#]/);
  return {
    id: "1",
    method,
    host,
    path,
    urlPath: cut < 0 ? path : path.slice(0, cut),
    scheme: "http",
    protocol: "HTTP/1.1",
    headers: new Map([[":method", [method]], [":path", [path]], [":authority", [host]], ...extra]),
    size: -1,
    body: new Uint8Array(),
  };
}
