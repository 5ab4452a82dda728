import type { CheckRequest } from "../src/proto/index.js";
import { makeAuthority, spiffe } from "../test/support/certificates.js";
import { benchWorkload } from "./policies.js";

/** Variants of the one request that is measured. */
export interface RequestVariant {
  /** The client's certificate stands in the request, as with `include_peer_certificate` and mutual TLS. */
  readonly certificate: boolean;
  /** `raw`: `header_map`, as with `encode_raw_headers`; `joined`: the map `headers`. */
  readonly headers: "raw" | "joined";
}

/** What a browser behind an ingress sends: 16 lines, one kilobyte. */
export const requestHeaders: readonly (readonly [name: string, value: string])[] = [
  [":authority", "shop.example.com"],
  [":path", "/api/v1/carts/8f14e45f?currency=EUR&expand=items"],
  [":method", "GET"],
  [":scheme", "https"],
  [
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
  ],
  ["accept", "application/json, text/plain, */*"],
  ["accept-encoding", "gzip, deflate, br"],
  ["accept-language", "en-GB,en;q=0.8,de;q=0.5"],
  ["authorization", `Bearer ${"eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.".padEnd(300, "x")}`],
  ["cookie", `session=${"s".repeat(120)}; theme=dark`],
  ["referer", "https://shop.example.com/carts"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  ["x-forwarded-for", "10.1.2.3"],
  ["x-forwarded-proto", "https"],
  ["x-request-id", "0b9cfa6a-54d8-4a57-8f7b-7b7c1d8ad3b1"],
  ["x-tenant", "acme"],
];

let certificate: string | undefined;

/** The request as Envoy describes it to an authorizer, with the context extensions of our bootstraps. */
export function benchRequest(variant: RequestVariant): CheckRequest {
  const headers = Object.fromEntries(requestHeaders);
  const lines =
    variant.headers === "joined"
      ? { headers }
      : {
          header_map: {
            headers: requestHeaders.map(([key, value]) => ({ key, raw_value: Buffer.from(value, "latin1") })),
          },
        };
  certificate ??= encodeURIComponent(makeAuthority().issue(spiffe("shop", "web")).cert);
  return {
    attributes: {
      source: {
        address: { socket_address: { address: "10.1.2.3", port_value: 41_234 } },
        ...(variant.certificate ? { principal: "spiffe://cluster.local/ns/shop/sa/web", certificate } : {}),
      },
      destination: {
        address: { socket_address: { address: "10.9.0.7", port_value: 8080 } },
        ...(variant.certificate ? { principal: "spiffe://cluster.local/ns/shop/sa/cart" } : {}),
      },
      request: {
        time: { seconds: "1767225600", nanos: 123_456_000 },
        http: {
          id: "1234567890123456789",
          method: "GET",
          ...lines,
          path: headers[":path"] ?? "",
          host: headers[":authority"] ?? "",
          scheme: "https",
          protocol: "HTTP/2",
        },
      },
      context_extensions: {
        "destination.namespace": benchWorkload.namespace,
        "destination.workload.name": benchWorkload.name,
        "destination.workload.type": "sidecar",
        "destination.labels[app]": benchWorkload.labels.app,
        "destination.service.name": benchWorkload.name,
        "xff.use_remote_address": "true",
        "xff.num_trusted_hops": "0",
      },
      metadata_context: {},
      route_metadata_context: {},
      tls_session: variant.certificate ? { sni: "shop.example.com" } : {},
    },
  };
}
