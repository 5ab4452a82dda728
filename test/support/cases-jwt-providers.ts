import { bearer, type JwtCase } from "./jwt-case.js";
import { issuerB, type JwtKit } from "./jwt-kit.js";
import type { Ask } from "./jwt-stage.js";

/** Tokens of two issuers, by what is wrong with them. */
type Tokens = Readonly<Record<string, string>>;

function makeTokens(kit: JwtKit): Tokens {
  const b = (members: object = {}): Record<string, unknown> =>
    kit.claims({ iss: issuerB, sub: "bob", ...members });
  return {
    good: kit.token(),
    expired: kit.token({ payload: kit.claims({ exp: 1 }) }),
    forged: kit.token({ key: "rsaE3", header: { alg: "RS256", kid: "rsa" } }),
    unknownKey: kit.token({ key: "rsaE3" }),
    goodB: kit.token({ key: "rsa2", payload: b() }),
    expiredB: kit.token({ key: "rsa2", payload: b({ exp: 1 }) }),
    forgedB: kit.token({ key: "rsaE3", header: { alg: "RS256", kid: "rsa2" }, payload: b() }),
    audienceB: kit.token({ key: "rsa2", payload: b({ aud: "x" }) }),
    otherIssuer: kit.token({ payload: kit.claims({ iss: "https://issuer-c.test" }) }),
    noIssuer: kit.token({ payload: kit.claims({ iss: undefined }) }),
    keyOfB: kit.token({ key: "rsa2", payload: kit.claims() }),
    keyOfA: kit.token({ payload: b() }),
    garbage: "x",
  };
}

const kinds = [
  ...["good", "expired", "forged", "unknownKey", "goodB", "expiredB", "forgedB", "audienceB"],
  ...["otherIssuer", "noIssuer", "keyOfB", "keyOfA", "garbage"],
] as const;

const spoofed = ["X-Sub: root", "X-Sub-B: root", "X-Payload: root", "X-Both: root"];

/** Every kind of token alone. */
function alone(set: string, ask: (token: string) => Ask): readonly JwtCase[] {
  return kinds.map((kind) => ({
    id: `${set}: ${kind}`,
    set,
    ask: (kit) => ask(makeTokens(kit)[kind] ?? ""),
  }));
}

/** Every two kinds of token in two places. */
function pairs(
  set: string,
  some: readonly (typeof kinds)[number][],
  ask: (first: string, second: string) => Ask,
): readonly JwtCase[] {
  return some.flatMap((first) =>
    some.map((second) => ({
      id: `${set}: ${first} and ${second}`,
      set,
      ask: (kit: JwtKit) => {
        const tokens = makeTokens(kit);
        return ask(tokens[first] ?? "", tokens[second] ?? "");
      },
    })),
  );
}

/** Several rules. */
export const providerCases: readonly JwtCase[] = [
  ...alone("two", (token) => ({ lines: [...spoofed, bearer(token)] })),
  ...alone("same-issuer", (token) => ({ lines: [bearer(token)] })),
  ...alone("places", (token) => ({ lines: [`X-A: ${token}`] })).map(named("in x-a")),
  ...alone("places", (token) => ({ lines: [`X-B: ${token}`] })).map(named("in x-b")),
  ...alone("places", (token) => ({ path: `/?p=${token}&q=1` })).map(named("in p")),
  ...alone("two-no-bob", (token) => ({ lines: [bearer(token)] })),
  ...["any-issuer", "any-and-a", "any-twice"].flatMap((set) =>
    alone(set, (token) => ({ lines: [bearer(token)] })),
  ),
  ...alone("three", (token) => ({ lines: [bearer(token)] })),
  ...["two", "two-no-bob"].flatMap((set) =>
    pairs(set, ["good", "expired", "goodB", "expiredB", "otherIssuer"], (first, second) => ({
      path: `/?access_token=${second}&k=1`,
      lines: [bearer(first), ...spoofed],
    })),
  ),
  ...pairs("places", ["good", "expired", "goodB", "expiredB", "forgedB", "audienceB", "garbage"], (a, b) => ({
    lines: [`X-A: ${a}`, `X-B: ${b}`, ...spoofed],
  })),
  ...pairs("places", ["good", "expired", "goodB", "garbage"], (a, p) => ({
    path: `/?p=${p}&k=1`,
    lines: [`X-A: ${a}`, ...spoofed],
  })).map(named("x-a and p")),
  ...pairs("same-issuer", ["good", "keyOfB", "forged"], (first, second) => ({
    path: `/?access_token=${second}`,
    lines: [bearer(first)],
  })),
  { id: "two: no token", set: "two", ask: () => ({ lines: spoofed }) },
  { id: "places: no token", set: "places", ask: () => ({ lines: [...spoofed, bearer("x")] }) },
  {
    id: "places: a preflight",
    set: "places",
    ask: () => ({
      method: "OPTIONS",
      lines: [...spoofed, "Origin: x", "Access-Control-Request-Method: GET", "X-A: bad"],
    }),
  },
];

function named(suffix: string): (one: JwtCase) => JwtCase {
  return (one) => ({ ...one, id: `${one.id} (${suffix})` });
}
