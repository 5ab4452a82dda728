import { describe, expect, it } from "vitest";
import { createCatalog } from "../../../src/config/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";

/** Whatever a message repeats of a document, none of these may be in it. */
const apiKey = "gh_O6GhPBC0Dp_ytDCLdq32e3t0dtt3sYF4dmqVOqSg2jX";
const hash = "sha256$ReFWZxatIJ7iIMB4HU7KIg$HZiNb3K1c4vEEnFawcx5DnReFWZxatIJ7iIMB4HU7KI";
const material = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
const clientSecret = "Zm9vYmFyYmF6cXV4c3VwZXJz";
const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
const secrets = [apiKey.slice(14), hash.slice(7, 40), material, clientSecret, jwt.slice(8, 40)];

async function said(text: string): Promise<string[]> {
  const catalog = createCatalog({ pause: async () => {} });
  const { diagnostics } = await catalog.update({ files: [{ path: "a.yaml", text }], diagnostics: [] });
  return diagnostics.map(formatDiagnostic);
}

const ours = (kind: string, spec: unknown, metadata: object = {}): string =>
  JSON.stringify({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind,
    metadata: { name: "a", ...metadata },
    spec,
  });
const keys = (...list: unknown[]): string => ours("ApiKeys", { keys: list });
const endpoint = "https://login.example/introspect";
const introspection = (spec: object): string => ours("TokenIntrospection", { endpoint, ...spec });
const rule = (fields: object): string =>
  JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata: { name: "a" },
    spec: { jwtRules: [{ issuer: "https://issuer.example", ...fields }] },
  });
const jwk = { kty: "oct", k: material, alg: "HS256" };
const entry = { id: "abcdefgh01", hash, owner: "o" };

describe("a diagnostic does not repeat", () => {
  it.each([
    ["a JWKS that is a mapping", rule({ jwks: { keys: [jwk] } })],
    ["a JWKS that is a list", rule({ jwks: [material] })],
    ["keys of a JWKS beside each other", rule({ jwks: 7, keys: [jwk], jwksFile: { k: material } })],
    ["a token in the place of a rule", rule({ presence: jwt, [jwt]: 1 })],
    ["an API key in the place of the list of keys", ours("ApiKeys", { keys: apiKey })],
    ["an API key in the list of keys", keys(apiKey)],
    ["a shorter secret in the list of keys", keys(material)],
    ["an API key that is an unknown field", keys({ ...entry, [apiKey]: 1 })],
    ["an API key as the name of a label", keys({ ...entry, labels: { [apiKey]: 1 } })],
    ["an API key as a time", keys({ ...entry, expires: apiKey })],
    ["an API key as the name of a resource", ours("ApiKeys", {}, { name: apiKey, namespace: apiKey })],
    ["an API key in a selector", ours("ApiKeys", { selector: { matchLabels: { [apiKey]: `${apiKey}*` } } })],
    ["hashes that an annotation holds", ours("ApiKeys", {}, { annotations: { x: [entry] } })],
    [
      "hashes that an annotation repeats by an alias",
      `apiVersion: gatehouse.dev/v1alpha1\nkind: ApiKeys\nmetadata: {name: a, annotations: {x: &one {hash: "${hash}"}}}\nspec: {keys: [*one]}\n`,
    ],
    ["a key given twice", `{apiVersion: gatehouse.dev/v1alpha1, "${apiKey}": 1, "${apiKey}": 2}`],
    ["an alias without an anchor", `{apiVersion: v1, kind: *${material}${material}}`],
    ["a tag", `{apiVersion: v1, kind: !${material}${material} x}`],
    ["what is no YAML", `jwks: "a" "${material}"\n`],
    ["what is no YAML behind a value", `keys: [a]\n  ${apiKey}\n`],
    [
      "a client's secret as the name of a variable",
      introspection({ clientId: "c", clientSecretEnv: clientSecret }),
    ],
    ["one that is no name at all", introspection({ clientId: "c", clientSecretEnv: `${clientSecret}+/==` })],
    ["a client's secret as an unknown field's value", introspection({ clientSecret })],
    ["a client's secret in a mapping", introspection({ clientId: { secret: clientSecret } })],
    ["a token as an enum", introspection({ clientAuth: jwt })],
    ["a token as a duration", introspection({ timeout: jwt })],
  ])("%s", async (_, text) => {
    const messages = await said(text);
    expect(messages.length).toBeGreaterThan(0);
    for (const message of messages) for (const secret of secrets) expect(message).not.toContain(secret);
  });
});

describe("a diagnostic repeats", () => {
  it("a short value that stands in a wrong place, and a name that is misspelt", async () => {
    const messages = await said(ours("ApiKeys", { issuer: 80, fromHeader: [], fromParams: "key" }));
    expect(messages.map((message) => message.replace(/^\S+ error /, ""))).toEqual([
      "GH0102 `issuer` is number `80`, expected a string (ApiKeys default/a)",
      "GH0101 unknown field `fromHeader` (ApiKeys default/a)",
      "GH0102 `fromParams` is `key`, expected a list (ApiKeys default/a)",
    ]);
  });

  it("a variable that looks like one", async () => {
    expect(await said(introspection({ clientId: "c", clientSecretEnv: "CLIENT_SECRET_2" }))).toEqual([
      expect.stringContaining("GH0008 environment variable `CLIENT_SECRET_2` is not set"),
    ]);
  });
});
