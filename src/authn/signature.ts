import { flattenedVerify } from "jose";
import type { JsonValue } from "../attributes/index.js";
import type { Jwt } from "./jwt.js";
import type { JwtReason } from "./jwt-status.js";
import type { KeySet, VerificationKey } from "./key-set.js";

const ed25519SignatureBytes = 64;

/** The keys of a set that a token may have been signed with: equal `kid` and `alg` where both name one. */
export function candidateKeys(
  { kid, alg }: Pick<Jwt, "kid" | "alg">,
  keys: KeySet,
): readonly VerificationKey[] {
  return keys.keys.filter(
    (key) => (kid === "" || key.kid === "" || key.kid === kid) && (key.alg === "" || key.alg === alg),
  );
}

/**
 * Whether one of the candidates signed the token; each is tried, as Envoy does (`source/common/jwt/verify.cc`). What
 * may be verified with a key is the key's to say: the token's `alg` must be among it.
 */
export async function verifySignature(
  jwt: Jwt,
  candidates: readonly VerificationKey[],
): Promise<"ok" | JwtReason> {
  if (candidates.length === 0) return "jwks_no_matching_key";
  for (const { key, algorithms } of candidates) {
    if (algorithms.includes("EdDSA") && jwt.signature.length !== ed25519SignatureBytes) {
      return "jwt_ed25519_signature_wrong_length";
    }
    if (!algorithms.includes(jwt.alg)) continue;
    const { headerPart, payloadPart, signature } = jwt;
    const jws = { protected: headerPart, payload: payloadPart, signature: signature.toString("base64url") };
    try {
      await flattenedVerify(jws, key, { algorithms: [jwt.alg], crit: tolerated(jwt) });
      return "ok";
    } catch {
      // Not by this key, or nothing that jose verifies.
    }
  }
  return "jwt_verification_failed";
}

/** Envoy pays no heed to `crit`; jose refuses names that it is not told of. */
function tolerated({ header }: Jwt): Readonly<Record<string, boolean>> {
  const critical: JsonValue | undefined = header["crit"];
  if (!Array.isArray(critical)) return {};
  return Object.fromEntries(
    critical.filter((name) => typeof name === "string").map((name) => [name, false] as const),
  );
}
