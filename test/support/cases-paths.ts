import type { StringMatcher } from "../../src/matchers/index.js";
import type { RbacPolicy } from "../../src/rbac/index.js";
import type { Request, Rules, Scene } from "./cases-differential.js";
import { admit, named, permit, regex } from "./cases-rules.js";
import { rawRequest, utf8 } from "./raw-http.js";

const pathStrings: readonly StringMatcher[] = [
  { exact: "/a" },
  { exact: "/a?x" },
  { exact: "/a#f" },
  { exact: "" },
  { prefix: "/a" },
  { prefix: "/a?" },
  { suffix: "/b" },
  { suffix: "x=/b" },
  { contains: "a/" },
  { contains: "?" },
  ...["/a", "/.*", "/[^?]*", "/a(/.+)?", ".*x.*", "(?i)/A/B", "/é.*", "/%c3%a9", "/a/."].map(regex),
].flatMap((matcher: StringMatcher): StringMatcher[] =>
  "safeRegex" in matcher ? [matcher] : [matcher, { ...matcher, ignoreCase: true }],
);

/** Templates that Envoy loads. */
const goodTemplates: readonly string[] = [
  ...[
    "/",
    "/a",
    "/a/",
    "/*",
    "/**",
    "/*/",
    "/**/",
    "/a/*",
    "/a/**",
    "/*/b",
    "/a/**/b",
    "/a/*/c/*",
    "/a/**/b/c",
  ],
  ...["/{x}/b", "/{x=*}/b", "/{x=**}", "/a/{x=**}", "/a/{x=**}/b", "/{x}/{y}", "/{x=**}/{y=a}", "/**/{y=a}"],
  ...[
    "/{x=*/*}/c",
    "/{x=a/*}/b",
    "/{x=a/**}",
    "/{x=**/b}",
    "/{x=a}",
    "/{x=a*}",
    "/{x=a*b/c}",
    "/{x==*}",
    "/{x=*/**}",
  ],
  ...[
    "/a/**.mpd",
    "/a/{x=**}.mpd",
    "/a/*.mpd",
    "/{x=*}.mpd",
    "/*.*",
    "/**.*",
    "/*a",
    "/**a",
    "/a/*b",
    "/*a*",
    "/**b*",
  ],
  ...[
    "/a{x}",
    "/{x}a",
    "/a{x}b",
    "/a{x}b/c",
    "/{x=a}b/c",
    "/{x=**}b",
    "/{x=**}a/b",
    "/a{x}*",
    "/{x}*b/c",
    "/{x=**}*",
  ],
  ...["/a*", "/a*b", "/a*/b", "/a*/**", "/a.*", "/a*{x}"],
  ...["/a.b", "/a+b", "/a(b)", "/a=b", "/a%20b", "/a%zz", "/a,b;c:d@e&f=g$h!i'j~k", "/./a", "/../a"],
  ...["/{abcdefghijklmnop}", "/{X}", "/{x_y}", "/{x1}/{x2}/{x3}/{x4}/{x5}", `/${"a".repeat(255)}`],
];

/**
 * Templates that Envoy loads and that never match there: a star repeats nothing, so that the expression is
 * none.
 */
const deadTemplates: readonly string[] = ["/a**", "/a**/b", "/***", "/****", "/**a**"];

/** Templates that Envoy does not load: it ends while it starts. */
const badTemplates: readonly string[] = [
  ...[
    "",
    "a",
    "a/b",
    "*",
    "**",
    "//",
    "//*",
    "/a//",
    "/a//b",
    "/a/**/**",
    "/**/a/**",
    "/**/*",
    "/**/{x}",
    "/a/**/{y}",
  ],
  ...[
    "/{x=**}/*",
    "/{x=**}/{y=**}",
    "/{x=**/*}",
    "/**/*b",
    "/*b/**",
    "/**b/c",
    "/a/**b/c",
    "/*{x}",
    "/a/*{x}",
  ],
  ...[
    "/{x}.{y}",
    "/{x}{y}",
    "/a{x}{y}",
    "/a{x}b{y}",
    "/{x}a{y}",
    "/{x=a}{y=b}",
    "/{x",
    "/x}",
    "/{}",
    "/{=*}",
    "/{x=}",
  ],
  ...[
    "/{x={y}}",
    "/{x}}",
    "/{x}{",
    "/{1x}",
    "/{x-y}",
    "/{_x}",
    "/{x}/{x}",
    "/{abcdefghijklmnopq}",
    "/{a}/{b}/{c}/{d}/{e}/{f}",
  ],
  ...[
    "/{x=*=}",
    "/{x=*a}",
    "/{x=***}",
    "/{x=/*}",
    "/{x=*/}",
    "/{x=a/}",
    "/{x=a//b}",
    "/a{x=/b}",
    "/a{x=b/c}",
    "/{x=a/b",
  ],
  ...[
    "/é",
    "/a b",
    "/a?b",
    "/a#b",
    '/a"b',
    "/a[b]",
    "/a|b",
    "/a\\b",
    "/a^b",
    "/a<b>",
    "/a`b",
    "/\u0001",
    `/${"a".repeat(256)}`,
  ],
];

