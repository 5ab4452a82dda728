import type { HeaderMatcher, StringMatcher } from "../../src/matchers/index.js";
import type { Request, Scene } from "./cases-differential.js";
import { regexes } from "./cases-regexes.js";
import { header, named, permit, regex } from "./cases-rules.js";
import { rawRequest, utf8 } from "./raw-http.js";

const strings: readonly StringMatcher[] = [
  { exact: "abc" },
  { exact: "" },
  { exact: "abc,def" },
  { exact: "abc, def" },
  { exact: "é" },
  { exact: "É" },
  { prefix: "ab" },
  { prefix: "É" },
  { suffix: "bc" },
  { suffix: "ef" },
  { contains: "b" },
  { contains: "," },
  { contains: "C,D" },
];

const flags: readonly Partial<HeaderMatcher>[] = [
  {},
  { invertMatch: true },
  { treatMissingHeaderAsEmpty: true },
  { invertMatch: true, treatMissingHeaderAsEmpty: true },
];

const ranges: readonly { readonly start: number; readonly end: number }[] = [
  { start: -10, end: 100 },
  { start: 0, end: 1 },
  { start: 5, end: 5 },
  { start: 16, end: 17 },
  { start: 9007199254740991, end: 9007199254740992 },
];

const onValue: readonly Partial<HeaderMatcher>[] = [
  {},
  { presentMatch: true },
  { presentMatch: false },
  ...strings.flatMap((stringMatch) => [
    { stringMatch },
    { stringMatch: { ...stringMatch, ignoreCase: true } },
  ]),
  ...["abc", ".*", ".+", "(abc|)", "[^a]+"].map((text) => ({ stringMatch: regex(text) })),
  ...ranges.map((rangeMatch) => ({ rangeMatch })),
];

const valueMatchers: readonly HeaderMatcher[] = [
  ...onValue.flatMap((matcher) => flags.map((flag) => ({ name: "x-a", ...matcher, ...flag }))),
  ...regexes.map((text) => ({ name: "X-A", stringMatch: regex(text) })),
  { name: "x_a", stringMatch: { exact: "abc" } },
  { name: "cookie", stringMatch: { exact: "a=1" } },
  { name: "cookie", stringMatch: { exact: "a=1; b=2" } },
  { name: "cookie", stringMatch: { contains: "b=2" } },
  { name: "authorization", stringMatch: { exact: "x" } },
  { name: "authorization", stringMatch: { exact: "x,y" } },
  { name: "content-type", stringMatch: { exact: "x" } },
  { name: "content-type", stringMatch: { exact: "x,y" } },
  { name: "user-agent", stringMatch: { exact: "x" } },
  { name: "user-agent", stringMatch: { exact: "x,y" } },
  ...[
    "connection",
    "te",
    "upgrade",
    "keep-alive",
    "transfer-encoding",
    "x-forwarded-for",
    "x-request-id",
  ].map((name) => ({
    name,
  })),
  ...[
    "x-forwarded-proto",
    "x-envoy-internal",
    "content-length",
    "__proto__",
    "constructor",
    "hasownproperty",
  ].map((name) => ({ name })),
  ...["__proto__", "constructor", "hasOwnProperty", "toString"].map((name) => ({
    name,
    stringMatch: { exact: "evil" },
  })),
];

/** The lines of `x-a`, none: absent. */
const valueLines: readonly (readonly string[])[] = [
  [],
  [""],
  ["abc"],
  ["ABC"],
  ["aBc"],
  ["ab"],
  ["abcd"],
  ["abc", "def"],
  ["def", "abc"],
  ["def", "ghi"],
  ["abc,def"],
  ["abc, def"],
  ["abc", ""],
  ["", "abc"],
  ["", ""],
  ["  abc\t"],
  ["a\tb"],
  ...["é", "É", "aé", "日本", "a日b", "😀", "\u212a", "\u017f", "k", "K", "s"].map((text) => [utf8(text)]),
  ...["\xff", "\xe9", "a\xffb", "\xc3", "\x80\x80", "abc\xff", "\xc0\x80", "\xed\xa0\x80"].map((text) => [
    text,
  ]),
  ...[
    "0",
    "-1",
    "+1",
    "5",
    "05",
    "-0",
    "+-5",
    "--5",
    "1.5",
    "1e1",
    "0x10",
    "16",
    " 5 ",
    "5,6",
    "99",
    "100",
    "-10",
  ].map((text) => [text]),
  ...[
    "9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999",
  ].map((text) => [text]),
  ...["-9223372036854775808", "+", "-", "5 6", "5\t", "\v5", "1_0", "٣"].map((text) => [utf8(text)]),
];

