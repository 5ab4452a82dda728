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

/** A text that a document names and does not hold. */
export interface Reference {
  /** `file`: relative to the document's own file. `env`: a variable of the process's environment. */
  readonly kind: "file" | "env";
  readonly name: string;
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
