import { RATE_LIMIT_KIND, type Resource } from "../config/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import {
  type Charge,
  type CompiledQuota,
  type CounterKey,
  type CounterState,
  type CounterStore,
  chargeFor,
  compileQuota,
  generalChargeOf,
  type Quota,
} from "../quota/index.js";
import {
  type InspectedDescriptor,
  inspectDescriptor,
  type RateLimitFile,
  type RateLimitSettings,
} from "../ratelimit/index.js";

/** Names a counter as an operator does: a Quota and values of its dimensions, or a descriptor of a domain. */
export type QuotaQuestion =
  | {
      /** `NAMESPACE/NAME`. */
      readonly quota: string;
      /** Each as `NAME=VALUE`. Empty for a Quota that has some: its most general key. */
      readonly dimensions: readonly string[];
    }
  | {
      readonly domain: string;
      readonly entries: readonly { readonly key: string; readonly value: string }[];
    };

/** What a counter was asked about, by name. */
type Subject = { readonly quota: string } | { readonly domain: string };

/** A counter of a Quota. */
export interface QuotaCounter {
  readonly kind: "quota";
  /** `NAMESPACE/NAME`. */
  readonly quota: string;
  /** It is the one of requests for which an expression cannot be evaluated. */
  readonly isGeneral: boolean;
  /** Of one unit. */
  readonly charge: Charge;
  readonly state: CounterState;
}

/** A counter of a config file of envoyproxy/ratelimit. */
export interface RateLimitCounter {
  readonly kind: "rate_limit";
  readonly domain: string;
  readonly limit: Extract<InspectedDescriptor, { kind: "counted" }>;
  /** 0 where there is none yet. */
  readonly used: number;
}

/** Nothing is counted: because everything passes, or because the configuration has nothing of that name. */
export type NoCounter =
  | { readonly kind: "unlimited"; readonly subject: Subject }
  | { readonly kind: "unknown"; readonly why: string };

/** What was forgotten. */
export interface ResetCounters {
  readonly kind: "reset";
  readonly subject: Subject;
  readonly keys: readonly string[];
  /** How many of `keys` held anything. */
  readonly counters: number;
}

/**
 * Where operators ask about counters. Both reject with StoreError when the counters cannot be reached, and with
 * `bad_request` when the dimensions are not those of the Quota.
 */
export interface QuotaDesk {
  /** Changes nothing. */
  find(question: QuotaQuestion): Promise<QuotaCounter | RateLimitCounter | NoCounter>;
  reset(question: QuotaQuestion): Promise<ResetCounters | NoCounter>;
}

interface DeskPorts {
  /** In force. */
  readonly resources: () => Iterable<Resource>;
  readonly store: CounterStore;
  readonly settings: RateLimitSettings;
  /** Of the rate limit service, in milliseconds since the epoch. */
  readonly now: () => number;
}

/** A Quota's charge, and whose it is. */
interface Asked {
  readonly compiled: CompiledQuota;
  readonly isGeneral: boolean;
  /** Undefined: an override lifts the limit. */
  readonly charge: Charge | undefined;
}

/** What a question is about: charges of Quotas, or what a config file says. */
type Meant =
  | { readonly kind: "quotas"; readonly asked: readonly Asked[] }
  | { readonly kind: "descriptor"; readonly domain: string; readonly found: InspectedDescriptor }
  | { readonly kind: "unknown"; readonly why: string };

/** Makes a desk. It compiles what it is asked about anew each time: that is for operators, not for requests. */
export function createQuotaDesk({ resources, store, settings, now }: DeskPorts): QuotaDesk {
  const meaning = (question: QuotaQuestion): Meant => {
    const all = [...resources()];
    const quotas = all.filter(({ kind }) => kind === "Quota").map(({ spec }) => spec as Quota);
    if ("quota" in question) return ofQuota(question, quotas);
    const mapped = quotas.filter(({ rateLimit }) => rateLimit?.domain === question.domain);
    if (mapped.length > 0) return ofMapped(question, mapped);
    const found = inspectDescriptor(rateLimitFiles(all), question, settings, now());
    return { kind: "descriptor", domain: question.domain, found };
  };

  return {
    async find(question) {
      const meant = meaning(question);
      if (meant.kind === "unknown") return meant;
      if (meant.kind === "descriptor") {
        const { domain, found } = meant;
        if (found.kind !== "counted") return nothing(domain, found.kind);
        const [used = 0] = await store.read([{ group: domain, key: found.key }]);
        return { kind: "rate_limit", domain, limit: found, used };
      }
      const counted = meant.asked.flatMap(({ charge, ...rest }) => (charge ? [{ ...rest, charge }] : []));
      const states = counted.length === 0 ? [] : await store.look(counted.map(({ charge }) => charge));
      const counters = counted.flatMap(({ compiled, isGeneral, charge }, i): QuotaCounter[] => {
        const state = states[i];
        return state === undefined ? [] : [{ kind: "quota", quota: compiled.id, isGeneral, charge, state }];
      });
      const [tightest] = counters.sort((a, b) => a.state.remaining - b.state.remaining);
      return tightest ?? { kind: "unlimited", subject: subjectOf(question) };
    },
    async reset(question) {
      const meant = meaning(question);
      if (meant.kind === "unknown") return meant;
      const subject = subjectOf(question);
      if (meant.kind === "descriptor") {
        const { domain, found } = meant;
        if (found.kind !== "counted") return nothing(domain, found.kind);
        return forget(store, subject, [{ group: domain, key: found.key }]);
      }
      const keys = meant.asked.flatMap(({ charge }) =>
        charge ? [{ group: charge.group, key: charge.key }] : [],
      );
      return keys.length === 0 ? { kind: "unlimited", subject } : forget(store, subject, keys);
    },
  };
}

