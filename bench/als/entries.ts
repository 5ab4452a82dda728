import { encode, type Plain, socket, struct } from "../../test/unit/envoy/als-messages.js";
import { frameOf } from "../load/grpc-call.js";
import { NUMBER_PLACE } from "../load/job.js";

/** What a proxy sends. */
export interface ProxyLog {
  /** The message that says who reports, without entries. */
  readonly first: Buffer;
  readonly messages: readonly LogMessage[];
}

/** A frame with some entries, and where each of them has its number, of which there are `PLACES`. */
export interface LogMessage {
  readonly frame: Buffer;
  readonly entries: number;
  readonly numbersAt: readonly number[];
}

/** Times that the number of an entry stands in it: in its path, decision, request, stream and trace. */
const PLACES = 5;

/** `buffer_size_bytes` of our bootstraps: a message goes when its entries have so many bytes. */
const BUFFER = 16_384;
/** Requests of different callers, times and answers, before they begin again with new numbers. */
const MESSAGES = 60;
/** Callers of each proxy's workload. */
const CALLERS = 5;

/** How many of a thousand traces are sampled by whoever began them. */
export type Sampled = 10 | 1_000;

/** The log of the proxy in front of one of some workloads, as a real Envoy 1.40 with our bootstraps batches it. */
export function proxyLog(proxy: number, sampled: Sampled): ProxyLog {
  const random = seeded(proxy + 1);
  const messages = Array.from({ length: MESSAGES }, (_, turn) => {
    const entries: Plain[] = [];
    for (let bytes = 0; bytes < BUFFER; ) {
      const entry = anEntry(proxy, turn * 16 + entries.length, sampled, random);
      entries.push(entry);
      bytes += encode({ http_logs: { log_entry: [entry] } }).length - 6;
    }
    const frame = frameOf(encode({ http_logs: { log_entry: entries } }));
    return { frame, entries: entries.length, numbersAt: placesOf(frame) };
  });
  return { first: frameOf(encode({ identifier: { node: nodeOf(proxy), log_name: "gatehouse" } })), messages };
}

/** The message as one frame, its entries with numbers from `first` on. */
export function numbered({ frame, numbersAt }: LogMessage, first: number): Buffer {
  const fresh = Buffer.from(frame);
  for (const [i, at] of numbersAt.entries()) {
    const number = String(first + Math.floor(i / PLACES)).padStart(NUMBER_PLACE.length, "0");
    fresh.write(number, at, "latin1");
  }
  return fresh;
}

function placesOf(frame: Buffer): number[] {
  const places: number[] = [];
  for (let at = frame.indexOf(NUMBER_PLACE); at >= 0; at = frame.indexOf(NUMBER_PLACE, at + 1))
    places.push(at);
  return places;
}

/** A real Envoy names some 800 extensions in front of its log: 62 KB. */
function nodeOf(proxy: number): Plain {
  return {
    id: `sidecar~10.0.${proxy}.7~app-${proxy}-0.shop~shop.svc.cluster.local`,
    cluster: `app-${proxy}.shop`,
    metadata: struct({
      NAMESPACE: "shop",
      WORKLOAD_NAME: `app-${proxy}`,
      CLUSTER_ID: "Kubernetes",
      LABELS: { app: `app-${proxy}`, version: "v1" },
    }),
    extensions: Array.from({ length: 800 }, (_, i) => ({
      name: `envoy.filters.http.extension_${i}`,
      category: "envoy.filters.http",
      type_urls: ["envoy.extensions.filters.v3.Config"],
    })),
  };
}

const codes = [200, 200, 200, 200, 201, 404, 200, 200, 500, 200];
const methods = ["GET", "GET", "GET", "POST"];