const paths: readonly string[] = [
  ...[
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/A",
    "/A/B",
    "/a?x",
    "/a?x=/b",
    "/a/b?x",
    "/a?",
    "/?a",
    "/a/?/b",
    "/ab",
    "/b",
    "//",
    "//a",
    "/a//",
    "/a//b",
  ],
  ...[
    "/a/b/c",
    "/a/b/b",
    "/a/b/c/d",
    "/x/b",
    "/a/x.mpd",
    "/a/x/y.mpd",
    "/a/.mpd",
    "/.mpd",
    "/x.mpd",
    "/a/mpd",
    "/a/b.mpd?x",
    "/a.b",
    "/aXb",
  ],
  ...[
    "/a+b",
    "/a(b)",
    "/a;x",
    "/a/;",
    "/aa",
    "/aaa",
    "/a*",
    "/a*b",
    "/a*/b",
    "/a**",
    "/a**/b",
    "/*",
    "/**",
    "/***",
    "/a.*",
    "/x*",
    "/x*b/c",
    "/a/xb",
    "/axb",
    "/axb/c",
    "/ab/c",
    "/a/b/a",
    "/=*",
    "/=",
    "/a%2fb",
    "/a%20b",
    "/%c3%a9",
    "/a/%",
    "/a/*",
    "/a/**",
    "/a/=",
    "/a/~",
    "/a/'",
    '/a/"',
    "/a/<",
    "/a/>",
    "/a/[x]",
  ],
  ...[
    "/a/{x}",
    "/a/|",
    "/a/^",
    "/a/`",
    "/a/\\",
    "/a/:",
    "/a/@",
    "/a/$",
    "/a/!",
    "/a/,",
    "/a/&",
    "/a/._-",
    "/a/\x7f",
    "/.",
    "/..",
    "/a/../b",
    "/a/./b",
  ],
  ...[
    "/é",
    "/a/é",
    "/\xff",
    "/a/\x01",
    "/a/\t",
    "/a#f",
    "/a?x#f",
    "/a/x#f?y",
    "/a/c/c",
    "/a/1/c/2",
    "/a/b/",
    "/x/y/c",
    "/a=b",
    "/a%zz",
    "/a,b;c:d@e&f=g$h!i'j~k",
    "/1/2/3/4/5",
    "/a*x",
    "/x/a",
    "a",
    "?a",
    "#a",
    ";a",
    "\\a",
  ],
];

/** Paths, by texts and by templates, as they come: not normalised. */
export const pathScene: Scene = {
  name: "paths",
  rules: {
    ...named(pathStrings, (path) => permit({ urlPath: { path } })),
    ...Object.fromEntries(
      goodTemplates.map((pathTemplate) => [`template ${pathTemplate}`, template(pathTemplate)] as const),
    ),
    ...named(pathStrings.slice(0, 4), (path) => admit({ urlPath: { path } })),
  },
  requests: Object.fromEntries(
    paths.map((path): [string, Request] => [path, { bytes: rawRequest(asBytes(path)) }]),
  ),
  manager: { normalize_path: false },
};

/** `\xff` stands for itself, other characters for their UTF-8 form. */
function asBytes(text: string): string {
  return text.includes("\xff") ? text : utf8(text);
}

/** A rule that asks for a path template. */
function template(pathTemplate: string): RbacPolicy {
  return permit({
    uriTemplate: {
      name: "envoy.path.match.uri_template.uri_template_matcher",
      typedConfig: {
        "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
        pathTemplate,
      },
    },
  });
}

/** Rules that Envoy loads and that never match there. */
export const deadRules: Rules = Object.fromEntries(deadTemplates.map((text) => [text, template(text)]));

/**
 * The same for templates: each with a wrong one needs an Envoy of its own, since that one does not live on.
 */
export const wrongTemplates: Rules = Object.fromEntries(badTemplates.map((text) => [text, template(text)]));
