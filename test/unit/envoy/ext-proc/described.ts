import type { ByteString, JsonObject } from "../../../../src/attributes/index.js";
import type { BodyPlan } from "../../../../src/body/index.js";
import type { Decision, Snapshot } from "../../../../src/engine/index.js";
import type { BesideRequest, Exchange, HeadersOutcome } from "../../../../src/envoy/ext-proc/exchange.js";
import {
  type BodyOutcome,
  createExchanges,
  type InitialMetadata,
  peerAttribute,
} from "../../../../src/envoy/ext-proc/index.js";
import { createAuthorization, fromStruct, type Handover } from "../../../../src/envoy/index.js";
import type {
  CheckRequest__Output,
  CheckResponse,
  CheckResponse__Output,
} from "../../../../src/proto/index.js";
import { loadProtos } from "../../../../src/server/protos.js";
import { nowMs } from "../../../support/tokens.js";

/** One request, as both protocols tell of it. */
export interface Described {
  readonly peer?: string;
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [name: string, value: ByteString])[];
  readonly port?: number;
  readonly sni?: string;
  readonly initialMetadata?: InitialMetadata;
  readonly extensions?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, JsonObject>>;
  /** In place of those that are told by default; undefined: it is not told. */
  readonly told?: Readonly<Record<string, string | number | boolean | undefined>>;
}

const protos = loadProtos().check;

/** Every line of a request, pseudo-headers first. */
export function linesOf({
  method = "GET",
  host = "a.example",
  path = "/",
  headers = [],
}: Described): Map<string, ByteString[]> {
  const lines = new Map<string, ByteString[]>([
    [":method", [method]],
    [":authority", [host]],
    [":path", [path]],
    [":scheme", ["http"]],
    ["x-request-id", ["r-1"]],
  ]);
  for (const [name, value] of headers) lines.set(name, [...(lines.get(name) ?? []), value]);
  return lines;
}

/** As ext_authz sends it, with raw headers. */
export function checkRequestOf(described: Described): CheckRequest__Output {
  const { peer = "10.1.2.3", port = 8080, sni = "", extensions = {} } = described;
  const socket = (address: string, port_value: number) => ({
    address: { socket_address: { address, port_value } },
  });
  const headers = Array.from(linesOf(described), ([key, values]) =>
    values.map((value) => ({ key, raw_value: Buffer.from(value, "latin1") })),
  ).flat();
  const bytes = protos.requestSerialize({
    attributes: {
      source: socket(peer, 4000),
      destination: socket("10.9.9.9", port),
      request: {
        time: { seconds: Math.floor(nowMs / 1000) },
        http: {
          method: described.method ?? "GET",
          host: described.host ?? "a.example",
          path: described.path ?? "/",
          scheme: "http",
          protocol: "HTTP/1.1",
          size: 0,
          header_map: { headers },
        },
      },
      tls_session: { sni },
      context_extensions: { ...extensions },
    },
  });
  return protos.requestDeserialize(Buffer.from(bytes));
}

/** What comes beside its headers on ext_proc. */
export function besideOf({
  peer = "10.1.2.3",
  port = 8080,
  sni = "",
  told = {},
  metadata = {},
}: Described): BesideRequest {
  const all: Record<string, string | number | boolean | undefined> = {
    [peerAttribute]: peer.includes(":") ? `[${peer}]:4000` : `${peer}:4000`,
    // What a client can choose must count for nothing.
    "source.address": "192.0.2.66:0",
    "destination.address": `10.9.9.9:${port}`,
    "connection.mtls": false,
    "connection.requested_server_name": sni,
    "request.time": "2026-08-20T12:00:00.000000+00:00",
    "request.protocol": "HTTP/1.1",
    "request.scheme": "http",
    "request.size": 0,
    "request.id": "r-1",
    ...told,
  };
  const entries = Object.entries(all).filter(
    (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
  );
  const attributes = Object.fromEntries(entries);
  return {
    attributes: () => attributes,
    metadata: (namespace) => (Object.hasOwn(metadata, namespace) ? metadata[namespace] : undefined),
  };
}

/** What ext_authz's service answers, and what its filter would leave as metadata. */
export async function viaExtAuthz(
  snapshot: Snapshot,
  described: Described,
  carry?: (decision: Decision) => ReturnType<Handover["carry"]>,
): Promise<{
  readonly response: CheckResponse__Output;
  readonly metadata: JsonObject;
  readonly decisions: readonly Decision[];
}> {
  const decisions: Decision[] = [];
  const { check } = createAuthorization({
    current: () => snapshot,
    decisionId: () => "d-authz",
    encode: (response: CheckResponse) => protos.responseSerialize(response),
    now: () => 0,
    wallClock: () => nowMs,
    observe: (decision) => {
      decisions.push(decision);
      return undefined;
    },
    onError: () => {},
    carry,
  });
  const request = checkRequestOf(described);
  const bytes = await check(request, protos.requestSerialize(request as never));
  const response = protos.responseDeserialize(Buffer.from(bytes));
  return { response, metadata: fromStruct(response.dynamic_metadata ?? {}), decisions };
}

/** An exchange, and what it told its surroundings. */
export interface Opened {
  readonly exchange: Exchange;
  readonly decisions: Decision[];
  readonly errors: unknown[];
  readonly outcomes: BodyOutcome[];
}

/** Opens an exchange over a snapshot. */
export function opened(
  snapshot: Snapshot | undefined,
  {
    plan,
    handover,
    initialMetadata = new Map(),
    isObserved = false,
    record = () => undefined,
  }: {
    readonly plan?: BodyPlan | undefined;
    readonly handover?: Pick<Handover, "accept">;
    readonly initialMetadata?: InitialMetadata;
    readonly isObserved?: boolean;
    readonly record?: () => Promise<unknown> | undefined;
  } = {},
): Opened {
  const decisions: Decision[] = [];
  const errors: unknown[] = [];
  const outcomes: BodyOutcome[] = [];
  const exchanges = createExchanges({
    current: () => snapshot && { snapshot, bodies: () => plan },
    decisionId: () => "d-proc",
    now: () => 0,
    wallClock: () => nowMs,
    encodeCheckRequest: protos.requestSerialize,
    observe: (decision) => {
      decisions.push(decision);
      return record();
    },
    onError: (error) => errors.push(error),
    amend: (outcome) => outcomes.push(outcome),
    handover,
  });
  return { exchange: exchanges.open(initialMetadata, isObserved), decisions, errors, outcomes };
}

/** What an exchange says of a request's headers. */
export async function asked(
  { exchange }: Opened,
  described: Described,
  hasBody = false,
): Promise<HeadersOutcome> {
  return exchange.requestHeaders(linesOf(described), hasBody, besideOf(described));
}