function anEntry(proxy: number, index: number, sampled: Sampled, random: () => number): Plain {
  const caller = index % CALLERS;
  const host = `app-${proxy}.shop.svc.cluster.local`;
  const denied = index % 20 === 19;
  const pick = <T>(list: readonly T[]): T => list[index % list.length] as T;
  const shuffled = (object: Plain): Plain => shuffle(object, random);
  const nanos = (ms: number): Plain => ({ nanos: Math.round((ms + random()) * 1e6) });
  const uuid = `0b9cfa6a-54d8-4a57-8f7b-0000${NUMBER_PLACE}`;
  const took = 4 + random() * 40;
  const flag = Math.floor(random() * 1_000) < sampled ? "01" : "00";
  const gatehouse = shuffled({
    allowed: !denied,
    code: denied ? 7 : 0,
    stage: "authorize",
    reason: denied ? "denied_by_policy" : "allowed_by_policy",
    policy: denied ? "shop/no-deletes" : `shop/app-${proxy}`,
    rule: index % 3,
    snapshot: 1,
    authn: shuffled({ method: "jwt", principal: `https://issuer.example.com/user-${index % 40}` }),
    quota: [shuffled({ quota: "shop/per-user", cost: 1, limit: 100, remaining: index % 100 })],
  });
  const metadata = shuffled({ decision_id: uuid, gatehouse, ...(!denied && { ext_authz_duration: 1 }) });
  const certificate = (name: string): Plain => ({
    subject_alt_name: [{ uri: `spiffe://cluster.local/ns/shop/sa/${name}` }],
  });
  const peer = socket(`10.1.${proxy}.${10 + caller}`, 30_000 + index);
  const upstream = {
    time_to_first_upstream_tx_byte: nanos(1),
    time_to_last_upstream_tx_byte: nanos(2),
    time_to_first_upstream_rx_byte: nanos(took),
    time_to_last_upstream_rx_byte: nanos(took),
    upstream_remote_address: socket(`10.0.${proxy}.7`, 8080),
    upstream_local_address: socket("127.0.0.6", 40_000 + index),
    upstream_cluster: "upstream",
    upstream_request_attempt_count: 1,
    upstream_wire_bytes_sent: 700 + index,
    upstream_wire_bytes_received: 900 + index,
  };
  return {
    common_properties: {
      downstream_remote_address: peer,
      downstream_direct_remote_address: peer,
      downstream_local_address: socket(`10.0.${proxy}.7`, 15_006),
      tls_properties: {
        tls_version: "TLSv1_3",
        tls_sni_hostname: host,
        peer_certificate_properties: certificate(`caller-${caller}`),
        local_certificate_properties: certificate(`app-${proxy}`),
      },
      start_time: {
        seconds: 1_767_225_600 + Math.floor(index / 500),
        nanos: (index % 500) * 2_000_000 + 976_000,
      },
      time_to_last_rx_byte: nanos(0),
      time_to_first_downstream_tx_byte: nanos(took),
      time_to_last_downstream_tx_byte: nanos(took),
      duration: nanos(took),
      ...(denied ? { response_flags: { unauthorized_details: { reason: "EXTERNAL_SERVICE" } } } : upstream),
      metadata: { filter_metadata: { "envoy.filters.http.ext_authz": struct(metadata) } },
      route_name: "main",
      custom_tags: shuffled({
        check_latency_us: String(600 + (index % 900)),
        check_timeout_ms: "2000",
        destination_workload: `app-${proxy}`,
        destination_workload_namespace: "shop",
        destination_app: `app-${proxy}`,
        destination_service: host,
        source_workload: `caller-${caller}`,
        source_workload_namespace: "shop",
        source_app: `caller-${caller}`,
      }),
      stream_id: uuid,
      downstream_wire_bytes_sent: 900 + index,
      downstream_wire_bytes_received: 600 + index,
      access_log_type: "DownstreamEnd",
    },
    protocol_version: "HTTP2",
    request: {
      request_method: pick(methods),
      scheme: "https",
      authority: host,
      path: `/api/v1/carts/${NUMBER_PLACE}?currency=EUR&expand=items`,
      user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0",
      forwarded_for: `10.1.${proxy}.${10 + caller}`,
      request_id: uuid,
      request_headers_bytes: 480,
      request_body_bytes: index % 700,
      request_headers: shuffled({
        "content-type": "application/json",
        traceparent: `00-4bf92f3577b34da6a3ce929d${NUMBER_PLACE}-00f067aa0ba902b7-${flag}`,
        tracestate: "vendor=00f067aa0ba902b7",
        accept: "application/json, text/plain, */*",
        "accept-language": "en-GB,en;q=0.8,de;q=0.5",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0",
        "x-forwarded-proto": "https",
        "x-tenant": `tenant-${index % 20}`,
        "x-plan": pick(["free", "team", "business"]),
        "x-client-version": pick(["4.1.0", "4.2.0"]),
      }),
    },
    response: {
      response_code: { value: denied ? 403 : pick(codes) },
      response_headers_bytes: 180,
      response_body_bytes: 200 + ((index * 37) % 9_000),
      response_headers: { "content-type": "application/json" },
      response_code_details: denied ? "ext_authz_denied" : "via_upstream",
    },
  };
}

/** Envoy writes the members of a map in any order. */
function shuffle(object: Plain, random: () => number): Plain {
  const keyed = Object.entries(object).map((entry) => [random(), entry] as const);
  return Object.fromEntries(keyed.sort(([a], [b]) => a - b).map(([, entry]) => entry));
}

/** The same numbers each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
}
