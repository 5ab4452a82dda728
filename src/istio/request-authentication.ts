import type { JwtRule } from "../authn/index.js";
import type { Selector, TargetRef } from "../documents/index.js";

/** `security.istio.io` RequestAuthentication after validation; defaults are already in the rules. */
export interface RequestAuthentication {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector | undefined;
  readonly targetRefs: readonly TargetRef[];
  /** In the order of the document. */
  readonly rules: readonly JwtRule[];
  /**
   * Indexes of the rules whose keys stand in a file that has not been read yet, in the order of the parser's
   * references. Until then such a rule has no key, so that every token of its issuer is refused.
   */
  readonly keyFiles: readonly number[];
}
