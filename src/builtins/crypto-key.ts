import { createPublicKey } from "node:crypto";
import { stringAt } from "./arguments.js";
import { fromBase64 } from "./base64.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { latin1, mustFromBase64 } from "./crypto-x509.js";
import { readPem, writePem } from "./pem.js";
import { type KeyEncoding, type PrivateKey, privateKeyJson, readPrivateKey } from "./private-key.js";
import type { Value } from "./value.js";
import { oneCertificate } from "./x509-certificate.js";
import { certificateJson, struct } from "./x509-json.js";

const encodings: Readonly<Record<string, KeyEncoding>> = {
  "RSA PRIVATE KEY": "pkcs1",
  "PRIVATE KEY": "pkcs8",
  "EC PRIVATE KEY": "sec1",
};

/** The private keys in a PEM text, which may be in base64; other blocks are skipped. */
function keysIn(text: string): readonly PrivateKey[] {
  const keys: PrivateKey[] = [];
  const start = fromBase64(text)?.toString("latin1") ?? text;
  for (let block = readPem(start); block !== undefined; block = readPem(block.rest)) {
    const type = Object.hasOwn(encodings, block.type) ? encodings[block.type] : undefined;
    if (type !== undefined) keys.push(readPrivateKey(block.bytes, type));
  }
  return keys;
}

const parsePrivateKeys: Builtin = (args) => {
  const text = latin1(stringAt(args, 0));
  return text === "" ? null : keysIn(text).map(privateKeyJson);
};

const jwkOfPrivateKey: Builtin = (args) => {
  const text = latin1(stringAt(args, 0));
  if (text === "") throw new BuiltinError("input PEM data was empty");
  const pem = text.startsWith("-----BEGIN") ? text : mustFromBase64(text).toString("latin1");
  const [first] = keysIn(pem);
  if (first === undefined) return null;
  if (first.jwk.crv === "P-224") throw new BuiltinError("unknown elliptic curve");
  return struct(first.jwk as Readonly<Record<string, Value>>);
};

/** PEM as it is, or in base64, or DER in base64. */
function pemOf(text: string, type: string, mark: string): string {
  const decoded = text.startsWith("-----BEGIN ") ? text : mustFromBase64(text).toString("latin1");
  return decoded.startsWith(mark) ? decoded : writePem(type, Buffer.from(decoded, "latin1"));
}

const parseKeyPair: Builtin = (args) => {
  const certificates: Buffer[] = [];
  const chain = pemOf(latin1(stringAt(args, 0)), "CERTIFICATE", "-----BEGIN ");
  for (let block = readPem(chain); block !== undefined; block = readPem(block.rest)) {
    if (block.type === "CERTIFICATE") certificates.push(block.bytes);
  }
  let key = readPem(pemOf(latin1(stringAt(args, 1)), "PRIVATE KEY", "-----BEGIN"));
  while (key !== undefined && !/(^| )PRIVATE KEY$/.test(key.type)) key = readPem(key.rest);
  const [first] = certificates;
  if (first === undefined || key === undefined) throw new BuiltinError("no certificate or no private key");
  const leaf = oneCertificate(first);
  const secret = anyPrivateKey(key.bytes);
  const theirs = "key" in leaf.key ? leaf.key.key : undefined;
  if (theirs === undefined || !createPublicKey(secret.key).equals(theirs)) {
    throw new BuiltinError("private key does not match the certificate");
  }
  return struct({
    Certificate: certificates.map((bytes) => bytes.toString("base64")),
    PrivateKey: privateKeyJson(secret),
    SupportedSignatureAlgorithms: null,
    OCSPStaple: null,
    SignedCertificateTimestamps: null,
    Leaf: certificateJson(leaf, false),
  });
};

function anyPrivateKey(bytes: Buffer): PrivateKey {
  for (const type of ["pkcs1", "pkcs8", "sec1"] as const) {
    try {
      return readPrivateKey(bytes, type);
    } catch (error) {
      if (!(error instanceof BuiltinError)) throw error;
    }
  }
  throw new BuiltinError("malformed private key");
}

/** Private keys of OPA (topdown/crypto.go). `parse_rsa_private_key` gives a JWK of any type of key. */
export const keyBuiltins: Builtins = {
  "crypto.parse_private_keys": parsePrivateKeys,
  "crypto.x509.parse_rsa_private_key": jwkOfPrivateKey,
  "crypto.x509.parse_keypair": parseKeyPair,
};
