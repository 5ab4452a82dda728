import { LRUCache } from "lru-cache";
import { BuiltinError } from "./builtin.js";
import { latin1 } from "./crypto-x509.js";
import { readJwks, type TokenKey } from "./jwk.js";
import { tokenAlgorithms } from "./jwt-signature.js";
import { readPem } from "./pem.js";
import { oneCertificate } from "./x509-certificate.js";
import { type CertificateKey, isUsableRsa, readPublicKey } from "./x509-key.js";

/** Keys by the text that they were read from, since policies verify many tokens against the same few. */
const cache = new LRUCache<string, readonly TokenKey[]>({
  max: 100,
  maxSize: 4_000_000,
  sizeCalculation: (_, text) => text.length + 1,
});

/**
 * The keys of a certificate or public key in PEM, or of a JWK or JWK set. Keys for other algorithms than those of
 * tokens are left out. Throws a BuiltinError for anything else.
 */
export function tokenKeys(text: string): readonly TokenKey[] {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const keys = readKeys(text);
  cache.set(text, keys);
  return keys;
}

function readKeys(text: string): readonly TokenKey[] {
  const block = readPem(latin1(text));
  if (block === undefined) return readJwks(text).filter(({ alg }) => alg === "" || tokenAlgorithms.has(alg));
  if (block.rest !== "") throw new BuiltinError("extra data after a PEM block");
  if (block.type === "CERTIFICATE") return [keyOf(oneCertificate(block.bytes).key)];
  if (block.type === "PUBLIC KEY") {
    const key = readPublicKey(block.bytes);
    if (key.type === "unknown") throw new BuiltinError("unknown public key algorithm");
    return [keyOf(key)];
  }
  throw new BuiltinError(`PEM block type is \`${block.type}\``);
}

function keyOf(found: CertificateKey): TokenKey {
  const key = "key" in found ? found.key : undefined;
  const usable = found.type !== "RSA" || isUsableRsa(found.n, found.e);
  const type =
    found.type === "RSA" || found.type === "EC" || found.type === "Ed25519" ? found.type : "unusable";
  const size = found.type === "EC" ? found.curve.size : 0;
  return {
    alg: "",
    kid: "",
    type,
    key: usable ? key : undefined,
    isPrivate: false,
    privateKey: undefined,
    size,
  };
}
