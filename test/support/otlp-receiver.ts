import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import grpc from "@grpc/grpc-js";
import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js";

/** The generated code has no types: of its messages, what is read here. */
interface KeyValue {
  readonly key?: string;
  readonly value?: AnyValue | null;
}
interface AnyValue {
  readonly stringValue?: string | null;
  readonly boolValue?: boolean | null;
  readonly intValue?: unknown;
  readonly doubleValue?: number | null;
}
interface Resource {
  readonly resource?: { readonly attributes?: readonly KeyValue[] } | null;
}
interface LogRecord {
  readonly timeUnixNano?: unknown;
  readonly severityNumber?: unknown;
  readonly severityText?: string;
  readonly body?: AnyValue | null;
  readonly traceId?: unknown;
  readonly spanId?: unknown;
  readonly attributes?: readonly KeyValue[];
}
interface WireSpan {
  readonly traceId?: unknown;
  readonly spanId?: unknown;
  readonly parentSpanId?: unknown;
  readonly traceState?: string;
  readonly name?: string;
  readonly kind?: unknown;
  readonly startTimeUnixNano?: unknown;
  readonly endTimeUnixNano?: unknown;
  readonly status?: { readonly code?: unknown; readonly message?: string } | null;
  readonly attributes?: readonly KeyValue[];
}
interface LogsRequest {
  readonly resourceLogs: readonly (Resource & {
    readonly scopeLogs: readonly { readonly logRecords: readonly LogRecord[] }[];
  })[];
}
interface TraceRequest {
  readonly resourceSpans: readonly (Resource & {
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  })[];
}
interface Decodes<Message> {
  readonly decode: (bytes: Uint8Array) => Message;
}
interface Encodes {
  readonly encode: (message: object) => { readonly finish: () => Uint8Array };
}
interface Collector {
  readonly logs: {
    readonly v1: {
      readonly ExportLogsServiceRequest: Decodes<LogsRequest>;
      readonly ExportLogsServiceResponse: Encodes;
    };
  };
  readonly trace: {
    readonly v1: {
      readonly ExportTraceServiceRequest: Decodes<TraceRequest>;
      readonly ExportTraceServiceResponse: Encodes;
    };
  };
}

const { collector } = (root as unknown as { opentelemetry: { proto: { collector: Collector } } })
  .opentelemetry.proto;

/** An attribute's value, 64-bit integers as numbers. */
export type ReceivedValue = string | number | boolean | undefined;

/** A log record as it came. */
export interface ReceivedLog {
  readonly resource: ReadonlyMap<string, ReceivedValue>;
  readonly body: string;
  readonly severity: number;
  readonly severityText: string;
  /** Decimal, nanoseconds. */
  readonly time: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: ReadonlyMap<string, ReceivedValue>;
}

/** A span as it came. */
export interface ReceivedSpan {
  readonly resource: ReadonlyMap<string, ReceivedValue>;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** Number of `SpanKind`. */
  readonly kind: number;
  /** Decimal, nanoseconds. */
  readonly start: string;
  readonly end: string;
  /** Number of `StatusCode`. */
  readonly status: number;
  readonly statusMessage: string;
  readonly attributes: ReadonlyMap<string, ReceivedValue>;
}

/** How a request is answered. What is not `ok` is not kept. */
export type ReceiverAnswer =
  | { readonly kind: "ok"; readonly delayMs?: number; readonly rejected?: number }
  /** Never. */
  | { readonly kind: "hang" }
  | { readonly kind: "http"; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: "grpc"; readonly code: number; readonly retryDelayMs?: number };

/** A receiver of OTLP that decodes with another encoder's decoder, and keeps what it got. */
export interface OtlpReceiver {
  readonly protocol: "grpc" | "http";
  readonly port: number;
  readonly logs: ReceivedLog[];
  readonly spans: ReceivedSpan[];
  /** Sizes of the requests that were answered, in items. */
  readonly batches: number[];
  /** Headers of every request, lower case. */
  readonly headers: ReadonlyMap<string, string>[];
  /** Requests, whatever the answer was. */
  readonly requests: () => number;
  /** From now on; `once` for the next requests, then as before. */
  readonly answer: (answer: ReceiverAnswer) => void;
  readonly once: (...answers: readonly ReceiverAnswer[]) => void;
  readonly close: () => Promise<void>;
}

