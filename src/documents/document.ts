import type { Finding, Path } from "../diagnostics/index.js";

/** One Kubernetes-style document whose head has been read and whose `spec` nobody has looked at yet. */
export interface ResourceDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** `default` when the document names none. */
  readonly namespace: string;
  readonly annotations: ReadonlyMap<string, string>;
  readonly labels?: ReadonlyMap<string, string>;
  /** As parsed from YAML: plain JSON data. Undefined when absent. */
  readonly spec: unknown;
}

/** How something behind a URL is kept up to date. */
export interface Download {
  readonly pollMs: number;
  readonly timeoutMs: number;
}

/** A text that a document names and does not hold. */
export interface Reference {
  /**
   * Where it is, and what its text is. `file`, `bytes` and `folder` are relative to the document's own file; the text
   * of `bytes` is base64, that of `folder` a JSON list of [path below it, text] in the order of paths. `env`: a
   * variable of the process's environment. `download`: base64 of what an http(s) URL gave last, empty before.
   */
  readonly kind: "file" | "bytes" | "folder" | "env" | "download";
  readonly name: string;
  /** Of `bytes` and `download`. */
  readonly maxBytes?: number;
  /** Of `download`. */
  readonly download?: Download;
  /** Where the document names it, for findings. */
  readonly path: Path;
}

/** What a kind makes of its document. Without errors among the findings, `spec` is set. */
export interface Parsed<Spec> {
  readonly spec: Spec | undefined;
  readonly findings: readonly Finding[];
  /** Texts that the kind's `complete` must get before the spec is whole; the spec does not hold them yet. */
  readonly references?: readonly Reference[];
}
