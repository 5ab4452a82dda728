import type { Finding } from "../diagnostics/index.js";

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

/** What a kind makes of its document. Without errors among the findings, `spec` is set. */
export interface Parsed<Spec> {
  readonly spec: Spec | undefined;
  readonly findings: readonly Finding[];
}
