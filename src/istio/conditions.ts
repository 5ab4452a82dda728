import type { Permission, Principal } from "../rbac/index.js";
import { anyValue, claimIn, nestedKeys, requestPrincipal } from "./claims.js";
import { expandPrincipals, expandTrustDomains, type TrustDomains } from "./trust-domain.js";
import {
  cidr,
  headerMatcher,
  isPathTemplate,
  listOrText,
  namespaceRegex,
  serviceAccountRegex,
  stringMatcher,
  trustDomainMatcher,
  uriTemplate,
} from "./values.js";

/** What a translation needs to know beside the values. */
export interface Context {
  /** The policy's own namespace. */
  readonly namespace: string;
  readonly trustDomains: TrustDomains;
}

/** How one attribute's values become a node that holds when some value matches. */
interface Generator<Node> {
  /** Has no meaning on TCP. */
  readonly httpOnly: boolean;
  readonly node: (values: readonly string[], context: Context) => Node;
}

/** Makes what is asked for. */
export type PermissionGenerator = Generator<Permission>;
/** Makes who asks. */
export type PrincipalGenerator = Generator<Principal>;

function permissions(httpOnly: boolean, one: (value: string) => Permission): PermissionGenerator {
  return { httpOnly, node: (values) => ({ orRules: { rules: values.map(one) } }) };
}

function principals(
  httpOnly: boolean,
  one: (value: string, context: Context) => Principal,
): PrincipalGenerator {
  return { httpOnly, node: (values, context) => ({ orIds: { ids: values.map((v) => one(v, context)) } }) };
}

/** Any SAN or the subject of the client certificate. */
function named(principalName: ReturnType<typeof stringMatcher>): Principal {
  return { authenticated: { principalName } };
}

/** The fields of `to[].operation` and the permission keys of `when`. */
export const hosts: PermissionGenerator = permissions(true, (v) => ({
  header: headerMatcher(":authority", v, true),
}));
/** By `:method`, with case. */
export const methods: PermissionGenerator = permissions(true, (v) => ({
  header: headerMatcher(":method", v),
}));
/** By the path without its query: a path template, or a string with at most one star at an end. */
export const paths: PermissionGenerator = permissions(true, (v) =>
  isPathTemplate(v) ? { uriTemplate: uriTemplate(v) } : { urlPath: { path: stringMatcher(v) } },
);
/** By the port of the listener's own address. */
export const ports: PermissionGenerator = permissions(false, (v) => ({ destinationPort: Number(v) }));
const destinationIp = permissions(false, (v) => ({ destinationIp: cidr(v) }));
const sni = permissions(false, (v) => ({ requestedServerName: stringMatcher(v) }));

/** The fields of `from[].source` and the principal keys of `when`. */
export const sourcePrincipals: PrincipalGenerator = {
  httpOnly: false,
  node: (values, { trustDomains }) => ({
    orIds: { ids: expandPrincipals(values, trustDomains).map((v) => named(stringMatcher(v, "spiffe://"))) },
  }),
};
/** By issuer and subject of the verified token. */
export const requestPrincipals: PrincipalGenerator = { httpOnly: true, node: requestPrincipal };
/** By a service account, of the policy's namespace where the value names none. */
export const serviceAccounts: PrincipalGenerator = principals(false, (v, { namespace }) =>
  named({ safeRegex: { regex: serviceAccountRegex(v, namespace) } }),
);
/** By the trust domain of the caller's SPIFFE id. */
export const trustDomains: PrincipalGenerator = {
  httpOnly: false,
  node: (values, context) => ({
    orIds: { ids: expandTrustDomains(values, context.trustDomains).map((v) => named(trustDomainMatcher(v))) },
  }),
};
/** By the namespace of the caller's SPIFFE id. */
export const namespaces: PrincipalGenerator = principals(false, (v) =>
  named({ safeRegex: { regex: namespaceRegex(v) } }),
);
/** By the client's address as X-Forwarded-For gives it. */
export const remoteIpBlocks: PrincipalGenerator = principals(false, (v) => ({ remoteIp: cidr(v) }));
/** By the address of the TCP peer. */
export const ipBlocks: PrincipalGenerator = principals(false, (v) => ({ directRemoteIp: cidr(v) }));

/** A key of `when`, on the side where Istio puts it; `unusable` keys pass validation and mean nothing. */
export type KeyGenerator =
  | { readonly side: "permission"; readonly generator: PermissionGenerator }
  | { readonly side: "principal"; readonly generator: PrincipalGenerator }
  | { readonly side: "unusable" };

const permissionKeys: ReadonlyMap<string, PermissionGenerator> = new Map([
  ["destination.ip", destinationIp],
  ["destination.port", ports],
  ["connection.sni", sni],
]);

const principalKeys: ReadonlyMap<string, PrincipalGenerator> = new Map([
  ["source.ip", ipBlocks],
  ["remote.ip", remoteIpBlocks],
  ["source.namespace", namespaces],
  ["source.trustDomain", trustDomains],
  ["source.serviceAccount", serviceAccounts],
  ["source.principal", sourcePrincipals],
  ["request.auth.principal", requestPrincipals],
  ["request.auth.audiences", claims(["aud"])],
  ["request.auth.presenter", claims(["azp"])],
]);

/** The generator of a `when` key. INVARIANT: validation has refused keys that Istio does not know. */
export function keyGenerator(key: string): KeyGenerator {
  const permission = permissionKeys.get(key);
  if (permission !== undefined) return { side: "permission", generator: permission };
  const principal = principalKeys.get(key);
  if (principal !== undefined) return { side: "principal", generator: principal };
  if (key.startsWith("experimental.envoy.filters."))
    return { side: "permission", generator: filterMetadata(key) };
  const header = bracketed(key, "request.headers");
  if (header !== undefined) {
    const name = header.slice(1, -1);
    return { side: "principal", generator: principals(true, (v) => ({ header: headerMatcher(name, v) })) };
  }
  const claim = bracketed(key, "request.auth.claims");
  if (claim !== undefined) return { side: "principal", generator: claims(nestedKeys(claim)) };
  return { side: "unusable" };
}

function claims(path: readonly string[]): PrincipalGenerator {
  return { httpOnly: true, node: (values) => claimIn(path, values) };
}

/** What follows `prefix` when that is `[…]`. */
function bracketed(key: string, prefix: string): string | undefined {
  const rest = key.slice(prefix.length);
  return key.startsWith(prefix) && rest.startsWith("[") && rest.endsWith("]") ? rest : undefined;
}

/** `experimental.envoy.filters.NS[key]`. */
function filterMetadata(key: string): PermissionGenerator {
  const open = key.indexOf("[");
  const filter = key.slice("experimental.".length, open);
  const path = [{ key: key.slice(open + 1, -1) }];
  return {
    httpOnly: false,
    node: (values) => ({
      metadata: {
        filter,
        path,
        value: anyValue(values.map((v) => listOrText(v, stringMatcher))),
      },
    }),
  };
}
