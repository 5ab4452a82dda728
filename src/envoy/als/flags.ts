/**
 * Envoy's short names of the fields of `ResponseFlags`, by field number less one. DO, UDO and whatever
 * is younger have no field there, only `%RESPONSE_FLAGS%` names them.
 */
const names: readonly string[] = [
  "LH",
  "UH",
  "UT",
  "LR",
  "UR",
  "UF",
  "UC",
  "UO",
  "NR",
  "DI",
  "FI",
  "RL",
  "UAEX",
  "RLSE",
  "DC",
  "URX",
  "SI",
  "IH",
  "DPE",
  "UMSDR",
  "RFCF",
  "NFCF",
  "DT",
  "UPE",
  "NC",
  "OM",
  "DF",
  "DR",
];

/** DC, the client went away: field 15. */
export const downstreamGone: number = 1 << 14;

/** UNAUTHORIZED by an external service: field 13. */
export const unauthorizedExternalService: number = 1 << 12;

/** As many as a text of names may have; what Envoy says in `%RESPONSE_FLAGS%` is longer in no version. */
const maxText = 160;
const shortNames = /^[A-Z][A-Z0-9_]*(?:,[A-Z][A-Z0-9_]*)*$/;
const maxRemembered = 1_000;

/** Texts of flags, remembered. `formatted`: what a custom tag with `%RESPONSE_FLAGS%` says, undefined without one. */
export type FlagNames = (mask: number, formatted: string | undefined) => string;

/**
 * Envoy's order is that in which the flags were set, which the entry does not tell: without the tag they stand in the
 * order of the fields.
 */
export function createFlagNames(): FlagNames {
  const byMask = new Map<number, string>([[0, "-"]]);
  return (mask, formatted) => {
    if (formatted !== undefined && isFlags(formatted)) return formatted;
    const known = byMask.get(mask);
    if (known !== undefined) return known;
    const text = names.filter((_, bit) => (mask & (1 << bit)) !== 0).join(",");
    if (byMask.size < maxRemembered) byMask.set(mask, text);
    return text;
  };
}

function isFlags(text: string): boolean {
  return text === "-" || (text.length <= maxText && shortNames.test(text));
}
