import type { StringMatcher } from "../../matchers/index.js";
import type { Principal } from "../../rbac/index.js";
import type { Protocol } from "../translate.js";
import { expandPrincipals, type TrustDomains } from "../trust-domain.js";
import { cidr, headerMatcher, namespaceRegex, stringMatcher } from "../values.js";
import { claimPrincipal, requestPrincipal } from "./claim.js";
import type { Subject } from "./model.js";
import { legacyString } from "./string.js";

/** A subject as an Envoy principal. Undefined when it cannot be asked on the protocol. */
export function toPrincipal(
  subject: Subject,
  protocol: Protocol,
  trustDomains: TrustDomains,
): Principal | undefined {
  if (protocol === "tcp" && isHttpOnly(subject)) return undefined;
  const users = subject.user === "" ? [] : expandPrincipals([subject.user], trustDomains);
  const group = (value: string): Principal => claimPrincipal(["groups"], value);
  const namespace = (value: string): Principal => named({ safeRegex: { regex: namespaceRegex(value) } });
  const ip = (value: string): Principal => ({ directRemoteIp: cidr(value) });
  const ids = [
    ...some(users, principal),
    ...some(subject.names, principal),
    ...none(subject.notNames, principal),
    ...some(subject.group === "" ? [] : [subject.group], group),
    ...some(subject.groups, group),
    ...none(subject.notGroups, group),
    ...some(subject.namespaces, namespace),
    ...none(subject.notNamespaces, namespace),
    ...some(subject.ips, ip),
    ...none(subject.notIps, ip),
    ...[...subject.properties]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => toProperty(key, value, protocol, trustDomains)),
  ];
  return { andIds: { ids: ids.length === 0 ? [{ notId: { any: true } }] : ids } };
}

function isHttpOnly({ group, groups, notGroups, properties }: Subject): boolean {
  if (group !== "" || groups.length + notGroups.length > 0) return true;
  return properties.some(([key]) => key.startsWith("request.") || key === "source.user");
}

function some(values: readonly string[], one: (value: string) => Principal): Principal[] {
  return values.length === 0 ? [] : [{ orIds: { ids: values.map(one) } }];
}

function none(values: readonly string[], one: (value: string) => Principal): Principal[] {
  return values.length === 0 ? [] : [{ notId: { orIds: { ids: values.map(one) } } }];
}

function named(principalName: StringMatcher): Principal {
  return { authenticated: { principalName } };
}

/** `user`, `names` and the property `source.principal`. */
function principal(value: string): Principal {
  if (value === "*" || value === "allUsers") return { any: true };
  return identity(value === "allAuthenticatedUsers" ? "*" : value);
}

/** Any identity under SPIFFE for `*`: legacy `source.principal` existed for those only. */
function identity(value: string): Principal {
  return named(value === "*" ? { prefix: "spiffe://" } : stringMatcher(value, "spiffe://"));
}

function toProperty(key: string, value: string, protocol: Protocol, trustDomains: TrustDomains): Principal {
  if (key === "source.ip") return { directRemoteIp: cidr(value) };
  if (key === "source.namespace") return named({ safeRegex: { regex: namespaceRegex(value) } });
  if (key === "source.principal") {
    const ids = expandPrincipals([value], trustDomains).map(principal);
    return ids.length === 1 && ids[0] !== undefined ? ids[0] : { orIds: { ids } };
  }
  if (key === "source.user") return identity(value);
  if (key === "request.auth.principal") return requestPrincipal(value);
  if (key === "request.auth.audiences") return claimPrincipal(["aud"], value);
  if (key === "request.auth.presenter") return claimPrincipal(["azp"], value);
  const name = key.slice(key.indexOf("[") + 1, -1);
  if (key.startsWith("request.headers[")) return { header: headerMatcher(name, value) };
  if (key.startsWith("request.auth.claims[")) return claimPrincipal([name], value);
  const filter = protocol === "http" ? "envoy.filters.http.rbac" : "envoy.filters.network.rbac";
  return { metadata: { filter, path: [{ key }], value: { stringMatch: legacyString(value) } } };
}
