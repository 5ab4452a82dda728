import { describe, expect, it } from "vitest";
import { codes } from "../../../src/diagnostics/index.js";
import {
  completeRequestAuthentication,
  parseRequestAuthentication,
  type RequestAuthentication,
} from "../../../src/istio/index.js";
import {
  aDocument,
  issuer,
  jwks,
  jwksOf,
  parseBare,
  privateKey,
  publicKey,
  said,
  secretKey,
} from "./request-authentications.js";

describe("keys", () => {
  const keysOf = (fields: Record<string, unknown>): unknown => parseBare(fields).spec?.rules[0]?.keys;

  it("are fetched from jwksUri, within five seconds", () => {
    const remote = { kind: "remote", issuer, jwksUri: "https://issuer.test/keys", timeoutMs: 5000 };
    expect(keysOf({ issuer, jwksUri: remote.jwksUri })).toEqual(remote);
    expect(keysOf({ issuer, jwks_uri: remote.jwksUri })).toEqual(remote);
  });

  it("are discovered at the issuer when nothing says where they are", () => {
    const discovered = { kind: "remote", issuer, jwksUri: undefined, timeoutMs: 200 };
    expect(keysOf({ issuer, timeout: "200ms" })).toEqual(discovered);
    expect(keysOf({ issuer, timeout: "200ms", jwks: "" })).toEqual(discovered);
  });

  it("of an issuer that is no URL cannot be discovered, which is said", () => {
    const parsed = parseBare({ issuer: "me@example.com" });
    expect(said(parsed)).toEqual([
      "GH0211 issuer: issuer `me@example.com` is no http(s) URL at which keys could be found, so that every token of it is refused; expected `jwksUri` or `jwks`",
    ]);
    expect(parsed.spec?.rules).toHaveLength(1);
  });

  it("need an issuer unless they have a URL, as in Istio", () => {
    expect(said(parseBare({ jwksUri: "https://issuer.test/keys" }))).toEqual([]);
    const missing =
      "GH0104 issuer: `issuer` is missing, expected it unless `jwksUri` says where its keys are";
    expect(said(parseBare({}))).toEqual([missing]);
    expect(said(parseBare({ jwks }))).toEqual([missing]);
    expect(said(parseBare({ jwksFile: "keys.json" }))).toEqual([missing]);
  });

  it("stand in one field only", () => {
    const jwksUri = "https://issuer.test/keys";
    expect(said(parseBare({ issuer, jwks, jwksUri }))).toEqual([
      "GH0201 jwksUri: `jwksUri` stands beside `jwks`, expected only one of jwks, jwksUri and jwksFile",
    ]);
    for (const [one, two] of [
      ["jwks", "jwks_uri"],
      ["jwksUri", "jwks_uri"],
      ["jwks", "jwksFile"],
      ["jwksUri", "jwksFile"],
    ]) {
      const fields = { jwks, jwksUri, jwks_uri: jwksUri, jwksFile: "keys.json" } as Record<string, string>;
      const parsed = parseBare({ issuer, [one ?? ""]: fields[one ?? ""], [two ?? ""]: fields[two ?? ""] });
      expect(parsed.findings.map(({ code }) => code)).toEqual([codes.conflictingFields]);
    }
  });

  it.each([
    ["of another scheme", "ftp://issuer.test/keys"],
    ["without a host", "https://"],
    ["that is relative", "/keys"],
    ["with white space", "https://issuer.test/a b"],
    ["with a backslash", "https:\\\\issuer.test"],
    ["with a port out of range", "https://issuer.test:70000/"],
  ])("are not fetched from a URL %s", (_, jwksUri) => {
    expect(parseBare({ issuer, jwksUri }).findings.map(({ code, path }) => [code, path.at(-1)])).toEqual([
      [codes.invalidValue, "jwksUri"],
    ]);
  });

  it("have a URL of at most 2048 characters", () => {
    const uri = (length: number): string => "https://issuer.test/".padEnd(length, "a");
    expect(said(parseBare({ issuer, jwksUri: uri(2048) }))).toEqual([]);
    expect(said(parseBare({ issuer, jwksUri: uri(2049) }))).toEqual([
      "GH0106 jwksUri: `jwksUri` is longer than 2048 characters",
    ]);
  });
});

