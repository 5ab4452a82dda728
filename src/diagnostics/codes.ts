import { bodyCodes } from "./codes-body.js";
import { doctorCodes } from "./codes-doctor.js";
import { logCodes } from "./codes-logs.js";
import { obligationCodes } from "./codes-obligations.js";
import { quotaCodes } from "./codes-quota.js";
import { telemetryCodes } from "./codes-telemetry.js";

/** How bad a finding is: an error keeps the last good configuration, a warning does not. */
export type Severity = "error" | "warning";

/** One row of the table of codes. A code is never reused and never changes its meaning. */
export interface Code {
  readonly code: string;
  readonly severity: Severity;
  /** What is wrong, in a few words; the heading in `docs/diagnostics.md`. */
  readonly title: string;
  /** Why it matters and what to do, for the reader of `docs/diagnostics.md`. */
  readonly help: string;
}

const others = {
  yamlSyntax: {
    code: "GH0001",
    severity: "error",
    title: "document is not valid YAML",
    help: "The document could not be parsed. Nothing of this load is used until it is mended.",
  },
  sourceUnreadable: {
    code: "GH0002",
    severity: "error",
    title: "configuration path cannot be read",
    help: "The path given by `--config` is missing, unreadable or not a YAML or JSON file or folder.",
  },
  sourceEmpty: {
    code: "GH0003",
    severity: "error",
    title: "no document found",
    help: "A configuration path holds no document at all. An empty folder is more often a mistake than a wish: say `--allow-empty` if it is one.",
  },
  sourceOutside: {
    code: "GH0004",
    severity: "error",
    title: "file lies outside its root",
    help: "After resolving symbolic links, every file must lie under the configuration path that led to it.",
  },
  fileTooLarge: {
    code: "GH0005",
    severity: "error",
    title: "file is too large",
    help: "A file of more than 64 MiB is hardly a configuration. Cut it into several.",
  },
  referenceUnreadable: {
    code: "GH0006",
    severity: "error",
    title: "named file cannot be used",
    help: "A document names a file that is missing, unreadable, no regular file, no UTF-8 text or larger than 1 MiB. Names are relative to the document's own file.",
  },
  referenceOutside: {
    code: "GH0007",
    severity: "error",
    title: "named file lies outside the document's root",
    help: "After resolving symbolic links, a file that a document names must lie under the configuration path that led to the document; where that path is a single file, under its folder.",
  },
  variableMissing: {
    code: "GH0008",
    severity: "error",
    title: "environment variable is not set",
    help: "A document names a variable that the process's environment does not have, or has without a value. The environment is read when the process starts.",
  },
  referencedDocument: {
    code: "GH0009",
    severity: "error",
    title: "named file holds a document",
    help: "A file that a document names is a text of its own (keys, a secret) and not read as documents; but this one holds a resource, which would silently not be loaded. Take it out of that file, or name another file.",
  },
  notAnObject: {
    code: "GH0010",
    severity: "error",
    title: "document is not a resource",
    help: "A resource is a mapping with `apiVersion`, `kind`, `metadata` and `spec`.",
  },
  missingKind: {
    code: "GH0011",
    severity: "error",
    title: "apiVersion or kind is missing",
    help: "Every document needs `apiVersion` and `kind`; without them nobody can tell what it means.",
  },
  unknownKind: {
    code: "GH0012",
    severity: "error",
    title: "unknown kind or version",
    help: "The API group is served here, but it has no such kind or version. A policy that is not understood must not be dropped silently.",
  },
  kindWithoutEffect: {
    code: "GH0013",
    severity: "warning",
    title: "kind has no effect here",
    help: "An Istio kind that Gatehouse does not act on. It may stay where it is.",
  },
  foreignGroup: {
    code: "GH0014",
    severity: "warning",
    title: "document of another API group skipped",
    help: "The API group is not one that Gatehouse serves.",
  },
  duplicateResource: {
    code: "GH0015",
    severity: "error",
    title: "resource defined twice",
    help: "Group, kind, namespace and name identify a resource; v1 and v1beta1 are the same. Rename or remove one.",
  },
  duplicateKey: {
    code: "GH0016",
    severity: "warning",
    title: "key given twice",
    help: "The same key stands twice in one mapping. As in Kubernetes the last one counts; the first is without effect.",
  },
  unknownField: {
    code: "GH0101",
    severity: "error",
    title: "unknown field",
    help: "A field that the kind does not have. It might have narrowed the policy, so the policy is not loaded without it.",
  },
  wrongType: {
    code: "GH0102",
    severity: "error",
    title: "value has the wrong type",
    help: "Note that YAML reads bare `80`, `yes`, `no`, `on`, `off`, `y` and `n` as numbers or booleans: put strings in quotes.",
  },
  wrongEnum: {
    code: "GH0103",
    severity: "error",
    title: "value is not one of the allowed ones",
    help: "Enum values are case-sensitive.",
  },
  missingField: {
    code: "GH0104",
    severity: "error",
    title: "required field is missing",
    help: "The field has no default and must be given.",
  },
  emptyValue: {
    code: "GH0105",
    severity: "error",
    title: "empty value",
    help: "An empty string or an empty object where a value is needed.",
  },
  tooMany: {
    code: "GH0106",
    severity: "error",
    title: "too many or too long",
    help: "The list or string is longer than its kind allows.",
  },
  invalidName: {
    code: "GH0107",
    severity: "error",
    title: "invalid name",
    help: "A name that Kubernetes or Envoy would not accept.",
  },
  invalidValue: {
    code: "GH0108",
    severity: "error",
    title: "invalid value",
    help: "The value cannot be read as what the field means.",
  },
  conflictingFields: {
    code: "GH0201",
    severity: "error",
    title: "fields exclude each other",
    help: "Two fields are set of which only one may be.",
  },
  neverTriggered: {
    code: "GH0202",
    severity: "error",
    title: "policy without rules never acts",
    help: "A DENY or CUSTOM policy without rules matches nothing. Write one empty rule, `rules: [{}]`, to match every request.",
  },
  customNeedsIdentity: {
    code: "GH0203",
    severity: "error",
    title: "CUSTOM rule asks for the caller's identity",
    help: "As in Istio, CUSTOM rules run before the caller is known. Set `customSeesIdentity: true` in the Mesh to verify the caller first; then these fields are allowed.",
  },
  unknownAttribute: {
    code: "GH0204",
    severity: "error",
    title: "unknown condition key",
    help: "The `key` of a condition is not an attribute that conditions can ask for.",
  },
  envoyRefuses: {
    code: "GH0205",
    severity: "error",
    title: "Envoy would not load this",
    help: "Istio accepts the value, but a real Envoy refuses the configuration made from it, or ends. It is refused here before that.",
  },
  selectorWithoutLabels: {
    code: "GH0206",
    severity: "warning",
    title: "selector without labels",
    help: "A selector without labels selects every workload, as if there were none.",
  },
  deniesAllTcp: {
    code: "GH0207",
    severity: "warning",
    title: "DENY rule closes all TCP ports",
    help: "On TCP the HTTP conditions of a DENY rule are dropped, so that the rest denies every connection. Name the ports that are meant.",
  },
  conditionWithoutEffect: {
    code: "GH0208",
    severity: "warning",
    title: "condition means nothing",
    help: "Istio accepts the key but can make nothing of it: an ALLOW rule with it never matches, other rules ignore the condition.",
  },
  keyProblem: {
    code: "GH0209",
    severity: "warning",
    title: "key of a JWKS cannot be used, or says too much",
    help: "A key that cannot be used is left out: tokens that it signed are refused. Of a private key only the public part is used; the private part does not belong into a configuration, since whoever can read it can sign tokens.",
  },
  symmetricKey: {
    code: "GH0210",
    severity: "warning",
    title: "JWKS with a symmetric key",
    help: "A symmetric key (`kty: oct`) verifies tokens of HS256, HS384 and HS512, and signs them as well: whoever can read the configuration can be anybody. Prefer an issuer with public keys.",
  },
  everyTokenRefused: {
    code: "GH0211",
    severity: "warning",
    title: "every token of an issuer is refused",
    help: "There is no key to verify its tokens with, and none can come: the JWKS has no usable key, or there is none and the issuer is no URL at which OpenID Connect discovery could find it. Requests without a token go on.",
  },
  presenceWithoutEffect: {
    code: "GH0212",
    severity: "warning",
    title: "presence: REQUIRED has no effect",
    help: "The field is in Istio's API, but Istio does not act on it: a request without a token goes on as anonymous. The message shows the AuthorizationPolicy that refuses it.",
  },
  headerNotSet: {
    code: "GH0213",
    severity: "warning",
    title: "header cannot be set",
    help: "The name is no header's name, or one of a header that belongs to the connection or to the routing (`host`, `connection`, `content-length`, …). The header is left out; the rest of the rule holds.",
  },
  introspectionWithoutClient: {
    code: "GH0214",
    severity: "warning",
    title: "introspection endpoint is asked without credentials",
    help: "RFC 7662 asks authorization servers to know who introspects tokens; most refuse a question without client credentials, and then every token is refused. Name a client by `clientId` and `clientSecretFile` or `clientSecretEnv`.",
  },
  plainTextSecrets: {
    code: "GH0215",
    severity: "warning",
    title: "secrets go over plain HTTP",
    help: "Tokens and client credentials are sent to an endpoint that is neither https nor on the own machine, so whoever sits on the way can read them.",
  },
  badKeyHash: {
    code: "GH0216",
    severity: "error",
    title: "hash of an API key cannot be read",
    help: "The document holds salted hashes as `gatehouse apikey create` writes them, never the keys themselves. A key that stood in a file in clear should be revoked.",
  },
  duplicateKeyId: {
    code: "GH0217",
    severity: "error",
    title: "id of an API key given twice",
    help: "A key is found by its public id, so each id may stand once in a document.",
  },
  tokenStays: {
    code: "GH0218",
    severity: "warning",
    title: "token cannot be removed from its header",
    help: "A rule without `forwardOriginalToken: true` removes the token that it verified, but this header belongs to the connection or to the routing (`host`, a pseudo-header, `connection`, `content-length`, …) and may not be edited. The token is verified and goes on to the upstream.",
  },
  emptyRules: {
    code: "GH0250",
    severity: "warning",
    title: "policy with an empty list of rules never acts",
    help: "A CUSTOM policy with `rules: []` asks its provider nothing. Write one empty rule, `rules: [{}]`, to ask for every request.",
  },
  secondMesh: {
    code: "GH0301",
    severity: "error",
    title: "more than one Mesh",
    help: "A Mesh holds the settings of the whole; there is at most one among all documents.",
  },
  unknownProvider: {
    code: "GH0302",
    severity: "warning",
    title: "CUSTOM policy names an unknown provider",
    help: "No entry of `Mesh.spec.extensionProviders` has this name. As in Istio, every request that the policy matches is refused.",
  },
  providerCannotBeAsked: {
    code: "GH0303",
    severity: "warning",
    title: "extension provider cannot be asked",
    help: "The entry says no address of an authorizer. As in Istio, every request that a CUSTOM policy sends there is refused.",
  },
  duplicateProvider: {
    code: "GH0304",
    severity: "error",
    title: "extension provider given twice",
    help: "CUSTOM policies find a provider by its name, so each name may be given once.",
  },
  clientCertHeadersInPart: {
    code: "GH0306",
    severity: "warning",
    title: "clientCertHeaders has no effect",
    help: "A header is believed only from trusted peers: both `headers` and `trustedPeers` are needed.",
  },
  leftToEnvoy: {
    code: "GH0307",
    severity: "warning",
    title: "RequestAuthentication is not evaluated",
    help: "With `trustEnvoyJwt.enabled` the Mesh takes the payload that Envoy's own jwt_authn filter verified, and the caller is anonymous without one. Rules for tokens belong into that filter then.",
  },
  everybodyTrusted: {
    code: "GH0308",
    severity: "warning",
    title: "every peer may name the caller's certificate",
    help: "A range of all addresses stands among `trustedPeers`, so that whoever reaches Envoy can send a header with somebody else's certificate and be that somebody. Name the proxies that set the header.",
  },
  envoyUnanswerable: {
    code: "GH0401",
    severity: "error",
    title: "RBAC field that a check request cannot answer",
    help: "Envoy can decide this inside itself, but what it needs is not in the check request. The rule would silently never match, so it is refused.",
  },
  oneofRequired: {
    code: "GH0402",
    severity: "error",
    title: "exactly one kind is required",
    help: "A permission, principal or matcher is a protobuf oneof: exactly one of its fields must be set.",
  },
  invalidRegex: {
    code: "GH0403",
    severity: "error",
    title: "invalid regular expression",
    help: "Regular expressions are in RE2 syntax, match the whole value and stay within Envoy's default program size of 100.",
  },
  legacyKind: {
    code: "GH0501",
    severity: "warning",
    title: "legacy kind",
    help: "The kinds of rbac.istio.io/v1alpha1 still work as they did in Istio 1.4. New policies should be AuthorizationPolicy of security.istio.io/v1; one that selects a workload switches the legacy kinds off for it.",
  },
  earlyPolicy: {
    code: "GH0502",
    severity: "warning",
    title: "early form of AuthorizationPolicy",
    help: "The document is read as the AuthorizationPolicy of security.istio.io/v1 that the message shows. Replace it by that.",
  },
  unknownConstraint: {
    code: "GH0503",
    severity: "error",
    title: "unknown constraint or property key",
    help: "Istio logged and ignored such a key, which made the rule wider than written. Here the rule is refused.",
  },
  metadataProperty: {
    code: "GH0504",
    severity: "warning",
    title: "property is read from dynamic metadata",
    help: "A key that is no known property is compared with dynamic metadata of Envoy's RBAC filter, as in Istio; without it the subject matches nobody.",
  },
  regoCompile: {
    code: "GH0601",
    severity: "error",
    title: "Rego module cannot be compiled",
    help: "OPA's own compiler refuses the module; the message is OPA's. `gatehouse rego check` gives the same. Modules are in Rego v1 unless `regoVersion: v0` says otherwise: `if` and `contains` missing is the usual sign of a v0 policy.",
  },
  regoWarning: {
    code: "GH0602",
    severity: "warning",
    title: "OPA warns of a Rego module",
    help: "The module works, and OPA's compiler has something to say about it.",
  },
  regoBuiltin: {
    code: "GH0603",
    severity: "error",
    title: "builtin that cannot be used",
    help: "The policy calls a function that is not there when a request is decided. Nothing may wait for the network then, so `http.send` and DNS are refused at load: put what they would fetch into `data`, into a bundle that is polled, or, for keys of an issuer, the JWKS into `data` or a RequestAuthentication in front.",
  },
  regoData: {
    code: "GH0604",
    severity: "error",
    title: "data document cannot be used",
    help: "Data files of a policy are JSON or YAML and hold a mapping; those of one folder are joined, so no two may give one path two values.",
  },
  regoBundle: {
    code: "GH0605",
    severity: "error",
    title: "bundle cannot be used",
    help: "The bundle file is no OPA bundle, is larger than `maxBytes` when unpacked, or its signature does not verify with `publicKeyFile`. The last good configuration stays in force.",
  },
  regoBundleMissing: {
    code: "GH0606",
    severity: "warning",
    title: "bundle has not arrived",
    help: "The URL has not given the bundle yet. Until it does, the policy refuses what it is asked about, or lets it pass with `failOpen: true`.",
  },
  unsignedBundle: {
    code: "GH0607",
    severity: "warning",
    title: "unsigned bundle over http",
    help: "Whoever stands between the server and the URL can put another policy in its place. Ask by https, or have the bundle signed and name the key with `publicKeyFile`.",
  },
  regoModule: {
    code: "GH0608",
    severity: "error",
    title: "wasm module cannot be used",
    help: "A bundle's compiled policy must come from `opa build -t wasm` with its name section, since evaluation is metered and some of its functions are replaced when it is loaded; and it must answer the entrypoint. A bundle with sources is compiled here and has no such limits.",
  },
  regoCompiler: {
    code: "GH0609",
    severity: "error",
    title: "Rego compiler gave no answer",
    help: "The embedded compiler failed or took longer than its deadline. The log says more; a policy that makes it do so is worth reporting.",
  },
  downloadFailed: {
    code: "GH0611",
    severity: "warning",
    title: "URL could not be fetched",
    help: "The last attempt to fetch what a document names failed. It is tried again at its interval; until then what was fetched before stays in force.",
  },
  bundleRefused: {
    code: "GH0612",
    severity: "warning",
    title: "bundle of a URL cannot be used",
    help: "What the URL gives now is no bundle, too large, not signed as asked, or does not compile; the message says which, with the code that it would have as a file. What it gave before stays in force, and the rest of the configuration goes on. Without an earlier one the policy refuses what it is asked about, or lets it pass with `failOpen: true`.",
  },
  unknownRegoPolicy: {
    code: "GH0610",
    severity: "warning",
    title: "extension provider names an unknown RegoPolicy",
    help: "No RegoPolicy of this namespace and name is loaded. Every request that a CUSTOM policy sends to the provider is refused.",
  },
} as const;

/**
 * Every diagnostic that Gatehouse can give. GH00xx: files and documents; GH01xx: fields; GH02xx: policies;
 * GH03xx: the mesh; GH04xx: Envoy RBAC; GH05xx: legacy kinds; GH06xx: Rego; GH07xx: quotas and
 * expressions; GH08xx: config files of envoyproxy/ratelimit; GH09xx: Telemetry and Metric;
 * GH10xx: logs, sinks and traces; GH11xx: BodyPolicy; GH12xx: `doctor`. `docs/diagnostics.md` is
 * generated from this table.
 * Retired: GH0305 (field has no effect yet).
 */
export const codes: typeof others &
  typeof bodyCodes &
  typeof quotaCodes &
  typeof telemetryCodes &
  typeof logCodes &
  typeof obligationCodes &
  typeof doctorCodes = {
  ...others,
  ...bodyCodes,
  ...quotaCodes,
  ...telemetryCodes,
  ...logCodes,
  ...obligationCodes,
  ...doctorCodes,
};
