import type { Parsed, ResourceDocument } from "../../../src/documents/index.js";
import {
  type AdditionRequest,
  type Charge,
  type ChargeResult,
  type CompiledQuota,
  type CounterState,
  type CounterStore,
  compileQuota,
  parseQuota,
  type Quota,
  type QuotaObserver,
  type QuotaRequest,
  StoreError,
} from "../../../src/quota/index.js";
import { aRequest, aWorkload } from "../../support/request.js";

/** A Quota document of ours with this spec. */
export function aDocument(spec: unknown, name = "per-user", namespace = "shop"): ResourceDocument {
  const apiVersion = "gatehouse.dev/v1alpha1";
  return { apiVersion, kind: "Quota", name, namespace, annotations: new Map(), spec };
}

/** Findings as `CODE PATH`. */
export function said({ findings }: Parsed<unknown>): string[] {
  return findings.map(({ code, path }) => `${code.code} ${path.join(".")}`);
}

/** A Quota of 3 per minute, or as `spec` says; throws when it has errors. */
export function aQuota(
  spec: Readonly<Record<string, unknown>> = {},
  name?: string,
  namespace?: string,
): Quota {
  const parsed = parseQuota(aDocument({ limit: 3, window: "1m", ...spec }, name, namespace));
  if (parsed.spec === undefined) throw new Error(parsed.findings.map(({ message }) => message).join("; "));
  return parsed.spec;
}

/** The same, compiled. */
export function compiled(
  spec: Readonly<Record<string, unknown>> = {},
  name?: string,
  namespace?: string,
): CompiledQuota {
  return compileQuota(aQuota(spec, name, namespace));
}

/** A request with this method and these headers. */
export function asked(headers: Readonly<Record<string, string>> = {}, method = "GET"): QuotaRequest {
  let request = aRequest().method(method, "/orders");
  for (const [name, value] of Object.entries(headers)) request = request.header(name, value);
  return { attributes: request.build(), workload: aWorkload() };
}

/** A store that counts up to `burst`, never forgets, and remembers what it was asked. */
export interface FakeStore extends CounterStore {
  readonly used: Map<string, number>;
  readonly calls: (readonly Charge[])[];
  /** Thrown from now on by whatever is asked; undefined: it works. */
  fault: Error | undefined;
}

/** `waits`: it answers by promises. */
export function fakeStore({ waits = false }: { readonly waits?: boolean } = {}): FakeStore {
  const used = new Map<string, number>();
  const calls: (readonly Charge[])[] = [];
  const ids = new Set<string>();
  const stateOf = ({ key, burst, cost }: Charge, counted: boolean): CounterState => {
    const before = used.get(key) ?? 0;
    const allowed = counted || before + cost <= burst;
    const retryMs = allowed ? 0 : 1500 + key.length;
    return { allowed, remaining: Math.max(0, burst - before), resetMs: 29_500, retryMs };
  };
  const charge = (charges: readonly Charge[]): ChargeResult => {
    const fits = charges.map((one) => stateOf(one, false).allowed);
    const allowed = charges.every((one, i) => one.isTrial || fits[i]);
    const counters = charges.map((one, i) => {
      const counts = allowed && fits[i] === true;
      const once = one.id === undefined ? undefined : `${one.key} ${one.id}`;
      if (counts && (once === undefined || !ids.has(once)))
        used.set(one.key, (used.get(one.key) ?? 0) + one.cost);
      if (counts && once !== undefined) ids.add(once);
      return stateOf(one, fits[i] === true);
    });
    return { allowed, counters, atMs: 0 };
  };
  const answer = <Asked extends readonly unknown[], Value>(work: (...asked: Asked) => Value) => {
    return (...asked: Asked): Value | Promise<Value> => {
      const { fault } = store;
      if (waits) return fault === undefined ? Promise.resolve(work(...asked)) : Promise.reject(fault);
      if (fault !== undefined) throw fault;
      return work(...asked);
    };
  };
  const store: FakeStore = {
    used,
    calls,
    fault: undefined,
    charge: answer((charges) => {
      calls.push(charges);
      return charge(charges);
    }),
    refund: answer((charges: readonly Charge[]) => {
      for (const { key, cost } of charges) used.set(key, Math.max(0, (used.get(key) ?? 0) - cost));
    }),
    debit: answer((charges: readonly Charge[]) =>
      charges.map((one) => {
        const { allowed } = stateOf(one, false);
        used.set(one.key, (used.get(one.key) ?? 0) + one.cost);
        return { ...stateOf(one, true), allowed };
      }),
    ),
    look: answer((charges: readonly Charge[]) => charges.map((one) => stateOf(one, false))),
    add: answer(({ additions }: AdditionRequest) => additions.map(() => 0)),
    read: answer((keys: readonly unknown[]) => keys.map(() => undefined)),
    reset: answer(() => 0),
    close: () => Promise.resolve(),
  };
  return store;
}

/** What a store throws that cannot be reached. */
export function unavailable(): StoreError {
  return new StoreError("unavailable", "no connection");
}

/** Remembers what it is told, a line for each. */
export interface RecordingObserver extends QuotaObserver {
  readonly told: string[];
}

export function recording(): RecordingObserver {
  const told: string[] = [];
  return {
    told,
    charged: (quota, result) => void told.push(`charged ${quota} ${result}`),
    expressionFailed: (quota, use) => void told.push(`failed ${quota} ${use}`),
    storeFailed: (quota, outcome) => void told.push(`store ${quota} ${outcome}`),
  };
}
