import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BothServices, startBothServices } from "../support/both-services.js";
import { aSigner, jwks, nowSeconds } from "../support/tokens.js";
import type { Described } from "../unit/envoy/ext-proc/described.js";

// Every kind of refusal that a request's head may get, asked of one server by ext_authz and by ext_proc over gRPC: the
// client has to see the same answer.

const signer = aSigner("k");
const bearer = (token: string): readonly [string, string] => ["authorization", `Bearer ${token}`];

const documents = (port: number): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
spec:
  strictRequests: true
  multipleCustomProviders: true
  extensionProviders:
    - name: web
      envoyExtAuthzHttp:
        service: 127.0.0.1
        port: ${port}
        headersToDownstreamOnDeny: [x-why, set-cookie, content-type]
    - name: gone
      envoyExtAuthzHttp: {service: 127.0.0.1, port: 1, statusOnError: "503"}
    - name: rego
      rego: {policy: bookshop/asked}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: bookshop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/secret]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: known-paths, namespace: bookshop}
spec: {rules: [{to: [{operation: {notPaths: [/elsewhere]}}]}]}
${["web", "gone", "rego", "nobody"]
  .map(
    (name) => `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask-${name}, namespace: bookshop}
spec:
  selector: {matchLabels: {app: books}}
  action: CUSTOM
  provider: {name: ${name}}
  rules: [{to: [{operation: {paths: [/${name}]}}]}]
`,
  )
  .join("")}---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: bookshop}
spec:
  jwtRules:
    - issuer: https://a
      audiences: [shop]
      jwks: '${jwks(signer)}'
---
apiVersion: gatehouse.dev/v1alpha1
kind: RegoPolicy
metadata: {name: asked, namespace: bookshop}
spec: {providerOnly: true, path: ., timeout: 5s}
---
apiVersion: gatehouse.dev/v1alpha1
kind: RegoPolicy
metadata: {name: own, namespace: bookshop}
spec: {path: ., timeout: 5s}
---
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: orders, namespace: bookshop}
spec:
  match: request.url_path == '/orders'
  request: {body: {maxBytes: 1KiB, onLimit: deny, rules: [{rego: bookshop/asked}]}}
---
apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: few, namespace: bookshop}
spec:
  match: request.url_path == '/limited'
  dimensions: {who: "request.headers['x-who']"}
  limit: 1
  window: 1m
`;

/** By path; a list of headers' values is a line each. */
const rego = `package envoy.authz

default allow := true

hidden := {
	"allowed": false,
	"http_status": 404,
	"body": "there is nothing here\\n",
	"headers": {"Content-Type": "text/x-own", "x-why": ["one", "two"], "set-cookie": ["a=1", "b=2"], "x-empty": ""},
}

allow := hidden if input.parsed_path[0] in {"rego", "own"}

allow := hidden if input.parsed_body.hide

allow := {"allowed": false, "http_status": 302, "headers": {"location": "/shop"}} if input.parsed_path[0] == "moved"

allow := false if input.parsed_path[0] == "plain"

allow := {"allowed": false, "headers": {"transfer-encoding": "chunked"}} if input.parsed_path[0] == "bad-header"

