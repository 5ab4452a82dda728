import { base64url, issuerA, issuerB, type JwtKit, type TokenParts } from "./jwt-kit.js";

// The attacks on tokens that are known from other products, each with the verdict that it must have.

/** A request as a CheckRequest shows it. */
export interface AttackRequest {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes the request; `trap` is an URL that counts who asks it. */
type Attack = (kit: JwtKit, trap: string) => AttackRequest;

/** Its JWKS is empty. */
export const issuerWithoutKeys = "https://issuer-without-keys.test";

/** 200, or the status and the body of a refusal. */
type Verdict = 200 | string;

/** A token behind `Bearer`. */
export function bearer(token: string): AttackRequest {
  return { headers: { authorization: `Bearer ${token}` } };
}

function signed(parts: TokenParts | ((kit: JwtKit, trap: string) => TokenParts)): Attack {
  return (kit, trap) => bearer(kit.token(typeof parts === "function" ? parts(kit, trap) : parts));
}

/** A token of `issuerB`, at its place. */
function ofB(kid: (trap: string) => unknown): Attack {
  return (kit, trap) => {
    const header = { alg: "RS256", kid: kid(trap) };
    const payload = kit.claims({ iss: issuerB });
    return { headers: { "x-token": kit.token({ key: "rsa2", header, payload }) } };
  };
}

const header = (members: object): TokenParts => ({ header: { alg: "RS256", typ: "JWT", ...members } });

const good = 200;
const anonymous = "403 RBAC: access denied";
const form = "401 Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
const badAlg = "401 Jwt header [alg] is not supported";
const badSignature = "401 Jwt verification fails";
const noKey = "401 Jwks doesn't have key to match kid or alg from Jwt";
const badHeader = "401 Jwt header is an invalid JSON";
const badPayload = "401 Jwt payload is an invalid JSON";

/**
 * Against two rules: `issuerA` with an RSA and an EC key without kid and alg at the usual places, `issuerB` with a
 * key `rsa2` in the header `x-token`, `issuerWithoutKeys` at the usual places; and a policy that allows who is known.
 */
export const jwtAttacks: Readonly<Record<string, readonly [attack: Attack, verdict: Verdict]>> = {
  "a good token": [signed({}), good],
  "no token": [() => ({}), anonymous],

  "alg none without signature": [({ claims }) => bearer(unsigned("none", claims(), "")), form],
  "alg none with a signature": [({ claims }) => bearer(unsigned("none", claims(), "AAAA")), badAlg],
  "alg nOnE": [({ claims }) => bearer(unsigned("nOnE", claims(), "AAAA")), badAlg],
  "alg empty": [signed({ header: { alg: "" } }), badAlg],
  "alg absent": [
    signed({ header: { typ: "JWT" } }),
    "401 Jwt header [alg] field is required and must be a string",
  ],
  "HS256 signed with the RSA public key as PEM": [
    ({ hmacToken, claims, publicPem }) => bearer(hmacToken({ alg: "HS256" }, claims(), publicPem)),
    badSignature,
  ],
  "HS256 signed with the RSA public key as PEM without its last line end": [
    ({ hmacToken, claims, publicPem }) => bearer(hmacToken({ alg: "HS256" }, claims(), publicPem.trim())),
    badSignature,
  ],
  "HS256 signed with the modulus": [
    ({ hmacToken, claims, jwk }) =>
      bearer(hmacToken({ alg: "HS256" }, claims(), Buffer.from(String(jwk("rsa").n), "base64url"))),
    badSignature,
  ],
  "HS256 signed with nothing": [
    ({ hmacToken, claims }) => bearer(hmacToken({ alg: "HS256" }, claims(), "")),
    badSignature,
  ],
  "a JWK without alg: another algorithm of the same key": [
    signed({ signedAs: "PS512", header: { alg: "PS512" } }),
    good,
  ],
  "a JWK without alg: the label RS256 on an ECDSA signature": [
    signed({ key: "p256", header: { alg: "RS256" } }),
    badSignature,
  ],
  "a JWK without alg: the label ES256 on an RSA signature": [
    signed({ header: { alg: "ES256" } }),
    badSignature,
  ],
  "an ECDSA signature of zeros": [
    ({ token }) => bearer(withSignature(token({ key: "p256" }), Buffer.alloc(64))),
    badSignature,
  ],
  "an ECDSA signature of ones": [
    ({ token }) => bearer(withSignature(token({ key: "p256" }), Buffer.alloc(64, 0xff))),
    badSignature,
  ],
  "an RSA signature of zeros": [
    ({ token }) => bearer(withSignature(token(), Buffer.alloc(256))),
    badSignature,
  ],

  ...Object.fromEntries(
    [
      "../../../../dev/null",
      "x' UNION SELECT 'k",
      "rsa2|id",
      "rsa2\0",
      "__proto__",
      "constructor",
      "%00",
    ].map((kid) => [`kid ${JSON.stringify(kid)} where the key has one`, [ofB(() => kid), noKey] as const]),
  ),
  "kid is an URL": [ofB((trap) => trap), noKey],
  "kid is a list": [ofB(() => ["rsa2"]), "401 Jwt header [kid] field is not a string"],
  "jku names the attacker's keys": [
    signed((_, trap) => ({ key: "rsa2", ...header({ jku: trap, kid: "rsa2" }) })),
    badSignature,
  ],
  "x5u names the attacker's keys": [
    signed((_, trap) => ({ key: "rsa2", ...header({ x5u: trap }) })),
    badSignature,
  ],
  "jwk is the attacker's key": [
    signed(({ jwk }) => ({ key: "rsa2", ...header({ jwk: jwk("rsa2") }) })),
    badSignature,
  ],
  "x5c is the attacker's certificate": [signed({ key: "rsa2", ...header({ x5c: ["MIIB"] }) }), badSignature],
  "jku on a token that is good without it": [signed((_, trap) => header({ jku: trap, x5u: trap })), good],

  "crit names an extension that nobody knows": [signed(header({ crit: ["x"], x: 1 })), good],
  "crit names what is not there": [signed(header({ crit: ["x"] })), badSignature],
  "crit is an empty list": [signed(header({ crit: [] })), badSignature],
  "crit is a text": [signed(header({ crit: "exp", exp: 1 })), badSignature],
  "crit with b64 false, signed over the encoded payload": [
    signed(header({ crit: ["b64"], b64: false })),
    good,
  ],

  "sub twice": [signed({ payload: `{"iss":"${issuerA}","sub":"alice","sub":"root"}` }), badPayload],
  "iss twice": [signed({ payload: `{"iss":"x","sub":"alice","iss":"${issuerA}"}` }), badPayload],
  "exp twice": [signed({ payload: `{"iss":"${issuerA}","exp":1,"exp":9999999999}` }), badPayload],
  "a nested claim twice": [
    signed({ payload: `{"iss":"${issuerA}","sub":"alice","a":{"b":1,"b":2}}` }),
    badPayload,
  ],
  "sub twice, once with an escape": [
    signed({ payload: `{"iss":"${issuerA}","sub":"alice","s\\u0075b":"root"}` }),
    badPayload,
  ],
  "alg twice": [signed({ header: '{"alg":"none","alg":"RS256"}' }), badHeader],
  "kid twice": [signed({ header: '{"alg":"RS256","kid":"a","kid":"b"}' }), badHeader],

  "a JWE": [
    () => bearer([base64url('{"alg":"RSA-OAEP","enc":"A256GCM"}'), "AAAA", "AAAA", "AAAA", "AAAA"].join(".")),
    form,
  ],
  "a JWE with cty JWT and alg dir": [
    () =>
      bearer([base64url('{"alg":"dir","enc":"A128GCM","cty":"JWT"}'), "", "AAAA", "AAAA", "AAAA"].join(".")),
    form,
  ],
  "a JWS of three parts that says it is encrypted": [
    signed({ header: { alg: "RSA-OAEP", enc: "A256GCM" } }),
    badAlg,
  ],
  "nbf in the future": [
    signed(({ claims, now }) => ({ payload: claims({ nbf: now() + 120 }) })),
    "401 Jwt not yet valid",
  ],
  "nbf beyond all time": [
    signed(({ claims }) => ({ payload: claims({ nbf: 1e18 }) })),
    "401 Jwt not yet valid",
  ],
  "exp in the past": [
    signed(({ claims, now }) => ({ payload: claims({ exp: now() - 120 }) })),
    "401 Jwt is expired",
  ],
  "exp as a string": [
    signed(({ claims }) => ({ payload: claims({ exp: "9999999999" }) })),
    "401 Jwt payload [exp] field is not an integer",
  ],
  "exp is null": [
    signed(({ claims }) => ({ payload: claims({ exp: null }) })),
    "401 Jwt payload [exp] field is not an integer",
  ],
  "exp is negative": [
    signed(({ claims }) => ({ payload: claims({ exp: -1 }) })),
    "401 Jwt payload [exp] field is not a positive 64 bit integer",
  ],
  "exp beyond 64 bits": [
    signed(({ claims }) => ({ payload: claims({ exp: 1e30 }) })),
    "401 Jwt payload [exp] field is not a positive 64 bit integer",
  ],
  "a claim of another issuer's key": [
    signed(({ claims }) => ({ key: "rsa2", header: { alg: "RS256" }, payload: claims() })),
    badSignature,
  ],
  "an issuer that is not configured": [
    signed(({ claims }) => ({ payload: claims({ iss: "https://issuer-c.test" }) })),
    "401 Jwt issuer is not configured",
  ],
  "an issuer without any key": [
    signed(({ claims }) => ({ payload: claims({ iss: issuerWithoutKeys }) })),
    "401 Jwks doesn't have any valid public key",
  ],
  "no issuer": [
    signed(({ claims }) => ({ payload: claims({ iss: undefined }) })),
    "401 Jwt issuer is not configured",
  ],
  "no subject: verified, but nobody": [
    signed(({ claims }) => ({ payload: claims({ sub: undefined }) })),
    anonymous,
  ],

  "a good header and a bad parameter": [
    ({ token }) => ({ ...bearer(token()), path: "/?access_token=x.y.z" }),
    "401 Jwt header is an invalid Base64url encoded",
  ],
  "a bad header and a good parameter": [
    ({ token }) => ({ ...bearer("x.y.z"), path: `/?access_token=${token()}` }),
    "401 Jwt header is an invalid Base64url encoded",
  ],
  "two tokens in one header": [({ token }) => bearer(`${token()},Bearer ${token()}`), form],
  "a token in a header that no rule names": [({ token }) => ({ headers: { "x-auth": token() } }), anonymous],
  "a token in a cookie that no rule names": [
    ({ token }) => ({ headers: { cookie: `access_token=${token()}` } }),
    anonymous,
  ],
  "a token in a parameter that no rule names": [({ token }) => ({ path: `/?token=${token()}` }), anonymous],
  "a token in a place that only another issuer's rule names": [
    ({ token }) => ({ headers: { "x-token": token() } }),
    "401 Jwt issuer is not configured",
  ],
  "bearer in lower case is no token": [
    ({ token }) => ({ headers: { authorization: `bearer ${token()}` } }),
    anonymous,
  ],
  "an output header forged by a client": [() => ({ headers: { "x-sub": "root" } }), anonymous],

  "a token of 1 MB": [signed(({ claims }) => ({ payload: claims({ pad: "p".repeat(1 << 20) }) })), form],
  "1 MB of dots": [() => bearer(".".repeat(1 << 20)), form],
  "1 MB of one part": [() => bearer("A".repeat(1 << 20)), form],
  "a header nested 20,000 deep": [
    signed({ header: `{"alg":"RS256","x":${"[".repeat(20_000)}${"]".repeat(20_000)}}` }),
    badHeader,
  ],
};

function unsigned(alg: string, payload: object, signature: string): string {
  return `${base64url(JSON.stringify({ alg }))}.${base64url(JSON.stringify(payload))}.${signature}`;
}

/** The token with another last part. */
export function withSignature(token: string, signature: Buffer): string {
  return `${token.slice(0, token.lastIndexOf("."))}.${base64url(signature)}`;
}
