import type { ServiceDefinition } from "@grpc/proto-loader";
import { peerAttribute } from "../../src/envoy/ext-proc/request.js";
import { EXTERNAL_PROCESSOR, loadProtos } from "../../src/server/protos.js";
import { benchWorkload } from "../policies.js";
import { requestHeaders } from "../request.js";

/** A message as proto-loader has it, in the names of the proto. */
export type Message = Readonly<Record<string, unknown>>;

const service = loadProtos().packages[EXTERNAL_PROCESSOR] as ServiceDefinition;

/** `Process` by proto-loader. */
export const processMethod: ServiceDefinition[string] = service["Process"] as ServiceDefinition[string];

/** The path of the method. */
export const PROCESS: string = `/${EXTERNAL_PROCESSOR}/Process`;

/** `ProcessingMode.BodySendMode`, those that are used here. */
export const bodyMode = { NONE: 0, BUFFERED: 2, FULL_DUPLEX_STREAMED: 4 } as const;

/** What the filter's `grpc_service` says of the destination. */
export const initialMetadata: Readonly<Record<string, string>> = {
  "gatehouse-destination-namespace": benchWorkload.namespace,
  "gatehouse-destination-workload-name": benchWorkload.name,
  "gatehouse-destination-workload-type": "sidecar",
  "gatehouse-destination-service-name": benchWorkload.name,
  "gatehouse-destination-labels": `app=${benchWorkload.labels.app}`,
};

const attributes: Readonly<Record<string, string | number | boolean>> = {
  [peerAttribute]: "127.0.0.1:41234",
  "destination.address": "10.9.0.7:8080",
  "connection.mtls": false,
  "connection.requested_server_name": "",
  "request.time": "2026-08-20T12:00:00.000000+00:00",
  "request.scheme": "https",
  "request.protocol": "HTTP/2",
  "request.size": 0,
};

function toValue(value: string | number | boolean): Message {
  if (typeof value === "string") return { stringValue: value };
  return typeof value === "number" ? { numberValue: value } : { boolValue: value };
}

function toHeaders(lines: readonly (readonly [string, string])[], isLast: boolean): Message {
  const headers = lines.map(([key, value]) => ({ key, raw_value: Buffer.from(value, "latin1") }));
  return { headers: { headers }, end_of_stream: isLast };
}

function encode(message: Message): Buffer {
  return processMethod.requestSerialize(message);
}

/** A stream's first message, with what Envoy sends beside it: the benchmark's request, without a body. */
export function requestHeadersMessage(responseBodyMode: number): Buffer {
  const fields = Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, toValue(value)]),
  );
  return encode({
    request_headers: toHeaders(requestHeaders, true),
    attributes: { "envoy.filters.http.ext_proc": { fields } },
    metadata_context: {},
    protocol_config: { request_body_mode: bodyMode.NONE, response_body_mode: responseBodyMode },
  });
}

/** The head of a response; `length`: of its body, 0: none follows. */
export function responseHeadersMessage(length: number): Buffer {
  const lines = [
    [":status", "200"],
    ["content-type", "application/json"],
    ["content-length", String(length)],
    ["date", "Thu, 20 Aug 2026 12:00:00 GMT"],
    ["etag", '"5d8c72a5edda8d6a"'],
    ["cache-control", "no-cache"],
    ["server", "envoy"],
    ["x-internal-node", "10.2.3.4"],
    ["x-envoy-upstream-service-time", "3"],
  ] as const;
  const response = toHeaders(lines, length === 0);
  const fields = { "response.code_details": toValue("via_upstream") };
  return encode({
    response_headers: response,
    attributes: { "envoy.filters.http.ext_proc": { fields } },
    metadata_context: {},
  });
}

/** A piece of a response's body. */
export function responseBodyMessage(body: Uint8Array, isLast: boolean): Buffer {
  return encode({ response_body: { body, end_of_stream: isLast }, metadata_context: {} });
}
