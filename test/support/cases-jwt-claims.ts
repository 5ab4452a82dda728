import { bearer, type JwtCase } from "./jwt-case.js";
import { base64url, issuerA, issuerB, type JwtKit } from "./jwt-kit.js";
import type { Ask } from "./jwt-stage.js";

type Members = Readonly<Record<string, unknown>>;

/** Audiences of a token. */
const audiences: Readonly<Record<string, Members>> = {
  none: {},
  "an empty list": { aud: [] },
  "an empty text": { aud: "" },
  equal: { aud: "plain" },
  "in a list": { aud: ["x", "plain", "y"] },
  "not in a list": { aud: ["x", "y"] },
  "in capitals": { aud: "PLAIN" },
  "with http://": { aud: "http://plain" },
  "with https:// and /": { aud: "https://plain/" },
  "with a slash": { aud: "plain/" },
  "with two slashes": { aud: "plain//" },
  "with HTTP://": { aud: "HTTP://plain" },
  "with http:// twice": { aud: "http://http://plain" },
  "with a space": { aud: "plain " },
  "a prefix": { aud: "plai" },
  "url as written": { aud: "https://aud.test/path/" },
  "url without the slash": { aud: "https://aud.test/path" },
  "url with http": { aud: "http://aud.test/path" },
  "url without a scheme": { aud: "aud.test/path/" },
  "url with wss": { aud: "wss://aud.test/path" },
  "only a scheme": { aud: "https://" },
  "only a slash": { aud: "/" },
  "words of one text": { aud: "x plain" },
};

/** Tokens with several things wrong: which one is told? */
const order: Readonly<Record<string, (kit: JwtKit) => { readonly payload: Members; readonly key?: "rsa2" }>> =
  {
    "expired, wrong audience, wrong signature": () => ({ payload: { exp: 1, aud: "x" }, key: "rsa2" }),
    "wrong audience, wrong signature": () => ({ payload: { aud: "x" }, key: "rsa2" }),
    "expired, wrong signature": () => ({ payload: { exp: 1, aud: "plain" }, key: "rsa2" }),
    "expired, wrong audience": () => ({ payload: { exp: 1, aud: "x" } }),
    "wrong issuer, expired": () => ({ payload: { iss: issuerB, exp: 1, aud: "x" } }),
    "wrong issuer, wrong signature": () => ({ payload: { iss: issuerB, aud: "plain" }, key: "rsa2" }),
    "not yet valid, expired": () => ({ payload: { nbf: 4_102_444_800, exp: 1 } }),
    "not yet valid, wrong audience": () => ({ payload: { nbf: 4_102_444_800, aud: "x" } }),
    "wrong signature": () => ({ payload: { aud: "plain" }, key: "rsa2" }),
    "issuer with a slash": () => ({ payload: { iss: `${issuerA}/`, aud: "plain" } }),
    "issuer in capitals": () => ({ payload: { iss: issuerA.toUpperCase(), aud: "plain" } }),
    "without issuer": () => ({ payload: { iss: undefined, aud: "plain" } }),
    "without subject": () => ({ payload: { sub: undefined, aud: "plain" } }),
    "without exp": () => ({ payload: { exp: undefined, aud: "plain" } }),
    "nbf in 55 s": (kit) => ({ payload: { nbf: kit.now() + 55, aud: "plain" } }),
    "nbf in 65 s": (kit) => ({ payload: { nbf: kit.now() + 65, aud: "plain" } }),
    "exp 55 s ago": (kit) => ({ payload: { exp: kit.now() - 55, aud: "plain" } }),
    "exp 65 s ago": (kit) => ({ payload: { exp: kit.now() - 65, aud: "plain" } }),
    "iat in the future": (kit) => ({ payload: { iat: kit.now() + 3600, aud: "plain" } }),
  };

/** Claims that headers get; see the rule set `outputs`. */
const outputs: Readonly<Record<string, Members>> = {
  none: {},
  texts: { scope: "read write", name: "é ü", permission: "a  b" },
  nested: { a: { b: { c: "deep" } } },
  "nested, flat and with a dot": { "a.b": "flat", "a.b.c": "flat", a: { b: { c: 7 } } },
  "nested in a list": { a: [{ b: { c: "x" } }] },
  "nested in a text": { a: { b: "x" } },
  "a dotted claim": { "x.y": "dotted" },
  "an empty name in a path": { a: { "": { c: "x" } }, "": { c: "y" } },
  "two claims for one header": { one: "1", two: "2" },
  "only the second of two claims": { two: "2" },
  "an empty text": { name: "" },
  "list of texts": { list: ["a", "b"] },
  "deep object": { list: { x: [1, { y: null }, "é"] } },
  "CR and LF": { name: "a\r\nx-evil: 1" },
  "only LF": { name: "a\nb" },
  NUL: { name: "a\0b" },
  "a long text": { name: "n".repeat(3000) },
  "names of Object.prototype": { constructor: { name: "x" } },
};