const otherLines: readonly (readonly string[])[] = [
  ["X-A: abc"],
  ["x_a: abc"],
  ["x_a: abc", "x-a: def"],
  ["cookie: a=1", "cookie: b=2"],
  ["cookie: a=1; b=2"],
  ["authorization: x", "authorization: y"],
  ["content-type: x", "content-type: y"],
  ["user-agent: x", "user-agent: y"],
  ["connection: x-a, keep-alive", "x-a: abc"],
  ["connection: close", "te: trailers", "keep-alive: timeout=5"],
  ["te: gzip, trailers"],
  ["x-forwarded-for: 1.2.3.4", "x-request-id: 1", "x-forwarded-proto: https", "x-envoy-internal: true"],
  ["content-length: 0"],
  ["__proto__: evil"],
  ["__proto__: good"],
  ["__PROTO__: good", "__proto__: evil"],
  ["constructor: evil"],
  ["hasOwnProperty: evil"],
  ["toString: evil"],
];

function byLines(lines: readonly string[]): [string, Request] {
  return [JSON.stringify(lines), { bytes: rawRequest("/", lines) }];
}

/** Values of ordinary headers: absent, empty, on one line, on several, joined, in any bytes. */
export const headerValues: Scene = {
  name: "header-values",
  rules: named(valueMatchers, header),
  requests: Object.fromEntries([
    ...valueLines.map((lines) => byLines(lines.map((line) => `x-a: ${line}`))),
    ...otherLines.map(byLines),
  ]),
};

const authorities: readonly string[] = [
  "example.com",
  "EXAMPLE.com",
  "example.com:80",
  "example.com.",
  "[::1]:80",
  "",
  "a b",
  "é",
];

const pseudoMatchers: readonly HeaderMatcher[] = [
  ...["host", "Host", ":authority"].flatMap((name): HeaderMatcher[] => [
    { name },
    { name, presentMatch: false },
    ...["example.com", "example.com:80", "example.com.", "", "[::1]:80"].flatMap((exact): HeaderMatcher[] => [
      { name, stringMatch: { exact } },
      { name, stringMatch: { exact, ignoreCase: true } },
      { name, stringMatch: { exact }, invertMatch: true },
    ]),
    { name, stringMatch: { suffix: ":80" } },
    { name, stringMatch: regex("[^.]+") },
  ]),
  ...["/", "/a", "/a?x=1", "/A", "*", "", "/a#f", "//a"].map((exact) => ({
    name: ":path",
    stringMatch: { exact },
  })),
  { name: ":path" },
  ...["http", "https", "ftp", ""].map((exact) => ({ name: ":scheme", stringMatch: { exact } })),
  { name: ":scheme" },
  ...["GET", "get", "POST", "HEAD", "CONNECT", "OPTIONS", "M-SEARCH", "BREW"].map((exact) => ({
    name: ":method",
    stringMatch: { exact },
  })),
  { name: ":method", stringMatch: { exact: "get", ignoreCase: true } },
  { name: ":protocol" },
  { name: ":status" },
];

/** The host and the other pseudo-headers. */
export const headerPseudo: Scene = {
  name: "header-pseudo",
  rules: {
    ...named(pseudoMatchers, header),
    "any path": permit({ urlPath: { path: regex(".*") } }),
  },
  requests: Object.fromEntries([
    ...authorities.map((host): [string, Request] => [
      `host ${host}`,
      { bytes: rawRequest("/a?x=1", [`Host: ${utf8(host)}`]) },
    ]),
    ...["GET", "get", "POST", "HEAD", "OPTIONS", "M-SEARCH", "BREW"].map((method): [string, Request] => [
      `method ${method}`,
      { bytes: rawRequest("/a", ["content-length: 0"], method) },
    ]),
    ...["/", "/a", "/A", "//a", "/a#f", "*", "http://example.com/a", "https://EXAMPLE.com:80/a?x=1"].map(
      (path): [string, Request] => [`path ${path}`, { bytes: rawRequest(path) }],
    ),
    ["CONNECT", { bytes: rawRequest("example.com:80", ["Host: other:80"], "CONNECT") }],
    ["CONNECT without port", { bytes: rawRequest("example.com", ["Host: other"], "CONNECT") }],
    ["OPTIONS *", { bytes: rawRequest("*", [], "OPTIONS") }],
    ["HTTP/1.0 without Host", { bytes: "GET /a HTTP/1.0\r\n\r\n" }],
    ["HTTP/1.0", { bytes: "GET /a HTTP/1.0\r\nHost: example.com\r\n\r\n" }],
    ["two Hosts", { bytes: rawRequest("/a", ["Host: example.com", "Host: other"]) }],
    [
      "host and authority",
      { bytes: rawRequest("/a", ["Host: example.com", "authority: other", ":authority: z"]) },
    ],
    ["proto from the client", { bytes: rawRequest("/a", ["x-forwarded-proto: https"]) }],
  ]),
  manager: {
    upgrade_configs: [{ upgrade_type: "CONNECT" }],
    http_protocol_options: { accept_http_10: true, allow_absolute_url: true },
  },
};
