import {
  createHmac,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign as signWith,
} from "node:crypto";

/** A key of the test's issuers by name: `rsa` and `rsa2` have 2048 bits and e = 65537. */
export type KeyName =
  | "rsa"
  | "rsa2"
  | "rsa1024"
  | "rsaE3"
  | "p256"
  | "p256b"
  | "p384"
  | "p521"
  | "ed25519"
  | "oct";

/** A token as it is to be made; what is absent is that of a good token of `issuerA`. */
export interface TokenParts {
  /** A text or bytes stand as they are; an object is written as JSON. */
  readonly header?: string | Buffer | Readonly<Record<string, unknown>>;
  readonly payload?: string | Buffer | Readonly<Record<string, unknown>>;
  /** What really signs, whatever the header says. */
  readonly key?: KeyName;
  readonly signedAs?: string;
}

/** Makes keys once and tokens at will. */
export interface JwtKit {
  /** Whole seconds since the epoch. */
  readonly now: () => number;
  /** The public JWK (for `oct` the key itself), with these members added. */
  readonly jwk: (name: KeyName, members?: Readonly<Record<string, unknown>>) => JsonWebKey;
  /** JSON text of a JWKS. */
  readonly jwks: (...keys: readonly unknown[]) => string;
  /** The RSA key `rsa` as a client would read it from a PEM file. */
  readonly publicPem: string;
  readonly token: (parts?: TokenParts) => string;
  /** Signs `input` as the last part of a token would be. */
  readonly signature: (input: string, key: KeyName, alg: string) => Buffer;
  /** HMAC with any bytes as the key, for tokens that abuse public keys as secrets. */
  readonly hmacToken: (header: object, payload: object, secret: string | Buffer) => string;
  /** A good payload of `issuerA` with these members added. */
  readonly claims: (members?: Readonly<Record<string, unknown>>) => Record<string, unknown>;
}

/** Issuers of the tests. */
export const issuerA = "https://issuer-a.test";
/** Sorts behind A. */
export const issuerB = "https://issuer-b.test";

/** The unpadded base64url form. */
export function base64url(value: string | Buffer): string {
  return Buffer.from(value as string).toString("base64url");
}

/** Makes all keys anew: about a quarter of a second. */
export function makeJwtKit(): JwtKit {
  const pairs = makeKeys();
  const now = (): number => Math.floor(Date.now() / 1000);
  const claims: JwtKit["claims"] = (members = {}) => ({
    iss: issuerA,
    sub: "alice",
    exp: now() + 3600,
    ...members,
  });
  const signature: JwtKit["signature"] = (input, key, alg) => signBytes(Buffer.from(input), pairs[key], alg);
  const secret = pairs.oct.privateKey as Buffer;
  return {
    now,
    claims,
    signature,
    jwk: (name, members = {}) => ({
      ...(name === "oct"
        ? { kty: "oct", k: secret.toString("base64url") }
        : (pairs[name].publicKey as KeyObject).export({ format: "jwk" })),
      ...members,
    }),
    jwks: (...keys) => JSON.stringify({ keys }),
    publicPem: String((pairs.rsa.publicKey as KeyObject).export({ format: "pem", type: "spki" })),
    token(parts = {}) {
      const key = parts.key ?? "rsa";
      const alg = parts.signedAs ?? usualAlg[key];
      const input = `${part(parts.header ?? { alg, typ: "JWT", kid: key })}.${part(parts.payload ?? claims())}`;
      return `${input}.${base64url(signature(input, key, alg))}`;
    },
    hmacToken(header, payload, key) {
      const input = `${part({ ...header })}.${part({ ...payload })}`;
      return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
    },
  };
}

const usualAlg: Readonly<Record<KeyName, string>> = {
  rsa: "RS256",
  rsa2: "RS256",
  rsa1024: "RS256",
  rsaE3: "RS256",
  p256: "ES256",
  p256b: "ES256",
  p384: "ES384",
  p521: "ES512",
  ed25519: "EdDSA",
  oct: "HS256",
};

interface Pair {
  readonly publicKey: KeyObject | Buffer;
  readonly privateKey: KeyObject | Buffer;
}

function makeKeys(): Readonly<Record<KeyName, Pair>> {
  const rsa = (modulusLength = 2048, publicExponent = 65537): Pair =>
    generateKeyPairSync("rsa", { modulusLength, publicExponent });
  const ec = (namedCurve: string): Pair => generateKeyPairSync("ec", { namedCurve });
  const secret = randomBytes(64);
  return {
    rsa: rsa(),
    rsa2: rsa(),
    rsa1024: rsa(1024),
    rsaE3: rsa(2048, 3),
    p256: ec("P-256"),
    p256b: ec("P-256"),
    p384: ec("P-384"),
    p521: ec("P-521"),
    ed25519: generateKeyPairSync("ed25519"),
    oct: { publicKey: secret, privateKey: secret },
  };
}

/** RFC 7518 section 3 and RFC 8037; any key is used for any algorithm that it can somehow compute. */
function signBytes(input: Buffer, { privateKey }: Pair, alg: string): Buffer {
  const hash = `sha${alg.slice(2, 5)}`;
  if (alg.startsWith("HS"))
    return createHmac(hash, privateKey as Buffer)
      .update(input)
      .digest();
  const key = privateKey as KeyObject;
  if (alg === "EdDSA") return signWith(null, input, key);
  // RSA_PKCS1_PSS_PADDING, with the salt as long as the hash; `PS256-8` makes it 8 bytes long.
  if (alg.startsWith("PS"))
    return signWith(hash, input, { key, padding: 6, saltLength: Number(alg.split("-")[1] ?? -1) });
  return signWith(hash, input, { key, dsaEncoding: "ieee-p1363" });
}

function part(value: NonNullable<TokenParts["payload"]>): string {
  if (typeof value === "string" || Buffer.isBuffer(value)) return base64url(value);
  return base64url(JSON.stringify(value));
}
