import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { defaultPlaces } from "../../../src/authn/index.js";
import { codes } from "../../../src/diagnostics/index.js";
import type { ResourceDocument } from "../../../src/documents/index.js";
import {
  completeRequestAuthentication,
  parseAuthorizationPolicy,
  parseRequestAuthentication,
} from "../../../src/istio/index.js";
import {
  aDocument,
  isError,
  issuer,
  jwks,
  parseBare,
  parseRule,
  ruleOf,
  said,
} from "./request-authentications.js";

describe("a rule without more than an issuer and keys", () => {
  it("has Istio's defaults", () => {
    expect(parseRule({})).toEqual({
      findings: [],
      spec: {
        namespace: "foo",
        name: "r",
        selector: undefined,
        targetRefs: [],
        keyFiles: [],
        rules: [
          {
            issuer,
            audiences: [],
            keys: { kind: "inline", jwks },
            places: defaultPlaces,
            forwardOriginalToken: false,
            outputPayloadToHeader: "",
            outputClaimToHeaders: [],
            spaceDelimitedClaims: ["scope", "permission"],
          },
        ],
      },
    });
  });

  it("is not needed: a document without rules or without a spec asks for nothing", () => {
    for (const spec of [undefined, {}, { jwtRules: [] }]) {
      const parsed = parseRequestAuthentication(aDocument(spec));
      expect(parsed.findings).toEqual([]);
      expect(parsed.spec?.rules).toEqual([]);
    }
  });
});

describe("the places of tokens", () => {
  it("replace the default ones as soon as one is named", () => {
    expect(ruleOf({ fromParams: ["t"] })?.places).toEqual({ headers: [], params: ["t"], cookies: [] });
    expect(ruleOf({ fromCookies: ["c"] })?.places).toEqual({ headers: [], params: [], cookies: ["c"] });
    expect(ruleOf({ fromHeaders: [{ name: "X-A" }] })?.places).toEqual({
      headers: [{ name: "x-a", prefix: "" }],
      params: [],
      cookies: [],
    });
  });

  it("are the default ones when their lists are empty", () => {
    expect(ruleOf({ fromHeaders: [], fromParams: [], fromCookies: [] })?.places).toEqual(defaultPlaces);
  });

  it("stand in the order in which Envoy looks, header names in lower case", () => {
    const fromHeaders = [
      { name: "X-B" },
      { name: "x-a", prefix: "Token " },
      { name: "X-A" },
      { name: "x-b" },
    ];
    expect(ruleOf({ fromHeaders, fromParams: ["z", "b", "z"], fromCookies: ["Z", "b"] })?.places).toEqual({
      headers: [
        { name: "x-a", prefix: "" },
        { name: "x-a", prefix: "Token " },
        { name: "x-b", prefix: "" },
      ],
      params: ["b", "z"],
      cookies: ["Z", "b"],
    });
  });

  it("are bytes, as they are in requests", () => {
    const places = ruleOf({ fromHeaders: [{ name: "x", prefix: "é " }], fromParams: ["ü"] })?.places;
    expect(places?.headers).toEqual([{ name: "x", prefix: "Ã© " }]);
    expect(places?.params).toEqual(["Ã¼"]);
  });

  it("are refused when empty, of a wrong type or fatal for Envoy", () => {
    const fromHeaders = [{ name: "" }, {}, "x", { name: "a\nb" }, { name: "x", prefix: "a\u0000" }, null];
    expect(said(parseRule({ fromHeaders, fromParams: [""], fromCookies: ["c", ""] }))).toEqual([
      "GH0105 fromHeaders.0.name: `name` is empty, expected a non-empty string",
      "GH0104 fromHeaders.1.name: `name` is missing, expected a string",
      "GH0102 fromHeaders.2: `fromHeaders[2]` is `x`, expected a mapping",
      "GH0205 fromHeaders.3.name: `name` is `a\\nb`, with a line break or NUL; expected none",
      "GH0205 fromHeaders.4.prefix: `prefix` is `a\\u0000`, with a line break or NUL; expected none",
      "GH0102 fromHeaders.5: `fromHeaders[5]` is null, expected a mapping",
      "GH0105 fromParams.0: empty value, expected a non-empty string",
      "GH0105 fromCookies.1: empty value, expected a non-empty string",
    ]);
  });

  it.each(["Host", ":path", "connection", "Content-Length"])("in `%s` stay there, which is said", (name) => {
    const parsed = parseRule({ fromHeaders: [{ name: "x" }, { name }] });
    expect(said(parsed)).toEqual([
      `GH0218 fromHeaders.1.name: a token cannot be removed from header \`${name.toLowerCase()}\`, so that it is forwarded as with \`forwardOriginalToken: true\`; expected another header`,
    ]);
    expect(parsed.spec?.rules).toHaveLength(1);
    expect(parseRule({ fromHeaders: [{ name }], forwardOriginalToken: true }).findings).toEqual([]);
  });
});

