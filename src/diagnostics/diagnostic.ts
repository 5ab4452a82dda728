import type { Code, Severity } from "./codes.js";

/** Where in a document: keys and list indexes from its root, e.g. `["spec", "rules", 0, "to"]`. */
export type Path = readonly (string | number)[];

/** What a translator has to say about one place in one document; it knows no files. */
export interface Finding {
  readonly code: Code;
  /** Lower case, no final stop, user input in backticks, says what was expected. */
  readonly message: string;
  readonly path: Path;
  /** Where exactly, when a text is meant that the document holds or names. */
  readonly place?: TextPlace;
}

/** A place in a text that is no document. */
export interface TextPlace {
  /** Its file, relative to the document's own; undefined: the text is the value at the finding's path. */
  readonly file: string | undefined;
  /** 1-based, in the text. */
  readonly line: number;
  readonly column: number;
}

/** A finding with the place a person can go to. For the author of the configuration. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly file: string;
  /** 1-based; 1 when the file as a whole is meant. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** `kind namespace/name` of the resource, when one could be read. */
  readonly resource?: string;
}

/** Makes a finding; exists so that call sites read as one line. */
export function finding(code: Code, path: Path, message: string): Finding {
  return { code, message, path };
}

/** Whether one of them makes its document invalid. */
export function hasErrors(findings: readonly Pick<Finding, "code">[]): boolean {
  return findings.some(({ code }) => code.severity === "error");
}

/** Says something about a file as a whole. */
export function fileDiagnostic({ code, severity }: Code, file: string, message: string): Diagnostic {
  return { code, severity, message, file, line: 1, column: 1 };
}

/** `file:line:column: severity CODE message`, the form that editors and terminals make clickable. */
export function formatDiagnostic(d: Diagnostic): string {
  const resource = d.resource === undefined ? "" : ` (${d.resource})`;
  return `${d.file}:${d.line}:${d.column}: ${d.severity} ${d.code} ${d.message}${resource}`;
}
