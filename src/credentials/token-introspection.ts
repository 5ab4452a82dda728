import type { CredentialFields } from "./credential-fields.js";

/**
 * A TokenIntrospection as plain data: opaque tokens are judged by asking the authorization server that gave them
 * out (RFC 7662).
 */
export interface TokenIntrospection extends CredentialFields, IntrospectionEndpoint {
  /** `iss` of the identities. */
  readonly issuer: string;
  /** The document names no issuer, so an `iss` in an answer stands as it is; else it must be `issuer`. */
  readonly anyIssuer: boolean;
  /** All of them must be among the token's scopes. */
  readonly requiredScopes: readonly string[];
  /** One of them must be among the token's audiences, compared exactly; empty: any. */
  readonly audiences: readonly string[];
  /** How long an answer is remembered, in milliseconds; never past the token's `exp`. 0: not at all. */
  readonly cacheTtlMs: number;
  /** Longer tokens are refused without a question. */
  readonly maxTokenBytes: number;
}

/** Where and how to ask. */
export interface IntrospectionEndpoint {
  /** An http or https URL without user, password and fragment. */
  readonly endpoint: string;
  /** Undefined: the endpoint asks for no credentials. */
  readonly client: ClientCredentials | undefined;
  /** Of one question, its answer's body included. */
  readonly timeoutMs: number;
  /** RFC 7662 section 2.1 `token_type_hint`. */
  readonly tokenTypeHint: string | undefined;
}

/** How we show the endpoint who we are (RFC 6749 section 2.3.1). */
export interface ClientCredentials {
  readonly id: string;
  /** Never in a log, a finding or an admin page. */
  readonly secret: string;
  readonly auth: "basic" | "post";
  /** The field that names the secret's file or variable. */
  readonly secretField: "clientSecretFile" | "clientSecretEnv";
}

/** What came of one question. */
export type IntrospectionReply =
  /** The body of a 200. */
  | { readonly body: Uint8Array; readonly failure: undefined }
  | { readonly body: undefined; readonly failure: IntrospectionFailure };

/**
 * Why there is no answer: late, no whole answer came, the Mesh's egress rules forbid to ask, too long, or a status
 * that is not 200.
 */
export type IntrospectionFailure = "timeout" | "connect" | "egress" | "too_large" | "status";

/** Port: asks one resource's endpoint about a token, within its timeout. */
export type Introspect = (token: string) => Promise<IntrospectionReply>;

/** How a question to the endpoint ended, or why none was asked; a closed set, for labels. */
export type IntrospectionEvent =
  | "active"
  | "inactive"
  /** Active, but not for the scopes, audiences or issuer that are asked for. */
  | "refused"
  | "malformed"
  /** Too many questions were under way. */
  | "overloaded"
  | IntrospectionFailure
  /** The answer was remembered. */
  | "cache_hit"
  /** Another request was asking about the same token. */
  | "cache_joined";

/** What an introspection check takes from outside. */
export interface IntrospectionPorts {
  readonly introspect: Introspect;
  readonly observe: (event: IntrospectionEvent) => void;
}
