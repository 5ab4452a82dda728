import type { Attributes, Workload } from "../attributes/index.js";
import { codes, type Finding, finding } from "../diagnostics/index.js";
import {
  after,
  type CompiledQuota,
  type Ledger,
  type Quota,
  type Settlement,
  settle,
} from "../quota/index.js";
import { compileNumberReader, type Framing, type NumberReader } from "../redaction/index.js";
import { isLinesType } from "./content-types.js";
import type { UsageRule } from "./policy.js";

/** What became of the usage of one response; `unknown`: nobody could tell it, so what was charged before stays. */
export type UsageOutcome = Settlement | "unknown";

/** Told of every response with a usage rule, for metrics. Must not throw. `units`: what was used, 0 where unknown. */
export type UsageObserver = (quota: string, outcome: UsageOutcome, units: number) => void;

/** What usage is charged with. */
export interface UsagePorts {
  readonly ledger: Ledger;
  /** By `NAMESPACE/NAME`. */
  readonly quotas: ReadonlyMap<string, CompiledQuota>;
  readonly observer: UsageObserver;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/** The request whose response is measured. */
export interface UsageInput {
  readonly attributes: Attributes;
  readonly workload: Workload | undefined;
  /** By quota, see `BodyInput`. */
  readonly charged: ReadonlyMap<string, number>;
}

/** Measures one response. Never throws; what is shown to it is not changed. */
export interface UsageMeter {
  /**
   * The response has begun. `mediaType`: lower-case, without parameters, empty where it is not known; `isReadable`:
   * `received` will be shown the whole body, without a content-encoding.
   */
  begin(mediaType: string, isReadable: boolean): void;
  /** Of the body as the upstream sent it, decoded. */
  received(bytes: Uint8Array): void;
  /** Of the body as the client gets it, with what policies changed. */
  delivered(length: number): void;
  /** The body has come to its end, and was not cut off. */
  end(): void;
  /** Charges the difference to what the request was charged; once, however the exchange ended. Undefined: nothing is known. */
  commit(): { readonly quota: string; readonly units: number } | undefined;
}

/** A usage rule ready to measure. */
export interface CompiledUsage {
  /** Which of a meter's methods have to be called, beside `begin`, `end` and `commit`. */
  readonly reads: "received" | "delivered";
  /** When the request was charged, or right after. */
  readonly open: (input: UsageInput) => UsageMeter;
}

/** Makes meters of a rule. A quota that there is not leaves all usage unknown. */
export function compileUsage({ quota, units }: UsageRule, ports: UsagePorts): CompiledUsage {
  const compiled = ports.quotas.get(quota);
  const measure = units.kind === "bytes" ? measureBytes : measureField(compileNumberReader(units.path));
  const { ledger, observer, now } = ports;
  return {
    reads: units.kind === "bytes" ? "delivered" : "received",
    open: ({ attributes, workload, charged }) => {
      const openedAt = now();
      const measured = measure();
      let isOver = false;
      return {
        begin: measured.begin,
        received: measured.received,
        delivered: measured.delivered,
        end: measured.end,
        commit() {
          if (isOver) return undefined;
          isOver = true;
          const used = measured.units();
          if (used === undefined || compiled === undefined) {
            observer(quota, "unknown", 0);
            return undefined;
          }
          const request = { attributes, workload };
          const reserved = charged.get(quota) ?? 0;
          const agoMs = Math.max(0, Math.round(now() - openedAt));
          // Nobody waits for it: the exchange is over.
          void after(settle(compiled, { request, reserved, units: used, agoMs }, { ledger }), (outcome) =>
            observer(quota, outcome, used),
          );
          return { quota, units: used };
        },
      };
    },
  };
}

/** What a response amounts to. */
interface Measure extends Omit<UsageMeter, "commit"> {
  /** Undefined: nobody can tell. */
  units(): number | undefined;
}

const nothing = (): void => {};

/** Without a response there is nothing to be counted, so that who breaks off before it gets nothing back. */
function measureBytes(): Measure {
  let bytes: number | undefined;
  return {
    begin() {
      bytes ??= 0;
    },
    received: nothing,
    delivered(length) {
      bytes = (bytes ?? 0) + length;
    },
    end: nothing,
    units: () => bytes,
  };
}

function measureField(readerOf: (framing: Framing) => NumberReader): () => Measure {
  return () => {
    let reader: NumberReader | undefined;
    return {
      begin(mediaType, isReadable) {
        if (isReadable) reader ??= readerOf(framingOf(mediaType));
      },
      received: (bytes) => reader?.push(bytes),
      delivered: nothing,
      end: () => reader?.end(),
      units() {
        const number = reader?.value;
        // A negative number would make requests free.
        return number === undefined || !(number >= 0) || number === Number.POSITIVE_INFINITY
          ? undefined
          : Math.ceil(number);
      },
    };
  };
}

/** What is neither events nor lines is read as one JSON text, whatever it says it is. */
function framingOf(mediaType: string): Framing {
  if (mediaType === "text/event-stream") return "events";
  return isLinesType(mediaType) ? "ndjson" : "json";
}

/** Says what a usage rule names that there is not, or that cannot be charged; `quotas` are all that are loaded. */
export function usageFindings(
  usage: UsageRule | undefined,
  quotas: ReadonlyMap<string, Pick<Quota, "allowance">>,
): readonly Finding[] {
  if (usage === undefined) return [];
  const path = ["spec", "usage", "quota"];
  const quota = quotas.get(usage.quota);
  if (quota === undefined) {
    return [finding(codes.unknownUsageQuota, path, `no Quota \`${usage.quota}\` is loaded`)];
  }
  if (quota.allowance.algorithm !== "concurrency") return [];
  const message = `Quota \`${usage.quota}\` counts what is in use, expected one that counts over time`;
  return [finding(codes.uncountableUsage, path, message)];
}