async function forget(
  store: CounterStore,
  subject: Subject,
  keys: readonly CounterKey[],
): Promise<ResetCounters> {
  const counters = await store.reset(keys);
  return { kind: "reset", subject, keys: keys.map(({ key }) => key), counters };
}

function ofQuota(
  { quota: wanted, dimensions }: Extract<QuotaQuestion, { quota: string }>,
  quotas: readonly Quota[],
): Meant {
  const quota = quotas.find(({ namespace, name }) => `${namespace}/${name}` === wanted);
  if (quota === undefined) return { kind: "unknown", why: `there is no quota \`${wanted}\`` };
  const compiled = compileQuota(quota);
  const isGeneral = quota.dimensions.length > 0 && dimensions.length === 0;
  const charge = isGeneral ? generalChargeOf(compiled) : chargeFor(compiled, valuesOf(quota, dimensions));
  return { kind: "quotas", asked: [{ compiled, isGeneral, charge }] };
}

/** A dimension that has no name of its own is called by its expression, in which `=` may stand. */
function valuesOf({ dimensions }: Quota, pairs: readonly string[]): ReadonlyMap<string, string> {
  const names = dimensions.map(({ name }) => name).sort((a, b) => b.length - a.length);
  const values = new Map<string, string>();
  for (const pair of pairs) {
    const end = names.find((name) => pair.startsWith(`${name}=`))?.length ?? pair.indexOf("=");
    if (end < 0) throw new GatehouseError("bad_request", `bad dimension \`${pair}\`, expected NAME=VALUE`);
    const name = pair.slice(0, end);
    if (values.has(name)) throw new GatehouseError("bad_request", `dimension \`${name}\` is given twice`);
    values.set(name, pair.slice(end + 1));
  }
  return values;
}

/** The Quotas of a domain whose keys are the descriptor's, in their order. */
function ofMapped(
  { domain, entries }: Extract<QuotaQuestion, { domain: string }>,
  quotas: readonly Quota[],
): Meant {
  const asked = quotas.flatMap((quota): Asked[] => {
    const { descriptor = [] } = quota.rateLimit ?? {};
    const isMeant =
      descriptor.length === entries.length && descriptor.every(([key], i) => key === entries[i]?.key);
    if (!isMeant) return [];
    const compiled = compileQuota(quota);
    const values = new Map(
      descriptor.map(([, dimension], i) => [dimension, entries[i]?.value ?? ""] as const),
    );
    return [{ compiled, isGeneral: false, charge: chargeFor(compiled, values) }];
  });
  if (asked.length > 0) return { kind: "quotas", asked };
  return { kind: "unknown", why: `no quota of domain \`${domain}\` has a descriptor of these keys` };
}

/** In the order in which requests find them: wildcards of merged domains are asked in turn. */
function rateLimitFiles(resources: readonly Resource[]): RateLimitFile[] {
  return resources
    .filter(({ kind }) => kind === RATE_LIMIT_KIND)
    .sort(({ origin: a }, { origin: b }) => {
      if (a.file !== b.file) return a.file < b.file ? -1 : 1;
      return a.line - b.line;
    })
    .map(({ spec }) => spec as RateLimitFile);
}

function nothing(domain: string, kind: Exclude<InspectedDescriptor["kind"], "counted">): NoCounter {
  switch (kind) {
    case "unlimited":
      return { kind, subject: { domain } };
    case "no_limit":
      return { kind: "unknown", why: `no limit of domain \`${domain}\` applies to this descriptor` };
    case "unknown_domain":
      return { kind: "unknown", why: `there is no domain \`${domain}\`` };
  }
}

function subjectOf(question: QuotaQuestion): Subject {
  return "quota" in question ? { quota: question.quota } : { domain: question.domain };
}
