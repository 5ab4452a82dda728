import { issuerA, issuerB, type JwtKit } from "./jwt-kit.js";
import type { Rule, RuleSets } from "./jwt-native.js";

type Outputs = Pick<Rule, "outputClaimToHeaders" | "outputPayloadToHeader">;

/** The rule sets that the cases name. */
export function jwtRuleSets(kit: JwtKit): RuleSets {
  const rsa = kit.jwk("rsa", { kid: "rsa", alg: "RS256", use: "sig" });
  const rsa2 = kit.jwk("rsa2", { kid: "rsa2", alg: "RS256" });
  const a: Rule = { issuer: issuerA, jwks: kit.jwks(rsa) };
  const b: Rule = { issuer: issuerB, jwks: kit.jwks(rsa2) };
  const sets: Readonly<Record<string, readonly Rule[]>> = {
    plain: [a],
    keep: [{ ...a, forwardOriginalToken: true }],
    shown: [
      {
        ...a,
        ...outputs({ "x-name": "name", "x-sub": "sub", "x-aud": "aud", "x-exp": "exp", "x-iss": "iss" }),
      },
    ],
    ...keySets(kit, rsa),
    header: [{ ...a, fromHeaders: [{ name: "X-Jwt" }], ...outputs({ "x-sub": "sub" }) }],
    prefix: [
      {
        ...a,
        fromHeaders: [
          { name: "x-jwt", prefix: "Token=" },
          { name: "x-jwt", prefix: "JWT " },
        ],
        ...outputs({ "x-sub": "sub" }),
      },
    ],
    params: [{ ...a, fromParams: ["tok", "a", "my tok"], ...outputs({ "x-sub": "sub" }) }],
    cookies: [{ ...a, fromCookies: ["session", "b"], ...outputs({ "x-sub": "sub" }) }],
    everywhere: [
      {
        ...a,
        fromHeaders: [{ name: "x-b" }, { name: "x-a", prefix: "Bearer " }],
        fromParams: ["z", "y"],
        fromCookies: ["c"],
        ...outputs({ "x-sub": "sub" }),
      },
    ],
    audiences: [{ ...a, audiences: ["https://aud.test/path/", "plain"] }],
    "audience-scheme": [{ ...a, audiences: ["http://plain/", "https://"] }],
    outputs: [{ ...a, ...outputs(allOutputs, { "x-both": "two" }) }],
    two: [
      { ...b, outputClaimToHeaders: headers({ "x-sub-b": "sub", "x-both": "sub" }) },
      { ...a, ...outputs({ "x-sub": "sub" }) },
    ],
    "same-issuer": [
      { ...a, outputClaimToHeaders: headers({ "x-first": "sub" }) },
      { ...a, jwks: kit.jwks(rsa2), outputClaimToHeaders: headers({ "x-second": "sub" }) },
    ],
    places: [
      {
        ...a,
        fromHeaders: [{ name: "x-a" }],
        fromParams: ["p"],
        outputClaimToHeaders: headers({ "x-sub": "sub", "x-both": "sub" }),
      },
      {
        ...b,
        audiences: ["b"],
        fromHeaders: [{ name: "x-b" }],
        outputClaimToHeaders: headers({ "x-sub-b": "sub", "x-both": "sub" }),
      },
    ],
    three: [{ ...b, issuer: "https://issuer-0.test" }, b, a],
  };
  const any: Rule = { ...a, issuer: "", served: true, ...outputs({ "x-any": "sub" }) };
  const more: Readonly<Record<string, readonly Rule[]>> = {
    "any-issuer": [any],
    "any-and-a": [{ ...a, jwks: kit.jwks(rsa2), ...outputs({ "x-a": "sub" }) }, any],
    "any-twice": [any, { ...any, jwks: kit.jwks(rsa2) }],
  };
  return Object.fromEntries([
    ...Object.entries({ ...sets, ...more }).map(([name, rules]) => [name, { rules }] as const),
    ...["two", "everywhere"].map(
      (name) => [`${name}-no-bob`, { rules: sets[name] ?? [], refusedSubject: "bob" }] as const,
    ),
  ]);
}

/** Header to claim. */
const allOutputs: Readonly<Record<string, string>> = {
  "x-sub": "sub",
  "X-Name": "name",
  "x-scope": "scope",
  "x-perm": "permission",
  "x-deep": "a.b.c",
  "x-mid": "a.b",
  "x-dot": "x.y",
  "x-empty": "a..c",
  "x-list": "list",
  "x-proto": "constructor.name",
  "x-both": "one",
};

function headers(
  ...maps: readonly Readonly<Record<string, string>>[]
): NonNullable<Rule["outputClaimToHeaders"]> {
  return maps.flatMap((claims) => Object.entries(claims).map(([header, claim]) => ({ header, claim })));
}

function outputs(...maps: readonly Readonly<Record<string, string>>[]): Outputs {
  return { outputPayloadToHeader: "x-payload", outputClaimToHeaders: headers(...maps) };
}

/** One issuer with keys of every kind. Envoy does not start where none of a set's keys can be used. */
function keySets(kit: JwtKit, rsa: object): Readonly<Record<string, readonly Rule[]>> {
  const one = (...keys: readonly unknown[]): readonly Rule[] => [
    { issuer: issuerA, jwks: kit.jwks(...keys) },
  ];
  const algorithms = {
    rsa: "RS256",
    p256: "ES256",
    p384: "ES384",
    p521: "ES512",
    ed25519: "EdDSA",
    oct: "HS256",
  } as const;
  const names = Object.keys(algorithms) as (keyof typeof algorithms)[];
  const unusable = [
    { kty: "XYZ", kid: "rsa" },
    { kty: "RSA", kid: "rsa", n: "AQAB" },
    { kty: "EC", crv: "P-192", x: "AQAB", y: "AQAB" },
    { kid: "no-kty" },
    { kty: "RSA", kid: 7, e: "AQAB", n: "!!" },
    kit.jwk("rsa2", { kid: "rsa2", alg: "rs256" }),
    kit.jwk("p256", { kid: "p256", alg: "RS256" }),
    "rsa",
    null,
  ];
  return {
    keys: one(...(["rsa2", ...names] as const).map((kid) => kit.jwk(kid, { kid }))),
    "keys-alg": one(...names.map((kid) => kit.jwk(kid, { kid, alg: algorithms[kid] }))),
    bare: one(...(["p256", "rsa", "rsa2"] as const).map((name) => kit.jwk(name))),
    "bare-ed25519": one(...(["p256", "ed25519", "oct", "rsa"] as const).map((name) => kit.jwk(name))),
    "rsa-bare": one(kit.jwk("rsa")),
    "ec-bare": one(kit.jwk("p256"), kit.jwk("p384"), kit.jwk("p521")),
    "same-kid": one(kit.jwk("rsa", { kid: "k" }), kit.jwk("rsa2", { kid: "k" })),
    "kid-empty": one(kit.jwk("rsa", { kid: "" })),
    weak: one(kit.jwk("rsa1024", { kid: "rsa1024" }), kit.jwk("rsaE3", { kid: "rsaE3" })),
    "use-enc": one({ ...rsa, use: "enc" }),
    "key-ops": one({ ...rsa, key_ops: ["encrypt"] }),
    "some-bad": one(...unusable, rsa),
    "kid-number": one(kit.jwk("rsa", { kid: 7 })),
    "alg-number": one(kit.jwk("rsa", { kid: "rsa", alg: 7 })),
    private: one({ ...rsa, d: "AQAB" }),
  };
}