describe("an inline JWKS", () => {
  const saidOf = (text: string): string[] => said(parseBare({ issuer, jwks: text }));

  it("must be one", () => {
    expect(saidOf("hello")).toEqual(["GH0108 jwks: `jwks` is not JSON, expected a JWK Set"]);
    expect(saidOf("{}")).toEqual(["GH0108 jwks: `jwks` has no list `keys`, expected a JWK Set"]);
    expect(saidOf(JSON.stringify(publicKey))).toHaveLength(1);
  });

  it("without a key refuses every token, which is said", () => {
    expect(saidOf('{"keys":[]}')).toEqual([
      "GH0211 jwks: `jwks` holds no key that can be used, so that every token of the issuer is refused",
    ]);
  });

  it("may hold keys that cannot be used, which are named by their index", () => {
    expect(saidOf(jwksOf({ kty: "RSA" }, publicKey, { kty: "x" }))).toEqual([
      "GH0209 jwks: key 0 of `jwks` has no `n` or no `e`",
      "GH0209 jwks: key 2 of `jwks` has a `kty` that is none of RSA, EC, OKP and oct",
    ]);
  });

  it("should hold no private and no symmetric key, and what it holds is never shown", () => {
    const parsed = parseBare({ issuer, jwks: jwksOf(privateKey, secretKey) });
    expect(said(parsed)).toEqual([
      "GH0209 jwks: key 0 of `jwks` is a private key",
      "GH0210 jwks: `jwks` holds a symmetric key, with which whoever can read it can sign tokens; expected public keys",
    ]);
    expect(parsed.spec?.rules).toHaveLength(1);
    const messages = JSON.stringify(parsed.findings);
    for (const secret of [privateKey.d, secretKey.k]) expect(messages).not.toContain(secret);
  });

  it("holds at most 100 keys, usable or not", () => {
    const text = (length: number): string => jwksOf(publicKey, ...Array.from({ length }, () => ({})));
    expect(parseBare({ issuer, jwks: text(99) }).spec?.rules).toHaveLength(1);
    expect(saidOf(text(100))).toEqual(["GH0106 jwks: `jwks` holds 101 keys, expected at most 100"]);
    expect(parseBare({ issuer, jwks: text(100) }).spec).toBeUndefined();
  });
});

describe("a JWKS in a file", () => {
  const two = aDocument({
    jwtRules: [
      { issuer: "https://a.test", jwksFile: "a.json" },
      { issuer: "https://b.test", jwks },
      { issuer: "https://c.test", jwksFile: "keys/c.json" },
    ],
  });

  it("is asked for by name, and until it is there no key is", () => {
    const { spec, findings, references } = parseRequestAuthentication(two);
    expect(findings).toEqual([]);
    expect(references).toEqual([
      { kind: "file", name: "a.json", path: ["spec", "jwtRules", 0, "jwksFile"] },
      { kind: "file", name: "keys/c.json", path: ["spec", "jwtRules", 2, "jwksFile"] },
    ]);
    expect(spec?.rules[0]?.keys).toEqual({ kind: "inline", jwks: '{"keys":[]}' });
  });

  it("takes the place of inline keys once it is read", () => {
    const { spec } = parseRequestAuthentication(two);
    const other = jwksOf(publicKey, publicKey);
    const whole = completeRequestAuthentication(spec as RequestAuthentication, [jwks, other]);
    expect(whole.findings).toEqual([]);
    expect(whole.spec?.rules.map(({ keys }) => keys.kind === "inline" && keys.jwks)).toEqual([
      jwks,
      jwks,
      other,
    ]);
    expect(whole.spec?.keyFiles).toEqual([]);
  });

  it("is judged as inline keys are, where the document names it", () => {
    const { spec } = parseRequestAuthentication(two);
    const whole = completeRequestAuthentication(spec as RequestAuthentication, [jwksOf(privateKey)]);
    expect(said(whole)).toEqual([
      "GH0209 jwksFile: key 0 of `jwksFile` is a private key",
      "GH0108 spec.jwtRules.2.jwksFile: `jwksFile` is not JSON, expected a JWK Set",
    ]);
    expect(whole.spec).toBeUndefined();
  });

  it("must have a name", () => {
    expect(said(parseBare({ issuer, jwksFile: "" }))).toEqual([
      "GH0105 jwksFile: `jwksFile` is empty, expected the name of a file with a JWK Set",
    ]);
  });
});

describe("a timeout", () => {
  const timeoutOf = (timeout: unknown): unknown => {
    const keys = parseBare({ issuer, timeout }).spec?.rules[0]?.keys;
    return keys?.kind === "remote" ? keys.timeoutMs : undefined;
  };

  it.each([
    ["1ms", 1],
    ["1.5s", 1500],
    ["1500us", 2],
    ["1000000ns", 1],
    ["1m30s", 90_000],
    [".5s", 500],
    ["+2.s", 2000],
    ["1h", 3_600_000],
    ["100000h", 2 ** 31 - 1],
  ])("of %s is %d ms", (text, ms) => expect(timeoutOf(text)).toBe(ms));

  it.each(["5", "", "0", "0s", "0.5ms", "-5s", "5 s", "1d", "s", ".s", "1e3s", "9999999999h", 5])(
    "of %s is refused",
    (text) => expect(timeoutOf(text)).toBeUndefined(),
  );
});
