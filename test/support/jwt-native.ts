import { nativeRbac } from "./cases-differential.js";

/** The part of an Istio JWTRule that both sides are made of. */
export interface Rule {
  readonly issuer: string;
  readonly jwks: string;
  /** Ours gets the keys by `jwksUri`; Envoy's filter has them inline all the same. */
  readonly served?: boolean;
  readonly audiences?: readonly string[];
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
  readonly fromParams?: readonly string[];
  readonly fromCookies?: readonly string[];
  readonly forwardOriginalToken?: boolean;
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders?: readonly { readonly header: string; readonly claim: string }[];
  readonly spaceDelimitedClaims?: readonly string[];
}

/** What a listener is made of. */
export interface RuleSet {
  readonly rules: readonly Rule[];
  /** A DENY policy refuses this `sub`, so that the answer tells whose claims policies see. */
  readonly refusedSubject?: string;
}

/** Rule sets by the name of the namespace in which ours are loaded. */
export type RuleSets = Readonly<Record<string, RuleSet>>;

/** Envoy's own filters for a rule set. */
export function nativeFilters({ rules, refusedSubject }: RuleSet): readonly unknown[] {
  if (refusedSubject === undefined) return [jwtAuthn(rules)];
  const path = [{ key: "payload" }, { key: "sub" }];
  const value = { stringMatch: { exact: refusedSubject } };
  const principals = [{ metadata: { filter: "envoy.filters.http.jwt_authn", path, value } }];
  const policies = { subject: { permissions: [{ any: true }], principals } };
  return [jwtAuthn(rules), nativeRbac({ action: "DENY", policies })];
}

/** The filter as istiod makes it of these rules. */
export function jwtAuthn(rules: readonly Rule[]): unknown {
  const sorted = rules.toSorted((a, b) => (a.issuer < b.issuer ? -1 : a.issuer > b.issuer ? 1 : 0));
  const names = sorted.map((_, index) => `origins-${index}`);
  const each = names.map((provider_name) => ({ provider_name }));
  const missing = { allow_missing: {} };
  const requires = {
    requires_any: {
      requirements:
        each.length === 1
          ? [...each, missing]
          : [
              ...each,
              {
                requires_all: {
                  requirements: each.map((one) => ({ requires_any: { requirements: [one, missing] } })),
                },
              },
            ],
    },
  };
  return {
    name: "envoy.filters.http.jwt_authn",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
      providers: Object.fromEntries(sorted.map((rule, index) => [names[index], provider(rule)])),
      rules: [{ match: { prefix: "/" }, requires }],
      bypass_cors_preflight: true,
    },
  };
}

function provider(rule: Rule): unknown {
  return {
    issuer: rule.issuer,
    audiences: rule.audiences ?? [],
    forward: rule.forwardOriginalToken ?? false,
    payload_in_metadata: "payload",
    normalize_payload_in_metadata: {
      space_delimited_claims: ["scope", "permission", ...(rule.spaceDelimitedClaims ?? [])],
    },
    from_headers: (rule.fromHeaders ?? []).map(({ name, prefix = "" }) => ({ name, value_prefix: prefix })),
    from_params: rule.fromParams ?? [],
    from_cookies: rule.fromCookies ?? [],
    forward_payload_header: rule.outputPayloadToHeader ?? "",
    claim_to_headers: (rule.outputClaimToHeaders ?? []).map(({ header, claim }) => ({
      header_name: header,
      claim_name: claim,
    })),
    local_jwks: { inline_string: rule.jwks },
  };
}
