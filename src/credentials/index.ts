export { createApiKeyCheck } from "./api-key-check.js";
export { createApiKey, isApiKeyId } from "./api-key-text.js";
export type { ApiKey, ApiKeys } from "./api-keys.js";
export { createIntrospectionCheck } from "./introspection-check.js";
export { parseApiKeys } from "./parse-api-keys.js";
export { completeTokenIntrospection, parseTokenIntrospection } from "./parse-token-introspection.js";
export type {
  Introspect,
  IntrospectionEndpoint,
  IntrospectionEvent,
  IntrospectionPorts,
  IntrospectionReply,
  TokenIntrospection,
} from "./token-introspection.js";