allow := 7 if input.parsed_path[0] == "no-answer"
`;

let both: BothServices;
let provider: Server;

beforeAll(async () => {
  provider = createServer((_, response) => {
    response.writeHead(418, {
      "content-type": "text/html",
      "x-why": ["tea", "pot"],
      "set-cookie": ["a=1", "b=2"],
      "x-hidden": "1",
    });
    response.end("<p>no</p>");
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const { port } = provider.address() as AddressInfo;
  both = await startBothServices({
    "policies.yaml": documents(port),
    "policy.rego": rego,
  });
}, 60_000);
afterAll(async () => {
  await both?.stop();
  provider?.close();
});

const invalidToken = (path: string): string =>
  `Bearer realm="http://a.example${path}", error="invalid_token"`;

interface Case {
  readonly name: string;
  readonly asked: Described;
  /** Sent before, each by the protocol that it is about. */
  readonly before?: number;
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
}

const ofRego = {
  "content-type": ["text/x-own"],
  "x-why": ["one", "two"],
  "set-cookie": ["a=1", "b=2"],
  "x-empty": [""],
};

const cases: readonly Case[] = [
  { name: "a DENY policy", asked: { path: "/secret" }, status: 403, body: "RBAC: access denied" },
  {
    name: "no ALLOW policy that matches",
    asked: { path: "/elsewhere" },
    status: 403,
    body: "RBAC: access denied",
  },
  {
    name: "a request that may be read in two ways",
    asked: { path: "/a//b" },
    status: 403,
    body: "RBAC: access denied",
  },
  {
    name: "a token that is none",
    asked: { path: "/x?y=1", headers: [bearer("nonsense")] },
    status: 401,
    body: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
    headers: { "www-authenticate": [invalidToken("/x?y=1")] },
  },
  {
    name: "a token that is over",
    asked: { headers: [bearer(signer.token({ aud: "shop", exp: nowSeconds - 3600 }))] },
    status: 401,
    body: "Jwt is expired",
    headers: { "www-authenticate": [invalidToken("/")] },
  },
  {
    name: "a token for somebody else",
    asked: { headers: [bearer(signer.token({ aud: "other" }))] },
    status: 403,
    body: "Audiences in Jwt are not allowed",
    headers: { "www-authenticate": [invalidToken("/")] },
  },
  {
    name: "a provider's own answer",
    asked: { path: "/web" },
    status: 418,
    body: "<p>no</p>",
    headers: { "content-type": ["text/html"], "x-why": ["tea", "pot"], "set-cookie": ["a=1", "b=2"] },
  },
  { name: "a provider that cannot be reached", asked: { path: "/gone" }, status: 503, body: "" },
  {
    name: "a provider that nobody knows",
    asked: { path: "/nobody" },
    status: 403,
    body: "RBAC: access denied",
  },
  {
    name: "Rego as a provider, with status, headers and body",
    asked: { path: "/rego" },
    status: 404,
    body: "there is nothing here\n",
    headers: ofRego,
  },
  {
    name: "Rego, with status, headers and body",
    asked: { path: "/own" },
    status: 404,
    body: "there is nothing here\n",
    headers: ofRego,
  },
  {
    name: "Rego, to somewhere else",
    asked: { path: "/moved" },
    status: 302,
    body: "",
    headers: { location: ["/shop"] },
  },
  { name: "Rego, plainly", asked: { path: "/plain" }, status: 403, body: "" },
  {
    name: "Rego, with a header that cannot be sent",
    asked: { path: "/bad-header" },
    status: 500,
    body: "",
  },
  { name: "Rego without an answer", asked: { path: "/no-answer" }, status: 500, body: "" },
  {
    name: "a quota that is used up",
    asked: { path: "/limited" },
    before: 1,
    status: 429,
    body: "",
    headers: {
      "ratelimit-policy": ['"few";q=1;w=60'],
      ratelimit: ['"few";r=0;t=60'],
      "retry-after": ["60"],
    },
  },
];

/** Each protocol has callers of its own, so that neither counts for the other. */
const by = (who: string, { headers = [], ...asked }: Described): Described => ({
  ...asked,
  headers: [...headers, ["x-who", who]],
});

describe("the answer to a client is the same on ext_authz and ext_proc:", () => {
  it.each(cases)("$name", async ({ name, asked, before = 0, status, body, headers = {} }) => {
    const said: unknown[] = [];
    for (const via of ["authz", "proc"] as const) {
      const described = by(`${via} ${name}`, asked);
      for (let i = 0; i < before; i += 1) expect((await both[via](described)).denial).toBeUndefined();
      const { denial, metadata } = await both[via](described);
      expect(metadata["gatehouse"]).toMatchObject({ allowed: false, code: denial?.grpcStatus });
      said.push(denial);
    }
    expect(said[1]).toEqual(said[0]);
    expect(said[0]).toMatchObject({ status, body, headers });
  });

  it("Rego that is asked with the body, by a BodyPolicy", async () => {
    const headers = [["content-type", "application/json"]] as const;
    const order: Described = { method: "POST", path: "/orders", headers };
    const authz = await both.authz({ path: "/own" });
    expect((await both.proc(order, { body: '{"hide": false}' })).denial).toBeUndefined();
    const proc = await both.proc(order, { body: '{"hide": true}' });
    expect(proc.denial).toEqual(authz.denial);
    expect(proc.metadata["gatehouse"]).toMatchObject({ allowed: false, stage: "body" });
  });

  it("a configuration that is none", async () => {
    const broken = await startBothServices({ "policies.yaml": "kind: Nothing" }, { allowInvalidStart: true });
    try {
      const [authz, proc] = [await broken.authz({}), await broken.proc({})];
      expect(proc.denial).toEqual(authz.denial);
      expect(authz.denial).toEqual({ status: 500, grpcStatus: 13, headers: {}, body: "" });
    } finally {
      await broken.stop();
    }
  });
});