/** Starts one on loopback; a port may be asked for, to come back where another one was. */
export async function startOtlpReceiver(protocol: "grpc" | "http", port: number = 0): Promise<OtlpReceiver> {
  const logs: ReceivedLog[] = [];
  const spans: ReceivedSpan[] = [];
  const batches: number[] = [];
  const headers: ReadonlyMap<string, string>[] = [];
  let usual: ReceiverAnswer = { kind: "ok" };
  const next: ReceiverAnswer[] = [];
  let requests = 0;

  /** Keeps what was taken, and gives the answer's bytes. */
  const take = (signal: string, bytes: Uint8Array, rejected: number): Uint8Array => {
    const isLogs = signal === "logs";
    const items = isLogs ? readLogs(bytes) : readSpans(bytes);
    batches.push(items.length);
    if (isLogs) logs.push(...(items as ReceivedLog[]));
    else spans.push(...(items as ReceivedSpan[]));
    const partialSuccess =
      rejected === 0
        ? null
        : { rejectedLogRecords: rejected, rejectedSpans: rejected, errorMessage: "secret" };
    return isLogs
      ? collector.logs.v1.ExportLogsServiceResponse.encode({ partialSuccess }).finish()
      : collector.trace.v1.ExportTraceServiceResponse.encode({ partialSuccess }).finish();
  };

  const arrive = (found: ReadonlyMap<string, string>): ReceiverAnswer => {
    requests += 1;
    headers.push(found);
    return next.shift() ?? usual;
  };

  const onHttp = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const found = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const);
    const answer = arrive(new Map(found));
    if (answer.kind === "hang") return;
    if (answer.kind !== "ok") {
      const status = answer.kind === "http" ? answer.status : 500;
      const after = answer.kind === "http" ? answer.retryAfter : undefined;
      response.writeHead(status, after === undefined ? {} : { "retry-after": after }).end();
      return;
    }
    await sleep(answer.delayMs);
    const signal = request.url?.endsWith("/v1/logs") === true ? "logs" : "traces";
    response.writeHead(200, { "content-type": "application/x-protobuf" });
    response.end(take(signal, Buffer.concat(chunks), answer.rejected ?? 0));
  };

  const onGrpc =
    (signal: string): grpc.handleUnaryCall<Buffer, Uint8Array> =>
    async (call, callback) => {
      const found = Object.entries(call.metadata.getMap()).map(
        ([name, value]) => [name, String(value)] as const,
      );
      const answer = arrive(new Map(found));
      if (answer.kind === "hang") return;
      if (answer.kind !== "ok") {
        const metadata = new grpc.Metadata();
        const delay = answer.kind === "grpc" ? answer.retryDelayMs : undefined;
        if (delay !== undefined) metadata.set("grpc-status-details-bin", statusWithDelay(delay));
        callback({
          code: answer.kind === "grpc" ? answer.code : grpc.status.INTERNAL,
          details: "x",
          metadata,
        });
        return;
      }
      await sleep(answer.delayMs);
      callback(null, take(signal, call.request, answer.rejected ?? 0));
    };

  const stop = protocol === "http" ? await listenHttp(onHttp, port) : await listenGrpc(onGrpc, port);
  return {
    protocol,
    port: stop.port,
    logs,
    spans,
    batches,
    headers,
    requests: () => requests,
    answer: (answer) => {
      usual = answer;
    },
    once: (...answers) => void next.push(...answers),
    close: stop.close,
  };
}

interface Listening {
  readonly port: number;
  readonly close: () => Promise<void>;
}

