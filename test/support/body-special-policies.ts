/** What a BodyPolicy does that acts where `x-policy` has its name. */
const specs = {
  heads: `response: {headers: [
    {operation: set, name: x-checked, value: "'yes'"},
    {operation: remove, name: x-remove},
    {operation: set, name: x-given, value: "'***'", when: "'x-given' in response.headers"}]}`,
  masked:
    "response: {body: {delivery: whole, detect: [{pattern: abc, maxLength: 3, name: letters, action: redact}]}}",
  streamed:
    "response: {body: {delivery: streamed, detect: [{pattern: abc, maxLength: 3, name: letters, action: redact}]}}",
  closed: `response: {body: {delivery: whole, rules: [{deny: "response.code != 299", status: 451, body: closed}]}}`,
  orders: `request: {body: {maxBytes: 1KiB, onLimit: deny, rules: [{deny: request.body.total > 1000}]}}`,
  errors: `response: {replaceErrors: [
    {codes: 4xx, body: '{"error":"client"}', contentType: application/json},
    {codes: 5xx, body: '{"error":"internal"}', contentType: application/json}]}`,
};

/** One of them, or `none`. */
export type SpecialPolicy = keyof typeof specs | "none";

/** All of them, and one that refuses `/secret`. */
export const specialPolicies: string = [
  `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: bookshop}
spec: {action: DENY, rules: [{to: [{operation: {paths: ["/secret*"]}}]}]}`,
  ...Object.entries(specs).map(
    ([name, spec]) => `
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: ${name}, namespace: bookshop}
spec: {match: "request.headers['x-policy'] == '${name}'", ${spec}}`,
  ),
].join("\n---\n");
