import { type Diagnostic, hasErrors } from "../diagnostics/index.js";
import type { Quota } from "../quota/index.js";
import {
  findClashes,
  parseRateLimitFile,
  type RateLimitFile,
  type RateLimitSettings,
} from "../ratelimit/index.js";
import type { ChunkReading, DocumentReading, Mark, Placement } from "./reading.js";

/** The kind that a config file of envoyproxy/ratelimit has here. */
export const RATE_LIMIT_KIND = "RateLimitConfig";

/** A document beside others that is a config file of envoyproxy/ratelimit: it has a domain and neither apiVersion nor kind. */
export function looksLikeRateLimits(text: string): boolean {
  return /^["']?domain["']?[ \t]*:/m.test(text) && !/^["']?(?:apiVersion|kind)["']?[ \t]*:/m.test(text);
}

/** Reads a config file as envoyproxy/ratelimit would. */
export function readRateLimits(text: string, hash: string): ChunkReading {
  const { spec, findings } = parseRateLimitFile(text);
  const marks = findings.map(({ code, message, place }): Mark => {
    const { line, column } = place ?? { line: 1, column: 1 };
    return { code, message, line, column, resource: undefined };
  });
  if (spec === undefined || hasErrors(findings)) return { hash, documents: [], marks };
  const document: DocumentReading = {
    // No other name is its own: domains of several files may be merged.
    id: `ratelimit/${RATE_LIMIT_KIND}//${hash}`,
    kind: RATE_LIMIT_KIND,
    namespace: "",
    name: spec.domain,
    hash,
    spec,
    references: [],
    complete: undefined,
    prepare: undefined,
    path: [],
    line: 1,
  };
  return { hash, documents: [document], marks };
}

/** What only shows between config files, and between them and Quotas: two that claim one domain. */
export function rateLimitClashes(
  placements: readonly Placement[],
  settings: Pick<RateLimitSettings, "mergeDomains">,
  onQuota: (placement: Placement, document: DocumentReading, message: string) => Diagnostic,
): Diagnostic[] {
  const held = placements.flatMap((placement) =>
    placement.reading.documents
      .filter(({ kind }) => kind === RATE_LIMIT_KIND)
      .map(({ spec }) => ({ placement, file: spec as RateLimitFile })),
  );
  const files = held.map(({ placement, file }) => ({ name: placement.file, file }));
  const clashes = findClashes(files, settings).flatMap(({ file: index, finding }) => {
    const placement = held[index]?.placement;
    return placement === undefined ? [] : [at(placement, finding)];
  });
  const domains = new Map(held.map(({ file, placement }) => [file.domain, placement.file]));
  for (const placement of domains.size === 0 ? [] : placements) {
    for (const document of placement.reading.documents) {
      const domain = document.kind === "Quota" && (document.spec as Quota | undefined)?.rateLimit?.domain;
      if (domain === false || domain === undefined || !domains.has(domain)) continue;
      const message = `domain \`${domain}\` is that of the config file ${domains.get(domain)}, expected another one`;
      clashes.push(onQuota(placement, document, message));
    }
  }
  return clashes;
}

function at(
  { file, line: start }: Placement,
  { code, message, place }: ReturnType<typeof findClashes>[number]["finding"],
): Diagnostic {
  const { line, column } = place ?? { line: 1, column: 1 };
  return { code: code.code, severity: code.severity, message, file, line: start + line - 1, column };
}
