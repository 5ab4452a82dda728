import type {
  CidrRange,
  HeaderMatcher,
  Int32Range,
  MetadataMatcher,
  PathMatcher,
  StringMatcher,
  UriTemplate,
} from "../matchers/index.js";

/**
 * `envoy.config.rbac.v3.RBAC` and what it holds, as plain JSON data in proto3 JSON spelling, so that it can
 * be printed, compared and loaded into Envoy's own RBAC filter. Exactly one member of each union is set.
 */
export interface Rbac {
  readonly action: RbacAction;
  /** By key; Envoy tries them in string order of the keys. */
  readonly policies: Readonly<Record<string, RbacPolicy>>;
}

/** LOG matches and refuses nothing. */
export type RbacAction = "ALLOW" | "DENY" | "LOG";

/** Matches when any permission and any principal match. */
export interface RbacPolicy {
  readonly permissions: readonly Permission[];
  readonly principals: readonly Principal[];
}

/** Permissions under `andRules` and `orRules`. */
export interface PermissionSet {
  readonly rules: readonly Permission[];
}

/** What is asked for. */
export type Permission =
  | { readonly any: boolean }
  | { readonly andRules: PermissionSet }
  | { readonly orRules: PermissionSet }
  | { readonly notRule: Permission }
  | { readonly header: HeaderMatcher }
  | { readonly urlPath: PathMatcher }
  | { readonly uriTemplate: UriTemplate }
  | { readonly destinationIp: CidrRange }
  | { readonly destinationPort: number }
  | { readonly destinationPortRange: Int32Range }
  | { readonly requestedServerName: StringMatcher }
  | { readonly metadata: MetadataMatcher }
  | { readonly sourcedMetadata: SourcedMetadata };

/** Principals under `andIds` and `orIds`. */
export interface PrincipalSet {
  readonly ids: readonly Principal[];
}

/** Who asks. */
export type Principal =
  | { readonly any: boolean }
  | { readonly andIds: PrincipalSet }
  | { readonly orIds: PrincipalSet }
  | { readonly notId: Principal }
  | { readonly authenticated: { readonly principalName?: StringMatcher } }
  | { readonly sourceIp: CidrRange }
  | { readonly directRemoteIp: CidrRange }
  | { readonly remoteIp: CidrRange }
  | { readonly header: HeaderMatcher }
  | { readonly urlPath: PathMatcher }
  | { readonly metadata: MetadataMatcher }
  | { readonly sourcedMetadata: SourcedMetadata };

/** `envoy.config.rbac.v3.SourcedMetadata`: metadata of other filters, or of the route. */
export interface SourcedMetadata {
  readonly metadataMatcher: MetadataMatcher;
  readonly metadataSource?: "DYNAMIC" | "ROUTE";
}
