import { describe, expect, it } from "vitest";
import {
  completeTokenIntrospection,
  parseTokenIntrospection,
  type TokenIntrospection,
} from "../../../src/credentials/index.js";
import type { Parsed } from "../../../src/documents/index.js";
import { aDocument, anIntrospection, said } from "./credential-documents.js";

const endpoint = "https://login.example/introspect";
const parse = (spec: unknown): Parsed<TokenIntrospection> =>
  parseTokenIntrospection(aDocument("TokenIntrospection", spec));

describe("a TokenIntrospection", () => {
  it("needs only an endpoint", () => {
    expect(anIntrospection()).toEqual({
      namespace: "shop",
      name: "partners",
      selector: undefined,
      targetRefs: [],
      endpoint,
      issuer: "https://login.example",
      anyIssuer: true,
      client: undefined,
      requiredScopes: [],
      audiences: [],
      places: {
        headers: [{ name: "authorization", prefix: "Bearer ", opaque: true }],
        params: [],
        cookies: [],
      },
      forwardOriginalToken: false,
      outputClaimToHeaders: [],
      timeoutMs: 2000,
      cacheTtlMs: 30_000,
      tokenTypeHint: undefined,
      maxTokenBytes: 4096,
    });
  });

  it("looks for tokens only where it says, once it says something", () => {
    const spec = anIntrospection({
      selector: { matchLabels: { app: "orders" } },
      fromHeaders: [{ name: "X-Token" }, { name: "X-Token" }, { name: "Authorization", prefix: "Token " }],
      fromParams: ["t"],
      fromCookies: ["session"],
    });
    expect(spec.selector).toEqual([["app", "orders"]]);
    expect(spec.places).toEqual({
      headers: [
        { name: "authorization", prefix: "Token ", opaque: true },
        { name: "x-token", prefix: "", opaque: true },
      ],
      params: ["t"],
      cookies: ["session"],
    });
  });

  it("gets the client's secret from what it names, without the line end", () => {
    const parsed = parse({ endpoint, clientId: "gate", clientSecretFile: "secret.txt", clientAuth: "post" });
    expect(parsed.references).toEqual([
      { kind: "file", name: "secret.txt", path: ["spec", "clientSecretFile"] },
    ]);
    const whole = completeTokenIntrospection(parsed.spec as TokenIntrospection, ["s3cr et\n"]);
    expect(whole.spec?.client).toEqual({
      id: "gate",
      secret: "s3cr et",
      auth: "post",
      secretField: "clientSecretFile",
    });
  });

  it("may name its secret's variable instead", () => {
    const parsed = parse({ endpoint, clientId: "gate", clientSecretEnv: "SECRET" });
    expect(parsed.references).toEqual([{ kind: "env", name: "SECRET", path: ["spec", "clientSecretEnv"] }]);
  });

  it("does not take an empty secret", () => {
    const { spec } = parse({ endpoint, clientId: "gate", clientSecretFile: "secret.txt" });
    expect(said(completeTokenIntrospection(spec as TokenIntrospection, ["\n"]))).toEqual([
      "GH0105 spec.clientSecretFile",
    ]);
  });

  it("may switch its memory off", () => {
    expect(anIntrospection({ cacheTtl: "0s" }).cacheTtlMs).toBe(0);
  });

  it("warns when it asks without credentials, and when secrets go over plain HTTP", () => {
    expect(said(parse({ endpoint }))).toEqual(["GH0214 spec.endpoint"]);
    const plain = { endpoint: "http://login.example/i", clientId: "a", clientSecretEnv: "B" };
    expect(said(parse(plain))).toEqual(["GH0215 spec.endpoint"]);
    expect(said(parse({ ...plain, endpoint: "http://127.0.0.1:80/i" }))).toEqual([]);
    expect(said(parse({ ...plain, endpoint: "http://127.evil.example/i" }))).toEqual([
      "GH0215 spec.endpoint",
    ]);
  });

  it.each([
    ["no endpoint", {}, "GH0104 spec.endpoint"],
    ["another scheme", { endpoint: "ftp://a/b" }, "GH0108 spec.endpoint"],
    ["a password in the URL", { endpoint: "https://a:b@c/d" }, "GH0108 spec.endpoint"],
    ["a fragment", { endpoint: "https://a/#b" }, "GH0108 spec.endpoint"],
    ["a URL that would be mended", { endpoint: "https:\\\\a" }, "GH0108 spec.endpoint"],
    ["a space in the URL", { endpoint: " https://a/" }, "GH0108 spec.endpoint"],
    [
      "two secrets",
      { endpoint, clientId: "a", clientSecretFile: "b", clientSecretEnv: "C" },
      "GH0201 spec.clientSecretEnv",
    ],
    ["a secret of nobody", { endpoint, clientSecretFile: "b" }, "GH0104 spec.clientSecretFile"],
    ["a client without a secret", { endpoint, clientId: "a" }, "GH0104 spec.clientId"],
    ["a secret in the document", { endpoint, clientSecret: "hunter2" }, "GH0101 spec.clientSecret"],
    ["a timeout beyond 10 s", { endpoint, timeout: "11s" }, "GH0108 spec.timeout"],
    ["no timeout at all", { endpoint, timeout: "0s" }, "GH0108 spec.timeout"],
    ["a memory beyond 5 min", { endpoint, cacheTtl: "6m" }, "GH0108 spec.cacheTtl"],
    [
      "a scope that would end the challenge's quotes",
      { endpoint, requiredScopes: ['a"'] },
      "GH0108 spec.requiredScopes.0",
    ],
    ["a scope of two words", { endpoint, requiredScopes: ["a b"] }, "GH0108 spec.requiredScopes.0"],
    [
      "a header from which no credential can be removed",
      { endpoint, fromHeaders: [{ name: "Connection" }] },
      "GH0108 spec.fromHeaders.0.name",
    ],
    ["a header that is none", { endpoint, fromHeaders: [{ name: "a b" }] }, "GH0108 spec.fromHeaders.0.name"],
    [
      "an output that frames the message",
      { endpoint, outputClaimToHeaders: [{ header: "Content-Length", claim: "sub" }] },
      "GH0108 spec.outputClaimToHeaders.0.header",
    ],
    [
      "a header for two claims",
      {
        endpoint,
        outputClaimToHeaders: [
          { header: "x-a", claim: "sub" },
          { header: "X-A", claim: "iss" },
        ],
      },
      "GH0201 spec.outputClaimToHeaders.1.header",
    ],
    ["an unknown way to show the client", { endpoint, clientAuth: "none" }, "GH0103 spec.clientAuth"],
    ["tokens of a megabyte", { endpoint, maxTokenBytes: 1_000_000 }, "GH0106 spec.maxTokenBytes"],
  ])("refuses %s", (_what, spec, finding) => {
    const parsed = parse(spec);
    expect(said(parsed)).toContain(finding);
    expect(parsed.spec).toBeUndefined();
    expect(JSON.stringify(parsed)).not.toContain("hunter2");
  });
});
