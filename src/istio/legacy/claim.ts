import type { StringMatcher, ValueMatcher } from "../../matchers/index.js";
import type { Principal } from "../../rbac/index.js";
import { claim } from "../claims.js";
import { nonEmpty } from "../values.js";
import { legacyString } from "./string.js";

function asked(path: readonly string[], value: ValueMatcher): Principal {
  return { metadata: claim(path, value) };
}

/** A claim that is the value, or a list that holds it. Istio's filter made one-item lists of text claims. */
export function claimPrincipal(path: readonly string[], value: string): Principal {
  const stringMatch = legacyString(value);
  const valueMatchers = [{ listMatch: { oneOf: { stringMatch } } }, { stringMatch }];
  return asked(path, { orMatch: { valueMatchers } });
}

function token(iss: StringMatcher, sub: StringMatcher): Principal {
  return { andIds: { ids: [asked(["iss"], { stringMatch: iss }), asked(["sub"], { stringMatch: sub })] } };
}

/**
 * `request.auth.principal` was the text `ISS/SUB`, and a legacy pattern is laid over the whole of it; the
 * token has the two apart. So every slash of the pattern may be the one between them, and a wildcard may
 * reach over it. Neither half is ever empty.
 */
export function requestPrincipal(value: string): Principal {
  if (value === "*") return token(nonEmpty, nonEmpty);
  const suffix = value.startsWith("*");
  const prefix = !suffix && value.endsWith("*");
  const text = suffix ? value.slice(1) : prefix ? value.slice(0, -1) : value;
  const ids: Principal[] = [];
  for (let i = text.indexOf("/"); i >= 0; i = text.indexOf("/", i + 1)) {
    const [left, right] = [text.slice(0, i), text.slice(i + 1)];
    const iss = left !== "" ? (suffix ? { suffix: left } : { exact: left }) : suffix ? nonEmpty : undefined;
    const sub =
      right !== "" ? (prefix ? { prefix: right } : { exact: right }) : prefix ? nonEmpty : undefined;
    if (iss !== undefined && sub !== undefined) ids.push(token(iss, sub));
  }
  if (suffix) ids.push(token(nonEmpty, { suffix: text }));
  if (prefix) ids.push(token({ prefix: text }, nonEmpty));
  return ids.length === 0 ? { notId: { any: true } } : { orIds: { ids } };
}