async function listenHttp(
  handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  port: number,
): Promise<Listening> {
  const server = createServer((request, response) => {
    handler(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function listenGrpc(
  handler: (signal: string) => grpc.handleUnaryCall<Buffer, Uint8Array>,
  port: number,
): Promise<Listening> {
  const server = new grpc.Server();
  const paths = { logs: "logs.v1.LogsService", traces: "trace.v1.TraceService" };
  for (const [signal, service] of Object.entries(paths)) {
    const method: grpc.MethodDefinition<Uint8Array, Uint8Array> = {
      path: `/opentelemetry.proto.collector.${service}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (value) => Buffer.from(value),
      requestDeserialize: (bytes) => bytes,
      responseSerialize: (value) => Buffer.from(value),
      responseDeserialize: (bytes) => bytes,
    };
    server.addService({ Export: method }, { Export: handler(signal) });
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
  return { port: bound, close: async () => server.forceShutdown() };
}

/** Decodes an `ExportLogsServiceRequest`. */
export function readLogs(bytes: Uint8Array): ReceivedLog[] {
  const request = collector.logs.v1.ExportLogsServiceRequest.decode(bytes);
  return request.resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map((record) => ({
        resource: readAttributes(resource?.attributes),
        body: record.body?.stringValue ?? "",
        severity: Number(record.severityNumber),
        severityText: record.severityText ?? "",
        time: decimal(record.timeUnixNano),
        traceId: hex(record.traceId),
        spanId: hex(record.spanId),
        attributes: readAttributes(record.attributes),
      })),
    ),
  );
}

/** Decodes an `ExportTraceServiceRequest`. */
export function readSpans(bytes: Uint8Array): ReceivedSpan[] {
  const request = collector.trace.v1.ExportTraceServiceRequest.decode(bytes);
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        resource: readAttributes(resource?.attributes),
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        traceState: span.traceState ?? "",
        name: span.name ?? "",
        kind: Number(span.kind),
        start: decimal(span.startTimeUnixNano),
        end: decimal(span.endTimeUnixNano),
        status: Number(span.status?.code ?? 0),
        statusMessage: span.status?.message ?? "",
        attributes: readAttributes(span.attributes),
      })),
    ),
  );
}

function readAttributes(attributes: readonly KeyValue[] | undefined): ReadonlyMap<string, ReceivedValue> {
  return new Map((attributes ?? []).map(({ key, value }) => [key ?? "", readValue(value)]));
}

function readValue(value: AnyValue | null | undefined): ReceivedValue {
  if (value == null) return undefined;
  // The generated messages have every member on their prototype; only the one that was sent is their own.
  if (Object.hasOwn(value, "stringValue")) return value.stringValue ?? undefined;
  if (Object.hasOwn(value, "boolValue")) return value.boolValue ?? undefined;
  if (Object.hasOwn(value, "intValue")) return Number(decimal(value.intValue));
  return value.doubleValue ?? undefined;
}

function decimal(value: unknown): string {
  if (typeof value === "object" && value !== null && "low" in value && "high" in value) {
    const { low, high } = value as { low: number; high: number };
    return ((BigInt(high) << 32n) | BigInt(low >>> 0)).toString();
  }
  return String(value ?? 0);
}

function hex(bytes: unknown): string {
  return bytes instanceof Uint8Array ? Buffer.from(bytes).toString("hex") : "";
}

/** `google.rpc.Status` with a `RetryInfo`, byte by byte. */
function statusWithDelay(ms: number): Buffer {
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
  const duration = Buffer.from([8, ...varint(Math.floor(ms / 1000)), 16, ...varint((ms % 1000) * 1_000_000)]);
  const any = Buffer.concat([
    field(1, Buffer.from("type.googleapis.com/google.rpc.RetryInfo")),
    field(2, field(1, duration)),
  ]);
  return field(3, any);
}

async function sleep(ms: number | undefined): Promise<void> {
  if (ms !== undefined) await new Promise((resolve) => setTimeout(resolve, ms));
}
