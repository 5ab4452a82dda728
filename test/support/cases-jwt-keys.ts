import { bearer, type JwtCase } from "./jwt-case.js";
import { base64url, type JwtKit, type KeyName, type TokenParts } from "./jwt-kit.js";

/** Tokens as parts, for `[rule set, what is special, parts]`. */
const made: readonly (readonly [set: string, name: string, parts: TokenParts])[] = [
  // The header's algorithm, the key that signs, and the keys of the issuer.
  ...(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const).flatMap((alg) =>
    (["keys", "keys-alg", "bare", "bare-ed25519"] as const).map(
      (set) => [set, `${alg} by an RSA key`, { key: "rsa", signedAs: alg }] as const,
    ),
  ),
  ...(["p256", "p384", "p521", "ed25519", "oct"] as const).flatMap((key) =>
    (["keys", "keys-alg", "bare-ed25519", "ec-bare"] as const).map(
      (set) => [set, `usual algorithm by ${key}`, { key }] as const,
    ),
  ),
  ["keys", "HS384 by oct", { key: "oct", signedAs: "HS384" }],
  ["keys", "HS512 by oct", { key: "oct", signedAs: "HS512" }],
  ["keys-alg", "HS512 by oct whose JWK says HS256", { key: "oct", signedAs: "HS512" }],
  ["rsa-bare", "ES256 against an RSA key", { key: "p256", header: { alg: "ES256" } }],
  ["rsa-bare", "good without kid", { header: { alg: "RS256" } }],
  ["rsa-bare", "good with a kid that the key lacks", {}],
  ["ec-bare", "RS256 against EC keys", { header: { alg: "RS256" } }],
  ["ec-bare", "RS256 label on an ES256 signature", { key: "p256", header: { alg: "RS256" } }],
  ["ec-bare", "ES384 label on an ES256 signature", { key: "p256", header: { alg: "ES384" } }],
  ["ec-bare", "ES256 by a P-384 key", { key: "p384", signedAs: "ES256" }],
  ["ec-bare", "ES512 by a P-256 key", { key: "p256", signedAs: "ES512" }],
  ["ec-bare", "ES384 by a P-256 key", { key: "p256", signedAs: "ES384" }],
  ["ec-bare", "PS256 label on an ES256 signature", { key: "p256", header: { alg: "PS256" } }],
  ["ec-bare", "HS256 label on an ES256 signature", { key: "p256", header: { alg: "HS256" } }],
  ["ec-bare", "EdDSA label on an ES256 signature", { key: "p256", header: { alg: "EdDSA" } }],
  ["keys", "RS256 label on a PS256 signature", { signedAs: "PS256", header: { alg: "RS256", kid: "rsa" } }],
  ["keys", "PS256 label on an RS256 signature", { signedAs: "RS256", header: { alg: "PS256", kid: "rsa" } }],
  ["keys", "RS384 label on an RS256 signature", { signedAs: "RS256", header: { alg: "RS384", kid: "rsa" } }],
  ["keys", "ES256 label on an RS256 signature", { header: { alg: "ES256", kid: "rsa" } }],
  ["keys", "ES256 label, kid of the RSA key", { key: "p256", header: { alg: "ES256", kid: "rsa" } }],
  ["keys", "RS256 label on ES256, kid of the EC key", { key: "p256", header: { alg: "RS256", kid: "p256" } }],
  ["keys", "HS256 label on ES256, kid of the EC key", { key: "p256", header: { alg: "HS256", kid: "p256" } }],
  ["keys", "RS256 label on EdDSA", { key: "ed25519", header: { alg: "RS256", kid: "ed25519" } }],
  ["keys", "EdDSA label on RS256", { header: { alg: "EdDSA", kid: "rsa" } }],
  ["keys", "RS256 label on HS256", { key: "oct", header: { alg: "RS256", kid: "oct" } }],
  ["keys", "Ed25519 label", { key: "ed25519", header: { alg: "Ed25519", kid: "ed25519" } }],
  ["keys", "RS256, kid of the oct key", { header: { alg: "RS256", kid: "oct" } }],
  ["keys-alg", "RS512 where the JWK says RS256", { signedAs: "RS512" }],
  // kid.
  ["keys", "no kid, several keys", { header: { alg: "RS256" } }],
  ["keys", "no kid, ES256", { key: "p256", header: { alg: "ES256" } }],
  ["keys", "unknown kid", { header: { alg: "RS256", kid: "other" } }],
  ["keys", "empty kid", { header: { alg: "RS256", kid: "" } }],
  ["keys", "kid in capitals", { header: { alg: "RS256", kid: "RSA" } }],
  ["keys", "kid of another key", { header: { alg: "RS256", kid: "rsa2" } }],
  ["keys", "kid is a path", { header: { alg: "RS256", kid: "../../../dev/null" } }],
  ["keys", "kid is SQL", { header: { alg: "RS256", kid: "x' UNION SELECT 'k" } }],
  ["keys", "kid is a command", { header: { alg: "RS256", kid: "rsa|touch /x" } }],
  ["keys", "kid with NUL", { header: { alg: "RS256", kid: "rsa\0x" } }],
  ["keys", "kid __proto__", { header: { alg: "RS256", kid: "__proto__" } }],
  ["keys", "kid is an URL", { header: { alg: "RS256", kid: "http://127.0.0.1:1/k" } }],
  ["bare", "second of two RSA keys without kid", { key: "rsa2", header: { alg: "RS256" } }],
  ["bare", "RSA key that is not in the set", { key: "rsaE3", header: { alg: "RS256" } }],
  ["same-kid", "first of two keys with one kid", { header: { alg: "RS256", kid: "k" } }],
  ["same-kid", "second of two keys with one kid", { key: "rsa2", header: { alg: "RS256", kid: "k" } }],
  ["same-kid", "none of two keys with one kid", { key: "rsaE3", header: { alg: "RS256", kid: "k" } }],
  ["kid-empty", "no kid, the JWK has an empty one", { header: { alg: "RS256" } }],
  ["kid-empty", "other kid, the JWK has an empty one", { header: { alg: "RS256", kid: "x" } }],
  // Headers that name keys of their own.
  ...["jku", "x5u"].map(
    (name) =>
      ["plain", `${name} in the header`, { header: header({ [name]: "http://127.0.0.1:1/keys" }) }] as const,
  ),
  ["plain", "x5c in the header", { header: header({ x5c: ["MIIB"] }) }],
  ["plain", "x5t in the header", { header: header({ x5t: "AAAA", "x5t#S256": "AAAA" }) }],
  ["plain", "jwk in the header is null", { header: header({ jwk: null }) }],
  // Critical extensions.
  ...Object.entries({
    "an unknown name": { crit: ["x"], x: 1 },
    "a name that is absent": { crit: ["x"] },
    "exp, which is present": { crit: ["exp"], exp: 1 },
    "b64 false": { crit: ["b64"], b64: false },
    "b64 true": { crit: ["b64"], b64: true },
    "an empty list": { crit: [] },
    "a text": { crit: "x", x: 1 },
    null: { crit: null },
    "a list of numbers": { crit: [7] },
    "an object": { crit: {} },
    alg: { crit: ["alg"] },
    "a name twice": { crit: ["x", "x"], x: 1 },
  }).map(([name, members]) => ["plain", `crit is ${name}`, { header: header(members) }] as const),
  ["plain", "b64 false without crit", { header: header({ b64: false }) }],
  // Odd keys.
  ["weak", "RSA of 1024 bits", { key: "rsa1024" }],
  ["weak", "RSA with e = 3", { key: "rsaE3" }],
  ["use-enc", "use is enc", {}],
  ["key-ops", "key_ops is encrypt", {}],
  ["some-bad", "unusable keys among good ones", {}],
  ["some-bad", "unusable keys among good ones, without kid", { header: { alg: "RS256" } }],
  ["some-bad", "a key whose JWK says rs256", { key: "rsa2" }],
  ["some-bad", "an EC key whose JWK says RS256", { key: "p256" }],
  ["kid-number", "the JWK has a number as kid", { header: { alg: "RS256", kid: "7" } }],
  ["alg-number", "the JWK has a number as alg", {}],
  ["private", "a private JWK", {}],
];

