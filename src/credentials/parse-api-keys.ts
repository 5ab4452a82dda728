import { z } from "zod";
import type { TokenPlaces } from "../authn/index.js";
import { codes, type Finding, finding } from "../diagnostics/index.js";
import { type Parsed, parseTimeMs, type ResourceDocument } from "../documents/index.js";
import { isApiKeyId, readHash } from "./api-key-text.js";
import type { ApiKey, ApiKeys } from "./api-keys.js";
import { filledText, parseCredential } from "./credential-fields.js";

const apiKeyHeader: TokenPlaces = {
  headers: [{ name: "x-api-key", prefix: "", opaque: true }],
  params: [],
  cookies: [],
};

/** Milliseconds since the epoch once read. */
const time: z.ZodType<number, string> = z.string().transform((written, context) => {
  const ms = parseTimeMs(written);
  if (ms !== undefined) return ms;
  const message = "expected a time as in RFC 3339, for example `2027-01-31T00:00:00Z`";
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

const key = z.strictObject({
  id: z.string().refine(isApiKeyId, "expected 8 to 12 letters and digits, the middle part of a key"),
  // Whatever stands here may be a secret by mistake: it is read so that no message repeats it.
  hash: z.custom<string>((value) => typeof value === "string" && readHash(value) !== undefined, {
    message: "`hash` cannot be read, expected `sha256$SALT$HASH` as `gatehouse apikey create` writes it",
    params: { code: codes.badKeyHash },
  }),
  owner: filledText.max(256),
  labels: z.record(z.string(), z.string()).default({}),
  expires: time.optional(),
  created: time.optional(),
  revoked: time.optional(),
});

const own = z.strictObject({ issuer: filledText.optional(), keys: z.array(key).default([]) });

/** Parses an ApiKeys document. */
export function parseApiKeys(document: ResourceDocument): Parsed<ApiKeys> {
  const { spec, findings } = parseCredential(document, own, apiKeyHeader);
  if (spec === undefined) return { spec: undefined, findings };
  const repeated = repeatedIds(spec.keys);
  if (repeated.length > 0) return { spec: undefined, findings: [...findings, ...repeated] };
  const issuer = spec.issuer ?? `gatehouse.dev/${document.namespace}/${document.name}`;
  return { spec: { ...spec, issuer, keys: spec.keys.map(toKey) }, findings };
}

function toKey({ id, hash, owner, labels, expires, created, revoked }: z.output<typeof key>): ApiKey {
  return {
    id,
    hash,
    owner,
    labels,
    expiresMs: expires,
    createdMs: created,
    revoked: revoked !== undefined,
  };
}

function repeatedIds(keys: readonly { readonly id: string }[]): Finding[] {
  const seen = new Set<string>();
  return keys.flatMap(({ id }, i) => {
    if (!seen.has(id)) {
      seen.add(id);
      return [];
    }
    const message = `key id \`${id}\` is given twice, expected each id once`;
    return [finding(codes.duplicateKeyId, ["spec", "keys", i, "id"], message)];
  });
}
