import { maxObligations, noObligations, obligationOf, sortObligations } from "../rbac/index.js";

/** The key of a provider's metadata under which it names BodyPolicies. */
const key = "obligations";

type Metadata = Readonly<Record<string, unknown>> | undefined;

/**
 * BodyPolicies that a provider's metadata ask for, a name or a list of names; one without a namespace is of the policy
 * that asked the provider (`NAMESPACE/NAME`). Undefined: nobody can tell which are meant.
 */
export function obligationsAsked(metadata: Metadata, policy: string): readonly string[] | undefined {
  if (metadata === undefined || !Object.hasOwn(metadata, key)) return noObligations;
  const value = metadata[key];
  const texts: readonly unknown[] | undefined = Array.isArray(value) ? value : [value];
  if (texts.length > maxObligations) return undefined;
  const namespace = policy.slice(0, policy.indexOf("/"));
  const names: string[] = [];
  for (const text of texts) {
    const name = typeof text === "string" ? obligationOf(text, namespace) : undefined;
    if (name === undefined) return undefined;
    names.push(name);
  }
  return sortObligations(names);
}

/** What is left to be passed on as it is. */
export function withoutObligations(metadata: Metadata): Metadata {
  if (metadata === undefined || !Object.hasOwn(metadata, key)) return metadata;
  const { [key]: _read, ...others } = metadata;
  return Object.keys(others).length === 0 ? undefined : others;
}
