import type { Diagnostic, Severity } from "../diagnostics/index.js";

/** Where a document stands. */
export interface Origin {
  readonly file: string;
  /** 1-based line of the document's first line in the file. */
  readonly line: number;
}

/**
 * One validated document: plain data that survives a structured clone, so that it can be made in one thread
 * and compiled in another. `spec` is the kind's own type (for AuthorizationPolicy: istio's
 * `AuthorizationPolicy`).
 */
export interface Resource {
  /** `GROUP/KIND/NAMESPACE/NAME`; v1 and v1beta1 are one. */
  readonly id: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly origin: Origin;
  /** Changes with the document's text, so that a compiled form can be kept while it is the same. */
  readonly hash: string;
  readonly spec: unknown;
}

/** What changed between two good configurations, or why there is no new one. */
export interface ConfigUpdate {
  /** False: something is an error; nothing changes, the last good configuration stays. */
  readonly ok: boolean;
  readonly upserts: readonly Resource[];
  readonly removed: readonly string[];
  /** Of the whole configuration, not only of what changed. */
  readonly diagnostics: readonly Diagnostic[];
  readonly worst: Severity | undefined;
}

/** A text that may hold documents. */
export interface SourceFile {
  /** As diagnostics print it. */
  readonly path: string;
  readonly text: string;
  /** The configuration path that led to it, one of `ConfigFiles.roots`. */
  readonly root?: string;
  /** A config file of envoyproxy/ratelimit, whatever its text says. */
  readonly isRateLimit?: true;
}

/** Everything that a source has, and what it could not read. */
export interface ConfigFiles {
  readonly files: readonly SourceFile[];
  /** Of the source itself. */
  readonly diagnostics: readonly Diagnostic[];
  /** Configuration paths each of which must hold a document. */
  readonly roots?: readonly string[];
  /** Folders of Rego that stand for a RegoPolicy each, for the whole mesh. */
  readonly rego?: readonly RegoFolder[];
}

/** A folder of `.rego` and data files. */
export interface RegoFolder {
  /** As diagnostics print it. */
  readonly path: string;
  /** Its own name, that is the last part of the path; from the folder around it, it leads there. */
  readonly name: string;
}
