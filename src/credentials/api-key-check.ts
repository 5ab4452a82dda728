import { Buffer } from "node:buffer";
import type { ByteString, JsonObject } from "../attributes/index.js";
import type { CredentialCheck, CredentialVerdict } from "../authn/index.js";
import { type ExpectedSecret, isSecret, readApiKey, readHash } from "./api-key-text.js";
import type { ApiKey, ApiKeys } from "./api-keys.js";
import { refuseCredential } from "./credential-refusal.js";

/** The same answer for all: only the record says why. */
const body = "API key is not valid";

/**
 * RFC 9110 section 15.5.2 wants a challenge in each 401. No scheme is registered for API keys, so this names what is
 * wanted in a scheme that clients skip when they do not know it; browsers show no dialog for it.
 */
const challenge = "ApiKey";

const malformed = refuseCredential("token_malformed", body, challenge);
const unknown = refuseCredential("api_key_unknown", body, challenge);
const expired = refuseCredential("api_key_expired", body, challenge);
const revoked = refuseCredential("api_key_revoked", body, challenge);

/** Stands for the key of an unknown id, so that this takes as long as a wrong secret. No secret has this digest. */
const nobody: ExpectedSecret = { salt: Buffer.alloc(16), digest: Buffer.alloc(32) };

interface Candidate {
  readonly expected: ExpectedSecret;
  readonly expiresMs: number;
  readonly revoked: boolean;
  readonly taken: CredentialVerdict;
}

/** Judges API keys by the hashes of a document; answers at once. */
export function createApiKeyCheck(spec: ApiKeys): CredentialCheck {
  const candidates = new Map(spec.keys.map((key) => [key.id, toCandidate(key, spec.issuer)]));

  const judge = (token: ByteString, nowMs: number): CredentialVerdict => {
    const key = readApiKey(token);
    if (key === undefined) return malformed;
    const candidate = candidates.get(key.id);
    const matches = isSecret(key.secret, candidate?.expected ?? nobody);
    if (candidate === undefined || !matches) return unknown;
    if (candidate.revoked) return revoked;
    return nowMs >= candidate.expiresMs ? expired : candidate.taken;
  };

  return {
    method: "api_key",
    name: `${spec.namespace}/${spec.name}`,
    places: spec.places,
    forwardOriginalToken: spec.forwardOriginalToken,
    outputClaimToHeaders: spec.outputClaimToHeaders,
    recognises: (token) => readApiKey(token) !== undefined,
    judge,
  };
}

/** A hash that cannot be read is an error of the document, so what has got here is refused like an unknown key. */
function toCandidate({ id, hash, owner, labels, expiresMs, revoked }: ApiKey, issuer: string): Candidate {
  const payload: JsonObject = {
    iss: issuer,
    sub: owner,
    key_id: id,
    labels,
    ...(expiresMs !== undefined && { exp: Math.floor(expiresMs / 1000) }),
  };
  return {
    expected: readHash(hash) ?? nobody,
    expiresMs: expiresMs ?? Number.POSITIVE_INFINITY,
    revoked,
    taken: { payload, refusal: undefined },
  };
}
