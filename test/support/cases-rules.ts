import type { HeaderMatcher, StringMatcher } from "../../src/matchers/index.js";
import type { Permission, Principal, RbacPolicy } from "../../src/rbac/index.js";
import type { Rules } from "./cases-differential.js";

const anyone: readonly Principal[] = [{ any: true }];

/** A rule that asks one thing of the request. */
export function permit(permission: Permission): RbacPolicy {
  return { permissions: [permission], principals: anyone };
}

/** A rule that asks one thing of the caller. */
export function admit(principal: Principal): RbacPolicy {
  return { permissions: [{ any: true }], principals: [principal] };
}

/** A rule for each of the items, by its JSON. */
export function named<T>(items: readonly T[], make: (item: T) => RbacPolicy): Rules {
  return Object.fromEntries(items.map((item) => [JSON.stringify(item), make(item)]));
}

/** A rule that asks for a header. */
export function header(matcher: HeaderMatcher): RbacPolicy {
  return permit({ header: matcher });
}

/** RE2 syntax, for the whole value. */
export function regex(text: string): StringMatcher {
  return { safeRegex: { regex: text } };
}
