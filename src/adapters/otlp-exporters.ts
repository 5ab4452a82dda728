import type { LogLine, OtlpSinkSpec } from "../logs/index.js";
import type { Span } from "../traces/index.js";
import type { HttpClient } from "./http.js";
import { createEgress, type Egress, type EgressOptions } from "./http-egress.js";
import { grpcTransport } from "./otlp-grpc.js";
import { httpTransport, type OtlpTransport } from "./otlp-http.js";
import { encodeLogs, sizeOfLine } from "./otlp-logs.js";
import { createExportQueue, type ExportLimits, type ExportQueue } from "./otlp-queue.js";
import { encodeSpans, sizeOfSpan } from "./otlp-spans.js";
import { complete, type SinkBase, type SinkSurroundings } from "./sinks-ports.js";
import { createRoster } from "./sinks-roster.js";

/** What exporters of OTLP take from their surroundings. */
export interface OtlpPorts extends SinkSurroundings {
  /** Asked anew for each request, since a configuration may bring another. Not closed by exporters. */
  readonly http: () => HttpClient;
  /** For gRPC, which does not go through the HTTP client; asked anew for each request, too. */
  readonly egress?: () => EgressOptions | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly exportLimits?: ExportLimits;
}

/** Spans on their way to their providers. */
export interface SpanExporters {
  /** Opens what is new, closes what is gone after its queue is empty, keeps what stayed the same. */
  configure(specs: readonly OtlpSinkSpec[]): void;
  /** Never throws, never waits; a span of a provider that nobody knows is lost and counted. */
  export(span: Span): void;
  /** Sends what is queued, at most until the deadline, in milliseconds. */
  close(deadlineMs: number): Promise<void>;
}

/** None is configured yet. */
export function createSpanExporters(ports: OtlpPorts): SpanExporters {
  const base = complete(ports);
  let isClosed = false;
  const roster = createRoster((spec: OtlpSinkSpec): ExportQueue<Span> => {
    const transport = transportOf(spec, "traces", ports);
    return createExportQueue(
      spec.name,
      { ...transport, sizeOf: sizeOfSpan, encode: encodeSpans },
      base,
      ports.exportLimits,
    );
  });
  return {
    configure: roster.configure,
    export: (span) => {
      const exporter = roster.get(span.provider);
      if (exporter !== undefined) exporter.add(span);
      else base.observer.dropped(span.provider, isClosed ? "closed" : "unknown_sink", 1);
    },
    close: (deadlineMs) => {
      isClosed = true;
      return roster.close(deadlineMs);
    },
  };
}

/** Lines on their way to one receiver. */
export function createLogExporter(
  spec: OtlpSinkSpec,
  ports: OtlpPorts,
  base: SinkBase,
): ExportQueue<LogLine> {
  const transport = transportOf(spec, "logs", ports);
  const way = { ...transport, sizeOf: sizeOfLine, encode: encodeLogs };
  return createExportQueue(spec.name, way, base, ports.exportLimits);
}

function transportOf(spec: OtlpSinkSpec, signal: "logs" | "traces", ports: OtlpPorts): OtlpTransport {
  if (spec.protocol === "http") return httpTransport(spec, signal, { http: ports.http, now: ports.now });
  return grpcTransport(spec, signal, { egress: egressOf(ports), logger: ports.logger });
}

/** Compiled again when the options are others. */
function egressOf(ports: OtlpPorts): () => Egress {
  let options = ports.egress?.();
  let egress = createEgress(options);
  return () => {
    const now = ports.egress?.();
    if (now !== options) egress = createEgress(now);
    options = now;
    return egress;
  };
}
