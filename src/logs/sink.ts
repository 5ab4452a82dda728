/**
 * Where lines go. Plain data of the Mesh. Every sink has a bounded queue; what does not fit, or cannot be delivered after
 * retries, is lost and counted.
 */
export type SinkSpec =
  | { readonly kind: "stdout"; readonly name: string }
  | {
      readonly kind: "file";
      readonly name: string;
      /** Relative to the server's working folder, or absolute. */
      readonly path: string;
    }
  /** A file with a hash chain; what is written to it can be shown to be whole. */
  | {
      readonly kind: "audit";
      readonly name: string;
      readonly path: string;
      /** A file whose bytes are the key of the chain's HMACs; undefined: hashes without a key. */
      readonly keyFile?: string | undefined;
    }
  | OtlpSinkSpec;

/** A receiver of OTLP, for logs and for spans. */
export interface OtlpSinkSpec {
  readonly kind: "otlp";
  readonly name: string;
  readonly protocol: "grpc" | "http";
  /** `HOST` or an IP address. */
  readonly host: string;
  readonly port: number;
  /** Of HTTP: `/v1/logs`, `/v1/traces` when empty. */
  readonly path: string;
  readonly tls: boolean;
  readonly timeoutMs: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** One line of a log on its way to its sink. Masked: nothing secret is in it. Survives a structured clone. */
export interface LogLine {
  readonly sink: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly severity: "info" | "warn" | "error";
  /** Without a line break: JSON, or text in the access log's format. */
  readonly text: string;
  /** For OTLP, beside the text: attributes of the log record. */
  readonly fields?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** For OTLP: joins the record to its trace. Lower-case hex. */
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
}

/** Sinks by name, in one process. */
export interface Sinks {
  /** Opens what is new, closes what is gone after its queue is empty, keeps what stayed the same. */
  configure(specs: readonly SinkSpec[]): void;
  /** Never throws, never waits; a line for a sink that nobody knows is lost and counted. */
  write(line: LogLine): void;
  /**
   * The same, and resolves when the line is on disk (`fsync`); of a sink that is no file, when it is queued.
   * Rejects when it is not: nobody may rely on it then.
   */
  store(line: LogLine): Promise<void>;
  /** Opens files again under their names, after they were moved away. */
  reopen(): void;
  /** Writes and sends what is queued, at most until the deadline, in milliseconds. */
  close(deadlineMs: number): Promise<void>;
}
