import type { MetadataMatcher, StringMatcher, ValueMatcher } from "../matchers/index.js";
import { jwtFilter, type Principal } from "../rbac/index.js";
import { nonEmpty, stringMatcher } from "./values.js";

/** The verified token's claim at `path`, compared. */
export function claim(path: readonly string[], value: ValueMatcher): MetadataMatcher {
  return { filter: jwtFilter, path: ["payload", ...path].map((key) => ({ key })), value };
}

/** Any of the values, as one value matcher. */
export function anyValue(matchers: readonly ValueMatcher[]): ValueMatcher {
  const [only] = matchers;
  return only !== undefined && matchers.length === 1 ? only : { orMatch: { valueMatchers: matchers } };
}

/** A claim that is one of the values, or a list that holds one. */
export function claimIn(path: readonly string[], values: readonly string[]): Principal {
  const value = anyValue(values.map((v) => ({ stringMatch: stringMatcher(v) })));
  return { metadata: claim(path, { orMatch: { valueMatchers: [{ listMatch: { oneOf: value } }, value] } }) };
}

/**
 * `requestPrincipals`: issuer and subject joined by a slash, which issuers have themselves: the last one
 * splits.
 */
export function requestPrincipal(values: readonly string[]): Principal {
  const ids = values.map((value): Principal => {
    const [iss, sub] = issuerAndSubject(value);
    return {
      andIds: {
        ids: [
          { metadata: claim(["iss"], { stringMatch: iss }) },
          { metadata: claim(["sub"], { stringMatch: sub }) },
        ],
      },
    };
  });
  const [only] = ids;
  return only !== undefined && ids.length === 1 ? only : { orIds: { ids } };
}

/** The asymmetric wildcard rules of Istio; each row is one of its cases, in its order. */
function issuerAndSubject(value: string): readonly [StringMatcher, StringMatcher] {
  const slash = value.lastIndexOf("/");
  const iss = slash < 0 ? value : value.slice(0, slash);
  const sub = slash < 0 ? "" : value.slice(slash + 1);
  if (value === "*") return [nonEmpty, nonEmpty];
  if (value.startsWith("*")) {
    if (slash < 0) return [nonEmpty, { suffix: value.slice(1) }];
    return [iss === "*" ? nonEmpty : { suffix: iss.slice(1) }, { exact: sub }];
  }
  if (value.endsWith("*")) {
    if (slash < 0) return [{ prefix: value.slice(0, -1) }, nonEmpty];
    return [{ exact: iss }, sub === "*" ? nonEmpty : { prefix: sub.slice(0, -1) }];
  }
  return [{ exact: iss }, { exact: sub }];
}

/**
 * The path of `[a][b]`. Anything malformed inside is one literal key of the text between the outer brackets,
 * as in Istio.
 */
export function nestedKeys(brackets: string): readonly string[] {
  const inner = brackets.slice(1, -1);
  const keys = inner.split("][");
  return keys.some((key) => key.includes("[") || key.includes("]")) ? [inner] : keys;
}