function header(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { alg: "RS256", typ: "JWT", kid: "rsa", ...members };
}

/** Texts that a good token becomes, by what is special. */
const spoiled: Readonly<Record<string, (token: string, kit: JwtKit) => string>> = {
  "= behind each part": (t) => t.split(".").join("=.").concat("="),
  "== behind each part": (t) => t.split(".").join("==.").concat("=="),
  ...partly("padded", (part) => part.padEnd(Math.ceil(part.length / 4) * 4, "=")),
  ...partly("with one =", (part) => `${part}=`),
  ...partly("with other unused bits", otherBits),
  ...partly("with a space inside", (part) => `${part.slice(0, 5)} ${part.slice(5)}`),
  ...partly("with a tab inside", (part) => `${part.slice(0, 5)}\t${part.slice(5)}`),
  ...partly("with + for -", (part) => `+${part.slice(1)}`),
  ...partly("with / for _", (part) => `/${part.slice(1)}`),
  ...partly("with * inside", (part) => `${part.slice(0, 5)}*${part.slice(5)}`),
  ...partly("with %20 inside", (part) => `${part.slice(0, 5)}%20${part.slice(5)}`),
  ...partly("with a high byte inside", (part) => `${part.slice(0, 5)}\xe9${part.slice(5)}`),
  ...partly("one character short", (part) => part.slice(0, -1)),
  ...partly("one character long", (part) => `${part}A`),
  ...partly("two characters long", (part) => `${part}AA`),
  "signature padded with spaces around the =": (t) => `${t} = = `,
  ...partly("empty", () => ""),
  ...partly("of one character", () => "A"),
  "three spaces behind": (t) => `${t}   `,
  "comma behind": (t) => `${t},`,
  "comma and text behind": (t) => `${t}, x`,
  "space and text behind": (t) => `${t} x`,
  "dot in front": (t) => `.${t}`,
  "dot behind": (t) => `${t}.`,
  "two dots inside": (t) => t.replace(".", ".."),
  "two dots behind": (t) => `${t}..`,
  "only dots": () => "..",
  "one dot": () => ".",
  "one part": () => "abc",
  "two parts": (t) => t.split(".").slice(0, 2).join("."),
  "two parts and a dot": (t) => `${t.split(".").slice(0, 2).join(".")}.`,
  "four parts": (t) => `${t}.AAAA`,
  "five parts, as a JWE": (t) => `${t}.AAAA.AAAA`,
  "a JWE": () => [base64url('{"alg":"RSA-OAEP","enc":"A256GCM"}'), "AAAA", "AAAA", "AAAA", "AAAA"].join("."),
  "wrong signature": (t) => `${t.slice(0, t.lastIndexOf("."))}.${base64url(Buffer.alloc(256, 7))}`,
  "signature of other text": (t, kit) =>
    `${t.slice(0, t.lastIndexOf("."))}.${base64url(kit.signature("x", "rsa", "RS256"))}`,
  "signature with bytes behind": (t) => `${t}AAAA`,
  "signature with a zero byte in front": (t) => {
    const [head, payload, end = ""] = t.split(".");
    return [head, payload, base64url(Buffer.concat([Buffer.from([0]), Buffer.from(end, "base64url")]))].join(
      ".",
    );
  },
  "no alg in the header": (_, kit) => kit.token({ header: { typ: "JWT", kid: "rsa" } }),
  "HS256 with the public PEM as secret": (_, kit) =>
    kit.hmacToken({ alg: "HS256", kid: "rsa" }, kit.claims(), kit.publicPem),
  "HS256 with the modulus as secret": (_, kit) =>
    kit.hmacToken(
      { alg: "HS256", kid: "rsa" },
      kit.claims(),
      Buffer.from(String(kit.jwk("rsa").n), "base64url"),
    ),
  "HS256 with an empty secret": (_, kit) => kit.hmacToken({ alg: "HS256", kid: "rsa" }, kit.claims(), ""),
  "alg none without signature": (_, kit) =>
    `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(kit.claims()))}.`,
  "alg none with a signature": (_, kit) =>
    `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(kit.claims()))}.AAAA`,
  "jwk of the attacker in the header": (_, kit) =>
    kit.token({ key: "rsa2", header: { alg: "RS256", jwk: kit.jwk("rsa2") } }),
  "ES256 signature of zeros": (_, kit) => withSignature(kit, "p256", () => Buffer.alloc(64)),
  "ES256 signature in DER": (_, kit) =>
    withSignature(kit, "p256", () => Buffer.from("3006020101020101", "hex")),
  "ES256 signature of 63 bytes": (_, kit) => withSignature(kit, "p256", () => Buffer.alloc(63, 1)),
  "EdDSA signature of 63 bytes": (_, kit) => withSignature(kit, "ed25519", () => Buffer.alloc(63, 1)),
  "EdDSA signature of 64 wrong bytes": (_, kit) => withSignature(kit, "ed25519", () => Buffer.alloc(64, 1)),
  "ES256 signature with a byte behind": (_, kit) =>
    withSignature(kit, "p256", (s) => Buffer.concat([s, zero])),
  "ES256 signature with longer halves": (_, kit) =>
    withSignature(kit, "p256", (s) => Buffer.concat([zero, s.subarray(0, 32), zero, s.subarray(32)])),
  "PS256 with a salt of 8 bytes": (_, kit) =>
    kit.token({ header: { alg: "PS256", kid: "rsa" }, signedAs: "PS256-8" }),
  "RSA signature of 10 bytes": (_, kit) => withSignature(kit, "rsa", () => Buffer.alloc(10, 1)),
};

