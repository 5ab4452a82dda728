import { stringAt } from "./arguments.js";
import type { Builtin, Builtins } from "./builtin.js";
import { bytesOf } from "./bytes.js";
import { equalInConstantTime } from "./crypto-hash.js";
import type { TokenKey } from "./jwk.js";
import { hmac, isSignedBy, type TokenAlgorithm, tokenAlgorithms } from "./jwt-signature.js";
import { headerFields, partBytes, readHeader, signedPart, splitToken } from "./jwt-token.js";
import { tokenKeys } from "./token-keys.js";

/**
 * Whether one of the keys verifies: only the first whose `kid` is the token's, if there is one; else all but those
 * for another algorithm than the token's.
 */
export function someKeyVerifies(
  keys: readonly TokenKey[],
  header: { readonly alg: string; readonly kid: string },
  verifies: (key: TokenKey) => boolean,
): boolean {
  const named = header.kid === "" ? undefined : keys.find(({ kid }) => kid === header.kid);
  if (named !== undefined) return verifies(named);
  return keys.some((key) => (key.alg === "" || key.alg === header.alg) && verifies(key));
}

/** The function decides on the algorithm, whatever the token's header says. A private key verifies nothing. */
const verifyWithKey =
  (algorithm: TokenAlgorithm): Builtin =>
  (args) => {
    const token = splitToken(stringAt(args, 0));
    const keys = tokenKeys(stringAt(args, 1));
    const signature = partBytes(token.signature);
    const header = headerFields(readHeader(token));
    const signed = { input: signedPart(token), signature };
    const leniency = { anyLength: true, anySalt: true };
    return someKeyVerifies(
      keys,
      header,
      (key) => !key.isPrivate && isSignedBy(key, algorithm, signed, leniency),
    );
  };

const verifyWithSecret =
  (algorithm: TokenAlgorithm): Builtin =>
  (args) => {
    const token = splitToken(stringAt(args, 0));
    const secret = bytesOf(stringAt(args, 1));
    return equalInConstantTime(partBytes(token.signature), hmac(algorithm, secret, signedPart(token)));
  };

/** `io.jwt.verify_*` of OPA (topdown/tokens.go). */
export const jwtVerifyBuiltins: Builtins = Object.fromEntries(
  [...tokenAlgorithms].map(([name, algorithm]) => [
    `io.jwt.verify_${name.toLowerCase()}`,
    algorithm.family === "HS" ? verifyWithSecret(algorithm) : verifyWithKey(algorithm),
  ]),
);
