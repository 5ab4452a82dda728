import {
  type CidrRange,
  type HeaderMatcher,
  parseCidr,
  type StringMatcher,
  type UriTemplate,
  uriTemplateType,
  type ValueMatcher,
} from "../matchers/index.js";

/** Any non-empty value. */
export const nonEmpty: StringMatcher = { safeRegex: { regex: ".+" } };

/** RE2 quoting, as Go's regexp.QuoteMeta: the same characters, so that printed rules equal Istio's. */
function quoteRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}

/**
 * A policy value as a string matcher: `*` is any non-empty value, `*abc` a suffix, `abc*` a prefix, else
 * exact; a star elsewhere is a literal one and the leading star is looked at first. `prefix` stands before
 * the value, but for `*`.
 */
export function stringMatcher(value: string, prefix = ""): StringMatcher {
  if (value === "*") return nonEmpty;
  if (value.startsWith("*")) {
    const suffix = value.slice(1);
    return prefix === "" ? { suffix } : { safeRegex: { regex: `${prefix}.*${quoteRegex(suffix)}` } };
  }
  if (value.endsWith("*")) return { prefix: prefix + value.slice(0, -1) };
  return { exact: prefix + value };
}

/** A value of filter metadata: one in brackets asks for a list that holds what is in them. */
export function listOrText(value: string, toMatcher: (text: string) => StringMatcher): ValueMatcher {
  if (!value.startsWith("[") || !value.endsWith("]")) return { stringMatch: toMatcher(value) };
  return { listMatch: { oneOf: { stringMatch: toMatcher(value.replace(/^[[\]]+|[[\]]+$/g, "")) } } };
}

/** A policy value on a header: as {@link stringMatcher}, but `*` is any value, the empty one too. */
export function headerMatcher(name: string, value: string, ignoreCase = false): HeaderMatcher {
  if (value === "*") return { name, presentMatch: true };
  const matcher = stringMatcher(value);
  return { name, stringMatch: ignoreCase ? { ...matcher, ignoreCase } : matcher };
}

/** Whether a path value is a template, to be matched segment by segment. */
export function isPathTemplate(value: string): boolean {
  return value.includes("{*}") || value.includes("{**}");
}

/** A path template as Envoy's extension wants it. */
export function uriTemplate(value: string): UriTemplate {
  return {
    name: "uri-template",
    typedConfig: {
      "@type": uriTemplateType,
      pathTemplate: value.replaceAll("{*}", "*").replaceAll("{**}", "**"),
    },
  };
}

/** An address or range. INVARIANT: validation has refused what is none. */
export function cidr(value: string): CidrRange {
  const range = parseCidr(value);
  if (range === undefined) throw new Error(`\`${value}\` is no IP address or CIDR range`);
  return range;
}

/** `spiffe://…/ns/NS/…/sa/NAME…`; a bare name lives in the policy's own namespace. */
export function serviceAccountRegex(value: string, policyNamespace: string): string {
  const slash = value.indexOf("/");
  const namespace = slash < 0 ? policyNamespace : value.slice(0, slash);
  const account = value.slice(slash + 1);
  return `spiffe://.+/ns/${quoteRegex(namespace)}/(.+/|)sa/${quoteRegex(account)}(/.+)?`;
}

/** Any identity with `/ns/VALUE/` in it, where every star of the value stands for anything. */
export function namespaceRegex(value: string): string {
  return `.*/ns/${value.split("*").map(quoteRegex).join(".*")}/.*`;
}

/** Identities of a trust domain, whose name may have one star. */
export function trustDomainMatcher(value: string): StringMatcher {
  if (value === "*") return { prefix: "spiffe://" };
  const star = value.indexOf("*");
  if (star < 0) return { prefix: `spiffe://${value}/` };
  const domain = `${quoteRegex(value.slice(0, star))}[^/]*${quoteRegex(value.slice(star + 1))}`;
  return { safeRegex: { regex: `spiffe://${domain}/.*` } };
}
