import type { CredentialFields } from "./credential-fields.js";

/** An ApiKeys document as plain data: callers that show a key of ours. */
export interface ApiKeys extends CredentialFields {
  /** `iss` of the identities. */
  readonly issuer: string;
  /** Ids are unique. */
  readonly keys: readonly ApiKey[];
}

/** One key, without its secret. */
export interface ApiKey {
  /** The public part of the key's text. */
  readonly id: string;
  /** Salted, see {@link hashSecret}. */
  readonly hash: string;
  /** `sub` of the identity. */
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, the first at which the key is no longer good; undefined: always good. */
  readonly expiresMs: number | undefined;
  /** For people only. */
  readonly createdMs: number | undefined;
  /** Not good any more, whatever the time says. */
  readonly revoked: boolean;
}
