import { Buffer } from "node:buffer";
import type { Jwt } from "./jwt.js";
import type { JwtReason } from "./jwt-status.js";
import type { VerificationKey } from "./key-set.js";
import { verifySignature } from "./signature.js";
import type { TokenCache, VerifiedToken } from "./token-cache.js";

/** What came of a signature. */
export type Verification = VerifiedToken | JwtReason;

/** Verifies signatures, each token once at a time, and remembers the good ones. */
export interface TokenVerifier {
  /** Verified earlier and not forgotten. */
  readonly known: (key: string) => VerifiedToken | undefined;
  /** Never rejects. All who ask for the same token meanwhile share one verification. */
  readonly verify: (
    key: string,
    jwt: Jwt,
    candidates: readonly VerificationKey[],
    ttlMs: number,
  ) => Promise<Verification>;
}

const noSignature: Jwt["signature"] = Buffer.alloc(0);

/** A slice keeps the text that it was cut from alive: here all of the header line, the signature with it. */
function copyOf(slice: string): string {
  return Buffer.from(slice, "latin1").toString("latin1");
}

/** A verifier with its own cache. */
export function createTokenVerifier(cache: TokenCache): TokenVerifier {
  const underWay = new Map<string, Promise<Verification>>();

  const verifyOnce = async (
    key: string,
    jwt: Jwt,
    candidates: readonly VerificationKey[],
    ttlMs: number,
  ): Promise<Verification> => {
    const verdict = await verifySignature(jwt, candidates);
    if (verdict !== "ok") return verdict;
    const { headerPart, payloadPart } = jwt;
    const kept = { headerPart: copyOf(headerPart), payloadPart: copyOf(payloadPart), signature: noSignature };
    const verified = { jwt: { ...jwt, ...kept }, accepted: [] };
    cache.set(key, verified, ttlMs);
    return verified;
  };

  return {
    known: cache.get,
    verify(key, jwt, candidates, ttlMs) {
      const shared = underWay.get(key);
      if (shared !== undefined) return shared;
      const verification = verifyOnce(key, jwt, candidates, ttlMs).finally(() => underWay.delete(key));
      underWay.set(key, verification);
      return verification;
    },
  };
}
