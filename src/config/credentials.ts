import {
  type ApiKeys,
  createApiKeyCheck,
  createIntrospectionCheck,
  type IntrospectionPorts,
  type TokenIntrospection,
} from "../credentials/index.js";
import type { Egress } from "./mesh.js";
import type { CompiledCredentials } from "./policy-index.js";
import type { Resource } from "./resource.js";

/** Port: what the check of a TokenIntrospection asks through, under the Mesh's egress rules. */
export type ConnectIntrospection = (spec: TokenIntrospection, egress: Egress) => IntrospectionPorts;

/**
 * A TokenIntrospection or ApiKeys, ready to judge; undefined for other kinds. INVARIANT: `spec` has the type that the
 * kind's parser gives (see `kinds.ts`).
 */
export function compileCredentials(
  { kind, spec }: Resource,
  egress: Egress,
  connect: ConnectIntrospection,
): CompiledCredentials | undefined {
  if (kind === "TokenIntrospection") {
    const tokens = spec as TokenIntrospection;
    const check = createIntrospectionCheck(tokens, connect(tokens, egress));
    return { attachment: tokens, check };
  }
  if (kind === "ApiKeys") {
    const keys = spec as ApiKeys;
    return { attachment: keys, check: createApiKeyCheck(keys) };
  }
  return undefined;
}
