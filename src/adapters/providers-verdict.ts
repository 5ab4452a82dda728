import { breaksLine, isFieldName } from "../attributes/index.js";
import { grpcCode, type HeaderEdit, noEdits, type ProviderRequest, type Verdict } from "../engine/index.js";

/** What every provider is told; the rest depends on its protocol. */
export interface ProviderBase {
  /** For logs: the provider's name in the Mesh. */
  readonly name: string;
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Of one question, connection included; 5 s when absent or 0. */
  readonly timeoutMs?: number | undefined;
  /** Whether a request goes on when the provider cannot answer. */
  readonly failOpen: boolean;
  /** HTTP status of a refusal because the provider could not answer; Envoy's default is 403. */
  readonly statusOnError: number;
}

/** A provider that can be ended. */
export interface OpenProvider {
  readonly ask: (request: ProviderRequest) => Promise<Verdict>;
  readonly close: (graceMs?: number) => Promise<void>;
}

/** The deadline of a provider that names none. */
export const defaultTimeoutMs = 5000;

const verdict: Verdict = {
  allowed: false,
  httpStatus: 403,
  code: grpcCode.permissionDenied,
  body: "",
  edits: noEdits,
  metadata: undefined,
  failedOpen: false,
  failed: false,
};

/** Goes on, with what the provider wants changed. */
export function allowed(changes: Partial<Verdict>): Verdict {
  return { ...verdict, allowed: true, httpStatus: 200, code: grpcCode.ok, ...changes };
}

/** The provider said no. */
export function refused(changes: Partial<Verdict>): Verdict {
  return { ...verdict, ...changes };
}

/** The provider could not answer: its `failOpen` and `statusOnError` decide. */
export function failed(options: ProviderBase, because: number, changes: Partial<Verdict> = {}): Verdict {
  if (options.failOpen) return allowed({ failed: true, failedOpen: true });
  return refused({ failed: true, httpStatus: options.statusOnError, code: because, ...changes });
}

/**
 * The request itself could not be sent on. Refused whatever `failOpen` says, since a client could else choose
 * not to be judged.
 */
export function unsendable(options: ProviderBase): Verdict {
  return refused({ failed: true, httpStatus: options.statusOnError, code: grpcCode.internal });
}

/**
 * The answer holds a header that no message may carry: 500, as Envoy with `validate_mutations`, `failOpen` or
 * not.
 */
export function badEdit(): Verdict {
  return refused({ failed: true, httpStatus: 500, code: grpcCode.internal });
}

/** A status that a refusal may go out with, else 403. */
export function refusalStatus(status: number): number {
  return Number.isInteger(status) && status >= 200 && status <= 599 ? status : 403;
}

/** Whether a header line with this name and value can stand in a message; a pseudo-header's name can. */
export function isHeader(name: string, value: string): boolean {
  return isFieldName(name.startsWith(":") ? name.slice(1) : name) && !breaksLine(value);
}

/**
 * Lines of a refusal: each replaces what Envoy would put, and a name that comes twice keeps both
 * (`set-cookie`).
 */
export function refusalHeaders(lines: readonly (readonly [name: string, value: string])[]): HeaderEdit[] {
  const seen = new Set<string>();
  const edits: HeaderEdit[] = [];
  for (const [name, value] of lines) {
    if (!isHeader(name, value)) continue;
    edits.push({
      name,
      value,
      action: seen.has(name) ? "APPEND_IF_EXISTS_OR_ADD" : "OVERWRITE_IF_EXISTS_OR_ADD",
    });
    seen.add(name);
  }
  return edits;
}

/**
 * Names that may be removed: Envoy passes over pseudo-headers and `host`, without which there is no request.
 */
export function removable(names: readonly string[]): string[] {
  return names.map((name) => name.toLowerCase()).filter((name) => isFieldName(name) && name !== "host");
}
