/** A value of an attribute of OTLP. */
export type SpanValue = string | number | boolean;

/** One span, as OTLP has it. Survives a structured clone; nothing secret is in it. */
export interface Span {
  /** Of `Mesh.spec.extensionProviders`: where it is sent. */
  readonly provider: string;
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  /** Empty: it is the root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: "server" | "client" | "internal";
  /** Milliseconds since the epoch, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly status: "unset" | "ok" | "error";
  readonly statusMessage: string;
  readonly attributes: Readonly<Record<string, SpanValue>>;
  /** `service.name`, `service.namespace` … of the proxy's workload; the same object for all spans of a reporter. */
  readonly resource: Readonly<Record<string, SpanValue>>;
}