const zero = Buffer.alloc(1);

function withSignature(kit: JwtKit, key: KeyName, change: (signature: Buffer) => Buffer): string {
  const [header, payload, signature = ""] = kit.token({ key }).split(".");
  return [header, payload, base64url(change(Buffer.from(signature, "base64url")))].join(".");
}

/** The same spoiling for each part, with a signature that is good for the spoiled text. */
function partly(
  what: string,
  spoil: (part: string) => string,
): Readonly<Record<string, (token: string, kit: JwtKit) => string>> {
  const resign = (head: string, payload: string, kit: JwtKit): string =>
    [head, payload, base64url(kit.signature(`${head}.${payload}`, "rsa", "RS256"))].join(".");
  return {
    [`header ${what}`]: (t, kit) => resign(spoil(t.split(".")[0] ?? ""), t.split(".")[1] ?? "", kit),
    [`payload ${what}`]: (t, kit) => resign(t.split(".")[0] ?? "", spoil(t.split(".")[1] ?? ""), kit),
    [`signature ${what}`]: (t) => {
      const [head, payload, end = ""] = t.split(".");
      return [head, payload, spoil(end)].join(".");
    },
  };
}

/** A good token of which every part ends with bits that no byte uses. */
function unevenToken(kit: JwtKit): string {
  const uneven = (text: string): string => text.padEnd(Math.ceil(text.length / 3) * 3 + 1);
  return kit.token({
    header: uneven('{"alg":"RS256","kid":"rsa"}'),
    payload: uneven(JSON.stringify(kit.claims())),
  });
}

/** Sets the bits of the last character that no byte uses; the same text where all are used. */
function otherBits(part: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const spare = [0, 0, 15, 3][part.length % 4] ?? 0;
  return part.slice(0, -1) + (alphabet[alphabet.indexOf(part.at(-1) ?? "A") | spare] ?? "");
}

/** Forms of the token, keys and algorithms. */
export const keyCases: readonly JwtCase[] = [
  ...made.map(([set, name, parts]) => ({
    id: `${set}: ${name}`,
    set,
    ask: (kit: JwtKit) => ({ lines: [bearer(kit.token(parts))] }),
  })),
  ...Object.entries(spoiled).map(([name, spoil]) => ({
    id: `form: ${name}`,
    set: "keys",
    ask: (kit: JwtKit) => ({ lines: [bearer(spoil(unevenToken(kit), kit))] }),
  })),
];
