import type { ApiKeys, TokenIntrospection } from "../../../src/credentials/index.js";
import { parseApiKeys, parseTokenIntrospection } from "../../../src/credentials/index.js";
import type { Parsed, ResourceDocument } from "../../../src/documents/index.js";

/** A document of ours with this spec. */
export function aDocument(kind: string, spec: unknown): ResourceDocument {
  return {
    apiVersion: "gatehouse.dev/v1alpha1",
    kind,
    name: "partners",
    namespace: "shop",
    annotations: new Map(),
    spec,
  };
}

/** Findings as `CODE PATH`. */
export function said({ findings }: Parsed<unknown>): string[] {
  return findings.map(({ code, path }) => `${code.code} ${path.join(".")}`);
}

/** A TokenIntrospection of shop/partners; throws when it has errors. */
export function anIntrospection(spec: Readonly<Record<string, unknown>> = {}): TokenIntrospection {
  const parsed = parseTokenIntrospection(
    aDocument("TokenIntrospection", { endpoint: "https://login.example/introspect", ...spec }),
  );
  if (parsed.spec === undefined) throw new Error(parsed.findings.map(({ message }) => message).join("; "));
  return parsed.spec;
}

/** An ApiKeys of shop/partners; throws when it has errors. */
export function someApiKeys(spec: Readonly<Record<string, unknown>>): ApiKeys {
  const parsed = parseApiKeys(aDocument("ApiKeys", spec));
  if (parsed.spec === undefined) throw new Error(parsed.findings.map(({ message }) => message).join("; "));
  return parsed.spec;
}