describe("output headers", () => {
  it("get the payload and claims, under lower-case names, also the same name twice", () => {
    const outputClaimToHeaders = [
      { header: "X-User_1", claim: "a.b" },
      { header: "x-user_1", claim: "sub" },
    ];
    const parsed = parseRule({ outputPayloadToHeader: "X-Payload", outputClaimToHeaders });
    expect(parsed.findings).toEqual([]);
    expect(parsed.spec?.rules[0]).toMatchObject({
      outputPayloadToHeader: "x-payload",
      outputClaimToHeaders: [
        { header: "x-user_1", claim: "a.b" },
        { header: "x-user_1", claim: "sub" },
      ],
    });
  });

  it.each(["bad header", ":path", "Host", "Connection", "content-length", "ü"])(
    "cannot be `%s`, which is left out with a warning",
    (name) => {
      const parsed = parseRule({ outputPayloadToHeader: name });
      expect(said(parsed)).toEqual([
        `GH0213 outputPayloadToHeader: header \`${name}\` cannot be set on a request, so that it is left out; expected another name`,
      ]);
      expect(parsed.spec?.rules[0]?.outputPayloadToHeader).toBe("");
    },
  );

  it("of claims cannot be `host` or hop-by-hop either", () => {
    const outputClaimToHeaders = [
      { header: "Host", claim: "sub" },
      { header: "te", claim: "sub" },
      { header: "x", claim: "sub" },
    ];
    const parsed = parseRule({ outputClaimToHeaders });
    expect(parsed.findings.map(({ code, path }) => [code, path.slice(4)])).toEqual([
      [codes.headerNotSet, [0, "header"]],
      [codes.headerNotSet, [1, "header"]],
    ]);
    expect(parsed.spec?.rules[0]?.outputClaimToHeaders).toEqual([{ header: "x", claim: "sub" }]);
  });

  it("with a line break end Envoy, so they are refused", () => {
    expect(parseRule({ outputPayloadToHeader: "a\nb" }).findings.some(isError)).toBe(true);
  });

  it("of claims need both fields, and a name of few characters", () => {
    const outputClaimToHeaders = [
      {},
      { header: "", claim: "" },
      { header: "x.a", claim: "sub" },
      { headers: "x" },
    ];
    expect(said(parseRule({ outputClaimToHeaders })).map((line) => line.split(":")[0])).toEqual([
      "GH0104 outputClaimToHeaders.0.header",
      "GH0104 outputClaimToHeaders.0.claim",
      "GH0105 outputClaimToHeaders.1.header",
      "GH0105 outputClaimToHeaders.1.claim",
      "GH0108 outputClaimToHeaders.2.header",
      "GH0101 outputClaimToHeaders.3.headers",
      "GH0104 outputClaimToHeaders.3.header",
      "GH0104 outputClaimToHeaders.3.claim",
    ]);
  });
});

describe("the other fields of a rule", () => {
  it("are read", () => {
    const fields = {
      audiences: ["a", "b"],
      forwardOriginalToken: true,
      spaceDelimitedClaims: ["roles", "scope"],
      presence: "OPTIONAL",
    };
    expect(parseRule(fields)).toMatchObject({
      findings: [],
      spec: {
        rules: [
          {
            audiences: ["a", "b"],
            forwardOriginalToken: true,
            spaceDelimitedClaims: ["scope", "permission", "roles"],
          },
        ],
      },
    });
  });

  it("are refused with the place when wrong", () => {
    const fields = {
      issuer: "",
      audiences: ["a", ""],
      forwardOriginalToken: "true",
      spaceDelimitedClaims: Array.from({ length: 65 }, (_, i) => `c${i}`),
      presence: "required",
      jwksURI: "https://issuer.test",
    };
    expect(said(parseRule(fields))).toEqual([
      "GH0101 jwksURI: unknown field `jwksURI`, did you mean `jwksUri`",
      "GH0105 issuer: `issuer` is empty, expected a non-empty string",
      "GH0106 spaceDelimitedClaims: `spaceDelimitedClaims` has 65 items, expected at most 64",
      "GH0105 audiences.1: empty value, expected a non-empty string",
      "GH0102 forwardOriginalToken: `forwardOriginalToken` is `true`, expected true or false",
      "GH0103 presence: unknown presence `required`, expected OPTIONAL or REQUIRED",
    ]);
  });

  it("take no null, as in Kubernetes", () => {
    for (const field of ["issuer", "jwks", "audiences", "fromHeaders", "forwardOriginalToken", "timeout"]) {
      expect(
        parseRule({ [field]: null })
          .findings.filter(isError)
          .map(({ code }) => code),
      ).toContain(codes.wrongType);
    }
  });
});

