import type { Attributes } from "../attributes/index.js";
import {
  all,
  always,
  any,
  compileCidr,
  compileHeader,
  compileMetadata,
  compilePathTemplate,
  compileString,
  type HeaderMatcher,
  type MetadataMatcher,
  never,
  not,
  type PathMatcher,
  type Predicate,
} from "../matchers/index.js";
import type { Permission, Principal, RbacPolicy, SourcedMetadata } from "./model.js";

type Condition = Predicate<Attributes>;

/** Metadata in this namespace is what stage 3 verified, never what the wire says. */
export const jwtFilter = "envoy.filters.http.jwt_authn";

/**
 * One RBAC policy as a predicate: some permission and some principal match. Cheap conditions do not go first:
 * order is the author's. Throws when a regex or template is one that Envoy would not load; parsers have
 * refused those before.
 */
export function compileRbacPolicy(policy: RbacPolicy): Condition {
  return all([any(policy.permissions.map(compilePermission)), any(policy.principals.map(compilePrincipal))]);
}

/**
 * What is asked for, as a predicate. HTTP conditions hold for no TCP connection. Throws as
 * `compileRbacPolicy` does.
 */
export function compilePermission(permission: Permission): Condition {
  if ("any" in permission) return permission.any ? always : never;
  if ("andRules" in permission) return all(permission.andRules.rules.map(compilePermission));
  if ("orRules" in permission) return any(permission.orRules.rules.map(compilePermission));
  if ("notRule" in permission) return not(compilePermission(permission.notRule));
  if ("header" in permission) return compileHeaders(permission.header);
  if ("urlPath" in permission) return compileUrlPath(permission.urlPath);
  if ("uriTemplate" in permission) {
    const matches = compilePathTemplate(permission.uriTemplate.typedConfig.pathTemplate);
    return ({ request }) => request !== undefined && matches(request.urlPath);
  }
  if ("destinationIp" in permission) {
    const contains = compileCidr(permission.destinationIp);
    return ({ destination, unsent }) => {
      if (unsent?.destination !== undefined) throw unsent.destination;
      return contains(destination.ip);
    };
  }
  if ("destinationPort" in permission) {
    const port = permission.destinationPort;
    return ({ destination, unsent }) => {
      if (unsent?.destination !== undefined) throw unsent.destination;
      return destination.port === port;
    };
  }
  if ("destinationPortRange" in permission) {
    const { start, end } = permission.destinationPortRange;
    return ({ destination, unsent }) => {
      if (unsent?.destination !== undefined) throw unsent.destination;
      return destination.port >= start && destination.port < end;
    };
  }
  if ("requestedServerName" in permission) {
    const matches = compileString(permission.requestedServerName);
    return ({ sni, unsent }) => {
      if (unsent?.sni !== undefined) throw unsent.sni;
      return matches(sni);
    };
  }
  if ("metadata" in permission) return compileDynamicMetadata(permission.metadata);
  return compileSourcedMetadata(permission.sourcedMetadata);
}

/** Who asks, as a predicate. Throws as `compileRbacPolicy` does. */
export function compilePrincipal(principal: Principal): Condition {
  if ("any" in principal) return principal.any ? always : never;
  if ("andIds" in principal) return all(principal.andIds.ids.map(compilePrincipal));
  if ("orIds" in principal) return any(principal.orIds.ids.map(compilePrincipal));
  if ("notId" in principal) return not(compilePrincipal(principal.notId));
  if ("authenticated" in principal) {
    const name = principal.authenticated.principalName;
    if (name === undefined) {
      return ({ tls, unsent }) => {
        if (unsent?.identity !== undefined) throw unsent.identity;
        return tls;
      };
    }
    const matches = compileString(name);
    // Over TLS without a client certificate Envoy compares with an empty subject.
    const anonymous = matches("");
    return ({ identity, tls, unsent }) => {
      if (unsent?.identity !== undefined) throw unsent.identity;
      return identity === undefined ? tls && anonymous : identity.names.some(matches);
    };
  }
  if ("sourceIp" in principal || "directRemoteIp" in principal) {
    const contains = compileCidr("sourceIp" in principal ? principal.sourceIp : principal.directRemoteIp);
    return ({ source, unsent }) => {
      if (unsent?.peer !== undefined) throw unsent.peer;
      return contains(source.ip);
    };
  }
  if ("remoteIp" in principal) {
    const contains = compileCidr(principal.remoteIp);
    return ({ remoteIp, unsent }) => {
      if (remoteIp === undefined && unsent?.peer !== undefined) throw unsent.peer;
      return contains(remoteIp);
    };
  }
  if ("header" in principal) return compileHeaders(principal.header);
  if ("urlPath" in principal) return compileUrlPath(principal.urlPath);
  if ("metadata" in principal) return compileDynamicMetadata(principal.metadata);
  return compileSourcedMetadata(principal.sourcedMetadata);
}

const noHeaders: ReadonlyMap<string, readonly string[]> = new Map();

function compileHeaders(matcher: HeaderMatcher): Condition {
  const matches = compileHeader(matcher);
  return ({ request }) => matches(request?.headers ?? noHeaders);
}

/** A request without a path, a CONNECT, has none that could match, as in Envoy: not even `.*` does. */
function compileUrlPath(matcher: PathMatcher): Condition {
  const matches = compileString(matcher.path);
  return ({ request }) => request !== undefined && request.path !== "" && matches(request.urlPath);
}

function compileDynamicMetadata(matcher: MetadataMatcher): Condition {
  const matches = compileMetadata(matcher);
  const { filter } = matcher;
  if (filter === jwtFilter)
    return ({ auth }) => matches(auth === undefined ? undefined : { payload: auth.payload });
  return ({ metadata }) => matches(metadata(filter));
}

function compileSourcedMetadata({ metadataMatcher, metadataSource }: SourcedMetadata): Condition {
  if (metadataSource !== "ROUTE") return compileDynamicMetadata(metadataMatcher);
  const matches = compileMetadata(metadataMatcher);
  return ({ routeMetadata }) => matches(routeMetadata(metadataMatcher.filter));
}
