import type { Ip } from "../../attributes/index.js";
import type { Report, ReportEvent, Reporter } from "../../report/index.js";
import type { Texts } from "../text.js";
import { readCheck } from "./check.js";
import type { Connections } from "./connections.js";
import { endsOf, type Registry, sideOf } from "./ends.js";
import type { Entry } from "./entry.js";
import type { FlagNames } from "./flags.js";
import type { Parties } from "./parties.js";
import { type Addresses, describe, principalOf } from "./request.js";
import type { Services } from "./services.js";

/** What reports of all streams are made with: it remembers, so that the same facts give the same objects. */
export interface ReportMemory {
  readonly texts: Texts;
  readonly addresses: Addresses;
  readonly flags: FlagNames;
  readonly parties: Parties;
  readonly services: Services;
  readonly connections: Connections;
  readonly hostFallback: boolean;
}

/** `TLSVersion`, in Envoy's words. */
const tlsVersions = ["", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/**
 * `AccessLogType`. What an upstream log says of a request is said by the downstream log as well, so it is no event of
 * its own.
 */
const events: ReadonlyMap<number, ReportEvent> = new Map([
  [0, "close"],
  [1, "open"],
  [2, "continue"],
  [3, "close"],
  [4, "open"],
  [5, "continue"],
  [6, "close"],
  [10, "continue"],
  [11, "open"],
  [12, "continue"],
  [13, "close"],
  [14, "open"],
]);

/** Which part of its life an entry tells of; undefined for an entry of an upstream log, or of a type unknown here. */
export function eventOf({ type, isIntermediate }: Entry): ReportEvent | undefined {
  // Envoys that know no types say of periodic entries that they are not the last.
  if (type === 0 && isIntermediate) return "continue";
  return events.get(type);
}

/** An entry in the vocabulary of decisions. */
export function toReport(
  entry: Entry,
  event: ReportEvent,
  reporter: Reporter,
  registry: Registry | undefined,
  memory: ReportMemory,
): Report {
  const { isHttp, customTags, tls } = entry;
  const attributes = describe(entry, memory.addresses, memory.texts);
  const side = sideOf(entry, reporter);
  const address: Ip | undefined = memory.addresses(entry.upstreamRemote);
  const port = entry.upstreamRemote?.port ?? 0;
  const upstream = { ip: address, port, principal: "" };
  const ends = endsOf({ entry, attributes, side, reporter, upstream }, registry, memory);
  attributes.workload = ends.destination?.workload;
  const totals = isHttp ? undefined : connectionBytes(entry);
  const step =
    totals === undefined
      ? { event, bytes: httpBytes(entry), isFirst: undefined }
      : isEarly(entry, event)
        ? { event, bytes: noBytes, isFirst: false }
        : memory.connections.step(connectionKey(entry, reporter), event, totals, entry.start);
  return {
    attributes,
    event: step.event,
    isFirst: step.isFirst,
    reporter,
    side,
    source: ends.source,
    destination: ends.destination,
    service: ends.service,
    response: isHttp ? responseOf(entry) : undefined,
    requestHeadersBytes: entry.requestHeadersBytes,
    requestBodyBytes: entry.requestBodyBytes,
    flags: memory.flags(entry.flags, customTags.get("response_flags")),
    times: {
      start: entry.start,
      duration: entry.duration,
      lastRequestByte: entry.lastRx,
      firstUpstreamByteSent: entry.firstUpstreamTx,
      lastUpstreamByteSent: entry.lastUpstreamTx,
      firstUpstreamByteReceived: entry.firstUpstreamRx,
      lastUpstreamByteReceived: entry.lastUpstreamRx,
      firstResponseByte: entry.firstDownstreamTx,
      lastResponseByte: entry.lastDownstreamTx,
    },
    bytes: step.bytes,
    totals,
    upstream: {
      cluster: entry.upstreamCluster,
      address,
      port,
      localAddress: memory.addresses(entry.upstreamLocal),
      localPort: entry.upstreamLocal?.port ?? 0,
      attempts: entry.attempts,
      transportFailure: entry.transportFailure,
    },
    tls:
      tls === undefined
        ? undefined
        : {
            version: tlsVersions[tls.version] ?? "",
            peerPrincipal: principalOf(tls.peer),
            localPrincipal: principalOf(tls.local),
          },
    routeName: entry.routeName,
    terminationDetails: entry.termination,
    streamId: entry.streamId,
    messages: entry.filterState.messages,
    check: readCheck(entry, event === "close"),
    customTags,
  };
}

const noBytes: Report["bytes"] = { received: 0, sent: 0, upstreamReceived: 0, upstreamSent: 0 };

/**
 * Envoy reaches for the upstream, and says that it did, while it still shakes hands with the client: who that is will
 * be in the next entry, by which the connection is counted.
 */
function isEarly({ tls }: Entry, event: ReportEvent): boolean {
  return event === "open" && tls !== undefined && principalOf(tls.peer) === "";
}

/** Each log reports the whole connection, so each has totals of its own. */
function connectionKey({ streamId }: Entry, { id, logName }: Reporter): string {
  return streamId === "" ? "" : `${id}\0${logName}\0${streamId}`;
}

function httpBytes(entry: Entry): Report["bytes"] {
  return {
    received: entry.wireReceived,
    sent: entry.wireSent,
    upstreamReceived: entry.upstreamWireReceived,
    upstreamSent: entry.upstreamWireSent,
  };
}

function connectionBytes(entry: Entry): Report["bytes"] {
  return {
    received: entry.received,
    sent: entry.sent,
    upstreamReceived: entry.upstreamWireReceived,
    upstreamSent: entry.upstreamWireSent,
  };
}

function responseOf(entry: Entry): Report["response"] {
  const { responseHeaders, responseTrailers } = entry;
  return {
    code: entry.responseCode,
    codeDetails: entry.codeDetails,
    headers: responseHeaders,
    trailers: responseTrailers,
    grpcStatus: grpcStatus(responseTrailers.get("grpc-status") ?? responseHeaders.get("grpc-status")),
    headersBytes: entry.responseHeadersBytes,
    bodyBytes: entry.responseBodyBytes,
  };
}

function grpcStatus(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,5}$/.test(text) ? Number(text) : undefined;
}