describe("presence: REQUIRED", () => {
  const shown = (spec: Record<string, unknown>): ResourceDocument => {
    const document = aDocument({
      ...spec,
      jwtRules: [
        { issuer, jwks },
        { issuer, jwks, presence: "REQUIRED" },
        { issuer, jwks, presence: "REQUIRED" },
      ],
    });
    const found = parseRequestAuthentication(document).findings;
    expect(found.map(({ code, path }) => [code, path.join(".")])).toEqual([
      [codes.presenceWithoutEffect, "spec.jwtRules.1.presence"],
    ]);
    const { metadata, ...rest } = parse(/`(\{.*\})`/.exec(found[0]?.message ?? "")?.[1] ?? "");
    return { ...rest, ...metadata, annotations: new Map() };
  };

  it("is warned of with a DENY policy that has the effect", () => {
    const { spec, findings } = parseAuthorizationPolicy(shown({}));
    expect(findings.filter(isError)).toEqual([]);
    expect(spec).toMatchObject({
      namespace: "foo",
      action: "DENY",
      selector: undefined,
      targetRefs: [],
      rules: [{ from: [{ notRequestPrincipals: ["*"] }], to: [], when: [] }],
    });
  });

  it("and that applies where the document does", () => {
    const matchLabels = { app: "web", odd: "a`: {\n" };
    expect(parseAuthorizationPolicy(shown({ selector: { matchLabels } })).spec?.selector).toEqual(
      Object.entries(matchLabels),
    );
    const targetRefs = [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "g", namespace: "" }];
    expect(parseAuthorizationPolicy(shown({ targetRefs })).spec?.targetRefs).toEqual(targetRefs);
  });
});

describe("any JSON at all", () => {
  it("is answered with a spec or an error, never a throw", () => {
    const field = fc.constantFrom(
      ...["issuer", "jwks", "jwksUri", "jwks_uri", "jwksFile", "fromHeaders", "fromParams", "audiences"],
      ...["name", "prefix", "outputPayloadToHeader", "outputClaimToHeaders", "header", "claim", "timeout"],
      ...["presence", "spaceDelimitedClaims", "keys", "kty", "__proto__", "constructor"],
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<unknown>(null, "", "5s", 0, true, "https://a", '{"keys":[{}, null, 5]}', "REQUIRED"),
        fc.string(),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(field, tie("tree"), { maxKeys: 5 }),
      ),
    }));
    const spec = fc.oneof(
      tree,
      fc.record({ jwtRules: fc.array(tree), selector: tree }, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(spec, fc.array(fc.string()), (value, texts) => {
        const parsed = parseRequestAuthentication(aDocument(value));
        expect(parsed.spec !== undefined || parsed.findings.some(isError)).toBe(true);
        for (const { message } of parsed.findings) expect(message).toMatch(/^[^\n.]+/);
        if (parsed.spec === undefined) return;
        expect(parsed.references?.length ?? 0).toBe(parsed.spec.keyFiles.length);
        const whole = completeRequestAuthentication(parsed.spec, texts);
        expect(whole.spec !== undefined || whole.findings.some(isError)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("with a very long timeout or URL is read in no time", () => {
    const started = performance.now();
    parseBare({ issuer: `https://${"a".repeat(1e6)}`, timeout: "1".repeat(1e6) });
    parseBare({ issuer, jwksUri: `https://${"a/".repeat(1e6)}`, timeout: `${"1.5s".repeat(1e5)}x` });
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
