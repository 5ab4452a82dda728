import {
  type CompiledQuota,
  compileQuota,
  createQuotaDomains,
  type Ledger,
  type Quota,
  type QuotaObserver,
} from "../quota/index.js";
import {
  createRateLimits,
  type RateLimitFile,
  type RateLimitPorts,
  type RateLimits,
} from "../ratelimit/index.js";
import type { Compiled, CompiledQuotaDocument } from "./policy-index.js";
import type { Resource } from "./resource.js";

/** What quotas are made with. */
export interface QuotaPorts {
  readonly ledger: Ledger;
  readonly observer: QuotaObserver;
}

/** A resource and what it amounts to. */
export interface CompiledResource {
  readonly resource: Resource;
  readonly compiled: Compiled;
}

/** Makes a Quota ready to be charged. */
export function compileQuotaDocument(quota: Quota): CompiledQuotaDocument {
  const { namespace, name, selector } = quota;
  const compiled = compileQuota(quota);
  return {
    attachment: { namespace, selector, targetRefs: [] },
    label: `${namespace}/${name}`,
    quota: compiled,
    readsRequest: attributesOf(compiled).some((attribute) => attribute.startsWith("request.")),
  };
}

function attributesOf({ match, dimensions, cost, chargeId }: CompiledQuota): readonly string[] {
  const expressions = [match, ...dimensions, typeof cost === "number" ? undefined : cost, chargeId];
  return expressions.flatMap((expression) => expression?.attributes ?? []);
}

/** What Envoy's rate limit service answers by: config files in the order of their names, and Quotas that name a domain. */
export function rateLimitsOf(
  resources: Iterable<CompiledResource>,
  ports: { readonly quota: QuotaPorts; readonly rateLimit: RateLimitPorts },
): RateLimits {
  const all = [...resources];
  const files = all
    .filter(({ resource }) => resource.kind === "RateLimitConfig")
    .sort(({ resource: a }, { resource: b }) => compareOrigins(a, b))
    .map(({ resource }) => resource.spec as RateLimitFile);
  const quotas = all.flatMap(({ compiled }) => compiled.quota?.quota ?? []);
  return createRateLimits(files, createQuotaDomains(quotas, ports.quota), ports.rateLimit);
}

function compareOrigins({ origin: a }: Resource, { origin: b }: Resource): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line;
}