const challenge: Readonly<Record<string, (token: string) => Ask>> = {
  "a path with a query": () => ({ path: "/a/b?c=d&e=%20f" }),
  "a long path": () => ({ path: `/${"p".repeat(300)}` }),
  "a long query": () => ({ path: `/?${"q".repeat(300)}` }),
  "a long host": () => ({ lines: [`Host: ${"h".repeat(300)}.test`] }),
  ...Object.fromEntries(
    [230, 239, 240, 241, 242, 243, 244, 245, 256].map((length) => [
      `an URL around the limit, path of ${length}`,
      () => ({ path: `/${"0123456789".repeat(30).slice(0, length - 1)}` }),
    ]),
  ),
  "a host with a port": () => ({ lines: ["Host: gate.test:8443"] }),
  "an IPv6 host": () => ({ lines: ["Host: [::1]:80"] }),
  "a host in capitals": () => ({ lines: ["Host: GATE.Test"] }),
  "an empty host": () => ({ lines: ["Host:"] }),
  "an absolute URL": () => ({ path: "http://other.test/abs?x=1" }),
  "an absolute https URL": () => ({ path: "https://other.test/abs" }),
  "x-forwarded-proto https": () => ({ lines: ["X-Forwarded-Proto: https"] }),
  "x-forwarded-proto odd": () => ({ lines: ["X-Forwarded-Proto: ftp"] }),
  "x-forwarded-host": () => ({ lines: ["X-Forwarded-Host: evil.test"] }),
  "quotes in the path": () => ({ path: '/"quoted"\\x' }),
  "signs in the query": () => ({ path: "/?a=<b>'c'{d}|^`" }),
  HEAD: () => ({ method: "HEAD" }),
  POST: () => ({ method: "POST", lines: ["Content-Length: 0"] }),
  "OPTIONS without origin": () => ({ method: "OPTIONS" }),
  "OPTIONS with origin only": () => ({ method: "OPTIONS", lines: ["Origin: http://x.test"] }),
  "x-envoy-original-path": () => ({ path: "/now", lines: ["X-Envoy-Original-Path: /before?x=1"] }),
  gRPC: () => ({ method: "POST", lines: ["Content-Type: application/grpc", "Content-Length: 0"] }),
  "gRPC with proto": () => ({
    method: "POST",
    lines: ["Content-Type: application/grpc+proto", "Content-Length: 0"],
  }),
  "gRPC-web": () => ({
    method: "POST",
    lines: ["Content-Type: application/grpc-web", "Content-Length: 0"],
  }),
  "Accept JSON": () => ({ lines: ["Accept: application/json"] }),
};

const preflight = ["Origin: http://x.test", "Access-Control-Request-Method: GET"];
const spoofed = ["X-Payload: forged", "X-Sub: root", "X-Name: forged", "x_sub: under"];

/** CORS preflight requests are let through; what of the output headers? */
const cors: Readonly<Record<string, (token: string) => Ask>> = {
  "preflight without token": () => ({ method: "OPTIONS", lines: preflight }),
  "preflight with a bad token": () => ({ method: "OPTIONS", lines: [...preflight, bearer("x.y.z")] }),
  "preflight with a good token": (token) => ({ method: "OPTIONS", lines: [...preflight, bearer(token)] }),
  "preflight with spoofed headers": () => ({ method: "OPTIONS", lines: [...preflight, ...spoofed] }),
  "preflight with spoofed headers and a good token": (token) => ({
    method: "OPTIONS",
    lines: [...preflight, ...spoofed, bearer(token)],
  }),
  "preflight with GET": () => ({ method: "GET", lines: [...preflight, ...spoofed, bearer("x")] }),
  "preflight with an empty origin": () => ({
    method: "OPTIONS",
    lines: ["Origin:", "Access-Control-Request-Method: GET", bearer("x")],
  }),
  "preflight with an empty method": () => ({
    method: "OPTIONS",
    lines: ["Origin: x", "Access-Control-Request-Method:", bearer("x")],
  }),
  "preflight without method": () => ({ method: "OPTIONS", lines: ["Origin: x", bearer("x")] }),
  "options in lower case": () => ({ method: "options", lines: [...preflight, bearer("x")] }),
  "preflight with two origins": () => ({
    method: "OPTIONS",
    lines: ["Origin: a", "Origin: b", "Access-Control-Request-Method: GET", bearer("x")],
  }),
  "spoofed headers without token": () => ({ lines: spoofed }),
  "spoofed headers twice": () => ({ lines: [...spoofed, ...spoofed] }),
  "spoofed headers with a good token": (token) => ({ lines: [...spoofed, bearer(token)] }),
  "spoofed headers with a bad token": () => ({ lines: [...spoofed, bearer("x.y.z")] }),
};

function payloadCase(set: string, name: string, members: Members): JwtCase {
  return {
    id: `${set}: ${name}`,
    set,
    ask: (kit) => ({ lines: [bearer(kit.token({ payload: kit.claims(members) }))] }),
  };
}

/** What tokens say, which error is told first, what upstreams learn, and what clients are told. */
export const claimCases: readonly JwtCase[] = [
  ...Object.entries(audiences).map(([name, members]) => payloadCase("audiences", name, members)),
  ...Object.entries(audiences).map(([name, members]) => payloadCase("audience-scheme", name, members)),
  ...Object.entries(outputs).map(([name, members]) => payloadCase("outputs", name, members)),
  ...Object.entries(order).map(([name, make]) => ({
    id: `order: ${name}`,
    set: "audiences",
    ask: (kit: JwtKit) => {
      const { payload, key } = make(kit);
      const parts = { header: { alg: "RS256", kid: "rsa" }, payload: kit.claims(payload) };
      return { lines: [bearer(kit.token({ ...parts, key: key ?? "rsa" }))] };
    },
  })),
  ...Object.entries(challenge).map(([name, ask]) => ({
    id: `challenge: ${name}`,
    set: "audiences",
    ask: (kit: JwtKit) => {
      const asked = ask(kit.token());
      return { ...asked, lines: [...(asked.lines ?? []), bearer(`${base64url("{}")}.e30.AAAA`)] };
    },
  })),
  ...Object.entries(cors).map(([name, ask]) => ({
    id: `cors: ${name}`,
    set: "outputs",
    ask: (kit: JwtKit) => ask(kit.token({ payload: kit.claims({ name: "Alice" }) })),
  })),
];
