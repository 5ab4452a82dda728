/** The mesh's trust domain and the names it also goes by. */
export interface TrustDomains {
  readonly trustDomain: string;
  readonly aliases: readonly string[];
}

/** A principal that literally names this domain means the mesh's own. */
const pointer = "cluster.local";

/**
 * Principals written for one name of the trust domain, rewritten for all of them. Only values of exactly five
 * parts (`TD/ns/N/sa/S`) are; prefixes of other lengths and foreign domains stay as written.
 */
export function expandPrincipals(principals: readonly string[], domains: TrustDomains): readonly string[] {
  const bundle = bundleOf(domains);
  const expanded = principals.flatMap((principal) => {
    const parts = principal.split("/");
    const own = parts[0] ?? "";
    if (parts.length !== 5 || own === "*") return [principal];
    const known = own === pointer || bundle.some((domain) => wildcardEquals(own, domain));
    if (!known) return [principal];
    const rest = principal.slice(own.length);
    return bundle.map(
      (domain) => (own.startsWith("*") && domain.endsWith(own.slice(1)) ? own : domain) + rest,
    );
  });
  return [...new Set(expanded)];
}

/** `trustDomains` values: one that is a name of the mesh's domain stands for all of its names. */
export function expandTrustDomains(values: readonly string[], domains: TrustDomains): readonly string[] {
  const bundle = bundleOf(domains);
  return [...new Set(values.flatMap((value) => (bundle.includes(value) ? bundle : [value])))];
}

function bundleOf({ trustDomain, aliases }: TrustDomains): readonly string[] {
  return [trustDomain, ...aliases];
}

/** Equal, where either side may begin or end with a star. */
function wildcardEquals(a: string, b: string): boolean {
  return a === b || wildcardMatches(a, b) || wildcardMatches(b, a);
}

function wildcardMatches(pattern: string, text: string): boolean {
  const suffix = pattern.startsWith("*") && text.endsWith(pattern.slice(1));
  return suffix || (pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1)));
}
