import type { ConfigUpdate, Resource } from "../config/index.js";
import type { AuthorizationPolicy, LegacyResource } from "../istio/index.js";

/** An AuthorizationPolicy and the document that it was written in. */
export interface WrittenPolicy {
  readonly policy: AuthorizationPolicy;
  readonly resource: Resource;
}

/** Every AuthorizationPolicy of a whole configuration, those that the early form stands for included. */
export function writtenPolicies({ upserts }: ConfigUpdate): WrittenPolicy[] {
  return upserts.flatMap((resource) => policiesOf(resource).map((policy) => ({ policy, resource })));
}

function policiesOf({ id, spec }: Resource): readonly AuthorizationPolicy[] {
  if (id.startsWith("security.istio.io/AuthorizationPolicy/")) return [spec as AuthorizationPolicy];
  if (!id.startsWith("rbac.istio.io/AuthorizationPolicy/")) return [];
  const legacy = spec as LegacyResource;
  return legacy.kind === "AuthorizationPolicy" ? legacy.policies : [];
}
