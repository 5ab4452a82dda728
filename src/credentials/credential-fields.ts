import { z } from "zod";
import { isEditableHeader, isFieldName, lowerAscii, toBytes } from "../attributes/index.js";
import { type ClaimHeader, sortPlaces, type TokenPlaces } from "../authn/index.js";
import { codes, type Finding, finding, hasErrors, type Path } from "../diagnostics/index.js";
import {
  type Attached,
  asFields,
  attachmentFields,
  type Parsed,
  parseWith,
  type ResourceDocument,
  readAttachment,
} from "../documents/index.js";

/** What TokenIntrospection and ApiKeys have in common, as plain data. */
export interface CredentialFields extends Attached {
  readonly namespace: string;
  readonly name: string;
  readonly places: TokenPlaces;
  readonly forwardOriginalToken: boolean;
  readonly outputClaimToHeaders: readonly ClaimHeader[];
}

/** Also of one that is only read: its credential is removed from the request. */
const headerName = z
  .string()
  .refine(isFieldName, "expected a header's name")
  .transform((name) => lowerAscii(name))
  .refine(isEditableHeader, "expected a header that may be set and removed on a request");

/** A string of which there is something. */
export const filledText: z.ZodString = z.string().min(1, "empty value, expected a non-empty string");

const fields = z.strictObject({
  fromHeaders: z.array(z.strictObject({ name: headerName, prefix: z.string().default("") })).default([]),
  fromParams: z.array(filledText).default([]),
  fromCookies: z.array(z.string().refine(isFieldName, "expected a cookie's name")).default([]),
  forwardOriginalToken: z.boolean().default(false),
  outputClaimToHeaders: z.array(z.strictObject({ header: headerName, claim: filledText })).default([]),
});

const opaque = true as const;

const names: ReadonlySet<string> = new Set(Object.keys(fields.shape));
const attachmentNames: ReadonlySet<string> = new Set(attachmentFields);

/**
 * Reads a document of such a kind: `own` reads the fields that only this kind has. `fallback` is where credentials
 * are looked for when the document names no place.
 */
export function parseCredential<Own extends object>(
  document: ResourceDocument,
  own: z.ZodType<Own>,
  fallback: TokenPlaces,
): Parsed<CredentialFields & Own> {
  const at: Path = ["spec"];
  const findings: Finding[] = [];
  const spec = asFields(document.spec ?? {}, at, findings);
  if (spec === undefined) return { spec: undefined, findings };
  const attached = readAttachment(spec, at, findings);
  const entries = Object.entries(spec).filter(([name]) => !attachmentNames.has(name));
  const shared = parseWith(fields, Object.fromEntries(entries.filter(([name]) => names.has(name))), at);
  const rest = parseWith(own, Object.fromEntries(entries.filter(([name]) => !names.has(name))), at);
  findings.push(...shared.findings, ...rest.findings);
  if (hasErrors(findings) || shared.spec === undefined || rest.spec === undefined)
    return { spec: undefined, findings };
  findings.push(...repeatedHeaders(shared.spec.outputClaimToHeaders, at));
  if (hasErrors(findings)) return { spec: undefined, findings };
  return {
    spec: {
      ...rest.spec,
      namespace: document.namespace,
      name: document.name,
      ...attached,
      places: placesOf(shared.spec, fallback),
      forwardOriginalToken: shared.spec.forwardOriginalToken,
      outputClaimToHeaders: shared.spec.outputClaimToHeaders,
    },
    findings,
  };
}

function placesOf(
  { fromHeaders, fromParams, fromCookies }: z.output<typeof fields>,
  fallback: TokenPlaces,
): TokenPlaces {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0) return fallback;
  const headers = fromHeaders.map(({ name, prefix }) => ({ name, prefix: toBytes(prefix), opaque }));
  return sortPlaces({ headers, params: fromParams.map(toBytes), cookies: fromCookies });
}

/** Two claims for one header: only one could be in it. */
function repeatedHeaders(outputs: readonly ClaimHeader[], at: Path): Finding[] {
  return outputs.flatMap(({ header }, i) => {
    if (outputs.findIndex((other) => other.header === header) === i) return [];
    const message = `header \`${header}\` is set twice, expected each header once`;
    return [finding(codes.conflictingFields, [...at, "outputClaimToHeaders", i, "header"], message)];
  });
}
