/** Configuration that has one BodyPolicy for each thing that they do, by path. */
export function bodyPolicies(issuer: string, jwks: string): string {
  return [
    istio(issuer, jwks),
    bodyPolicy("orders-rules", "/r/", requestRules),
    ...Object.entries(byPath).map(([path, spec]) =>
      bodyPolicy(path.replaceAll("/", "-").replace(/^-|-$/g, ""), path, spec),
    ),
    obliged,
    quota("limited", `limit: 2, dimensions: {user: "request.headers['x-user']"}`),
    quota("twice", `limit: 4, dimensions: {user: "request.headers['x-user']"}`),
    quota("tokens", `limit: 100, cost: "0", dimensions: {user: "request.headers['x-user']"}`),
  ].join("\n---\n");
}

const istio = (issuer: string, jwks: string): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
spec: {quotaHeaders: rateLimit}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: users, namespace: bookshop}
spec: {jwtRules: [{issuer: "${issuer}", jwks: '${jwks}'}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: bookshop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/secret]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: with-token, namespace: bookshop}
spec: {action: DENY, rules: [{from: [{source: {notRequestPrincipals: ["*"]}}], to: [{operation: {paths: [/mine]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: not-loopback, namespace: bookshop}
spec: {action: DENY, rules: [{from: [{source: {ipBlocks: [127.0.0.0/8]}}], to: [{operation: {paths: [/not-loopback]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: not-from-there, namespace: bookshop}
spec: {action: DENY, rules: [{from: [{source: {ipBlocks: [198.51.100.0/24]}}], to: [{operation: {paths: [/not-from-there]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: obliging
  namespace: bookshop
  annotations: {gatehouse.dev/obligations: masked-by-duty}
spec: {action: AUDIT, rules: [{to: [{operation: {paths: [/obliged*]}}]}]}
---
apiVersion: gatehouse.dev/v1alpha1
kind: RegoPolicy
metadata: {name: rules, namespace: bookshop}
spec:
  selector: {matchLabels: {app: orders}}
  timeout: 5s
  entrypoint: envoy/authz/result
  modules:
    policy.rego: |
      package envoy.authz
      path := input.attributes.request.http.path
      duty := ["masked-by-duty"] if path == "/orders/dutiful" else := []
      result := {
        "allowed": path != "/orders/closed",
        "dynamic_metadata": {"obligations": duty},
      }`;

/** Of a BodyPolicy in the namespace of the bootstraps, for paths that begin so. */
const bodyPolicy = (name: string, path: string, spec: string): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: ${name}, namespace: bookshop}
spec: {match: request.url_path.startsWith('${path}'), ${spec}}`;

const quota = (name: string, spec: string): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: ${name}, namespace: bookshop}
spec: {match: "request.url_path.startsWith('/${name}')", window: 1d, ${spec}}`;

const requestRules = `request: {headers: [{operation: set, name: x-checked, value: "'yes'"}]}`;

const obliged = `
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: masked-by-duty, namespace: bookshop}
spec: {obligationOnly: true, response: {body: {delivery: whole, fields: [{path: $.card, action: mask, keepLast: 4}]}}}`;

const cards = "[{detector: paymentCard, action: redact}]";

const byPath: Readonly<Record<string, string>> = {
  "/r/size": "request: {body: {maxBytes: 1KiB, onLimit: deny}}",
  "/r/type": "request: {body: {contentTypes: [application/json]}}",
  "/r/schema":
    "request: {body: {json: {schema: {type: object, required: [id], properties: {id: {type: integer}}}}}}",
  "/r/depth": "request: {body: {json: {maxDepth: 3}}}",
  "/r/cel": "request: {body: {rules: [{deny: request.body.total > 1000, status: 409, body: too much}]}}",
  "/r/change": "request: {body: {rules: [{set: $.source, value: \"'gateway'\"}, {remove: $.internal}]}}",
  "/customers":
    "hashKeyFile: redaction.key, response: {body: {delivery: whole, fields: [{path: $.card, action: mask, keepLast: 4, when: \"!('support' in request.auth.claims.roles)\"}, {path: $.internal, action: remove}, {path: $.email, action: hash}]}}",
  "/d/": `response: {body: {delivery: streamed, detect: ${cards}}}`,
  "/no-cards/whole": "response: {body: {delivery: whole, detect: [{detector: paymentCard, action: deny}]}}",
  "/no-cards/streamed":
    "response: {body: {delivery: streamed, detect: [{detector: paymentCard, action: deny}]}}",
  "/errors":
    'response: {headers: [{operation: remove, name: x-powered-by}, {operation: set, name: x-frame-options, value: "\'DENY\'"}], replaceErrors: [{codes: 5xx, body: \'{"error":"internal"}\', contentType: application/json}]}',
  "/encoded": "response: {body: {delivery: whole, fields: [{path: $.card, action: mask, keepLast: 4}]}}",
  "/compressed": `response: {body: {delivery: streamed, detect: ${cards}}}`,
  "/tokens": "usage: {quota: tokens, field: $.usage.total_tokens}",
};
