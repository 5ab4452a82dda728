import { stringify } from "yaml";
import { type Ip, type JsonValue, toText } from "../../src/attributes/index.js";
import type { Report } from "../../src/report/index.js";

/** What is another value each time. */
const ANY = "*";

/** Members that are another number each time wherever they stand: ports, ids, what a clock said. */
const varying: ReadonlySet<string> = new Set([
  ...["time", "port", "localPort", "streamId", "decisionId", "latencyMs", "x-request-id", "check_latency_us"],
  ...["decision_id", "ext_authz_duration", "mac"],
]);

/** Filters whose metadata a report may have. */
const filters = [
  "envoy.filters.http.ext_authz",
  "envoy.filters.http.ext_proc",
  "envoy.filters.network.ext_authz",
];

/** The whole of some reports as YAML: what is absent is null, what varies is a star. */
export function golden(reports: readonly Report[]): string {
  return stringify(reports.map(whole), { lineWidth: 0, aliasDuplicateObjects: false });
}

function whole(report: Report): unknown {
  const { attributes, customTags } = report;
  const own = ownAddress(report);
  const { metadata, routeMetadata: _, ...rest } = attributes;
  const isHttp2 = attributes.request?.protocol === "HTTP/2";
  const metadatas = filters.map((filter) => [filter, metadata(filter)] as const);
  return plain({
    ...report,
    attributes: {
      ...rest,
      request: rest.request && {
        ...rest.request,
        headers: new Map([...rest.request.headers].map((header) => withoutOwn(header, own))),
        body: rest.request.body.length,
      },
      metadata: new Map(
        metadatas.flatMap(([filter, found]) => (found === undefined ? [] : [[filter, sorted(found)]])),
      ),
    },
    times: Object.fromEntries(
      Object.entries(report.times).map(([name, ms]) => [name, ms === undefined ? null : ANY]),
    ),
    // Header compression depends on what the connection saw before, and on the digits of ids.
    bytes: isHttp2 ? some(report.bytes) : sentWithoutOwn(report, own),
    requestHeadersBytes: Math.max(0, report.requestHeadersBytes - own.length),
    customTags: new Map([...customTags].map(([name, text]) => [name, inOrder(text)])),
  });
}

const forwardedFor = "x-forwarded-for";

/** Of a client on loopback Envoy says that it has the machine's own address, which is another one on each machine. */
function ownAddress({ attributes }: Report): string {
  return attributes.request?.headers.get(forwardedFor)?.[0]?.split(",").at(-1) ?? "";
}

function withoutOwn([name, values]: [string, readonly string[]], own: string): [string, readonly string[]] {
  if (name !== forwardedFor) return [name, values];
  return [name, values.map((value) => value.slice(0, value.length - own.length) + ANY)];
}

/** Each attempt says the address again, unless it came to nothing. */
function sentWithoutOwn({ bytes, upstream }: Report, own: string): Report["bytes"] {
  return { ...bytes, upstreamSent: Math.max(0, bytes.upstreamSent - upstream.attempts * own.length) };
}

/** Members of JSON that Envoy wrote come in any order. */
function inOrder(text: string): string {
  return text.startsWith("[") ? stringify(JSON.parse(text), { sortMapEntries: true, ...flow }).trim() : text;
}

const flow = { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false } as const;

function some(bytes: Report["bytes"]): unknown {
  return Object.fromEntries(Object.entries(bytes).map(([name, count]) => [name, count > 0 ? ANY : count]));
}

function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === "string") return toText(value);
  if (value instanceof Map) return members([...value].sort(byName));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if (isIp(value)) return value.text;
  return members(Object.entries(value));
}

function members(entries: Iterable<[string, unknown]>): unknown {
  return Object.fromEntries(
    [...entries].map(([name, value]) => [name, varying.has(name) && isPresent(value) ? ANY : plain(value)]),
  );
}

/** Maps of protobuf come in any order too. */
function byName([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1;
}

/** A port or an id that is missing has to be seen. */
function isPresent(value: unknown): boolean {
  return value !== undefined && value !== 0 && value !== "";
}

/** The members of an object that was a message, as a map. */
function sorted(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([name, part]) => [name, sorted(part)]));
}

function isIp(value: object): value is Ip {
  return Object.hasOwn(value, "family") && Object.hasOwn(value, "text");
}

/** Why times cannot be: those of one thing after another that run backwards; empty when all is well. */
export function wrongTimes({ times }: Report, [from, to]: readonly [from: number, to: number]): string[] {
  const { start, duration, ...points } = times;
  const wrong: string[] = [];
  // The clock of Envoy is the same machine's, but cut to another fraction.
  if (start < from - 5 || start > to + 5) wrong.push("start");
  const end = duration ?? Number.POSITIVE_INFINITY;
  for (const [name, ms] of Object.entries(points)) {
    if (ms !== undefined && (ms < 0 || ms > end)) wrong.push(name);
  }
  const orders: readonly (readonly (keyof typeof points)[])[] = [
    ["firstUpstreamByteSent", "lastUpstreamByteSent"],
    ["firstUpstreamByteSent", "firstUpstreamByteReceived", "lastUpstreamByteReceived", "lastResponseByte"],
    ["firstUpstreamByteReceived", "firstResponseByte", "lastResponseByte"],
  ];
  for (const order of orders) {
    const known = order.map((name) => points[name]).filter((ms) => ms !== undefined);
    if (known.some((ms, i) => ms < (known[i - 1] ?? 0))) wrong.push(order.join(" > "));
  }
  return wrong;
}
