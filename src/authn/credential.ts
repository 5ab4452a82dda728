import type { ByteString, JsonObject } from "../attributes/index.js";
import type { ClaimHeader } from "./jwt-rule.js";
import type { AuthnMethod, Refusal } from "./outcome.js";
import type { TokenPlaces } from "./token-places.js";

/** What a credential showed. */
export type CredentialVerdict =
  /** The caller's claims, with `iss` and `sub`, as a verified token's payload. */
  | { readonly payload: JsonObject; readonly refusal: undefined }
  | { readonly payload: undefined; readonly refusal: Refusal };

/**
 * A resource beside RequestAuthentication that knows credentials: API keys, tokens to be introspected. Every
 * credential that stands at one of its places must be good; none at all is anonymous.
 */
export interface CredentialCheck {
  readonly method: AuthnMethod;
  /** `NAMESPACE/NAME` of the resource. */
  readonly name: string;
  readonly places: TokenPlaces;
  /**
   * Whether a credential looks like one of this resource, for a place that resources of another kind read too.
   * Undefined: every one does.
   */
  readonly recognises?: (token: ByteString) => boolean;
  readonly forwardOriginalToken: boolean;
  readonly outputClaimToHeaders: readonly ClaimHeader[];
  /** `nowMs` is milliseconds since the epoch. Never rejects; what goes wrong is a refusal. */
  readonly judge: (token: ByteString, nowMs: number) => CredentialVerdict | Promise<CredentialVerdict>;
}
