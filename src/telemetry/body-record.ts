import type { ReportBody } from "../report/index.js";
import { briefText } from "./brief.js";

/** What body policies did with one exchange, as `/decisions` and the logs show it: never a part of a body. */
export interface BodyRecord {
  /** `NAMESPACE/NAME` of those that applied, dry runs included. */
  readonly policies: readonly string[];
  /** Of the obligations those that were carried out to the end. */
  readonly fulfilled: readonly string[];
  /** Findings and changed fields, all of them. */
  readonly changes: number;
  /** The same by `NAMESPACE/NAME/RULE`. */
  readonly rules: Readonly<Record<string, number>>;
  readonly refused: {
    /** Empty where no policy did, but what it needs is missing. */
    readonly policy: string;
    readonly reason: string;
    readonly phase: "request" | "response" | null;
  } | null;
  /** What policies on trial would have refused. */
  readonly dry_run: readonly { readonly policy: string; readonly reason: string }[];
  /** Bytes that were looked at. */
  readonly request_bytes: number;
  readonly response_bytes: number;
  /** What was charged to quotas after the fact. */
  readonly usage: readonly { readonly quota: string; readonly units: number }[];
  /** Not everything was looked at. */
  readonly unscanned: boolean;
}

/** What is known of an exchange; `BodyReport` is one. */
export type BodyFacts = Omit<ReportBody, "changed"> & { readonly changed?: number };

/** What body policies did with the exchange of a decision. Plain data that survives a structured clone. */
export interface Amendment {
  readonly decision_id: string;
  readonly body: BodyRecord;
}

/** So many names of each sort are kept. */
const MAX_NAMES = 64;
const MAX_NAME = 512;

/** The record of what body policies did; bounded, whoever says so. */
export function bodyRecordOf(facts: BodyFacts): BodyRecord {
  const { refused } = facts;
  const rules: [string, number][] = [];
  let sum = 0;
  for (const [name, count] of facts.changes) {
    sum += count;
    if (rules.length < MAX_NAMES) rules.push([short(name), count]);
  }
  return {
    policies: facts.policies.slice(0, MAX_NAMES).map(short),
    fulfilled: facts.fulfilled.slice(0, MAX_NAMES).map(short),
    changes: Math.max(facts.changed ?? 0, sum),
    // `__proto__` is a name like any other.
    rules: Object.fromEntries(rules),
    refused:
      refused === undefined
        ? null
        : { policy: short(refused.policy), reason: short(refused.reason), phase: refused.phase ?? null },
    dry_run: facts.dryRun
      .slice(0, MAX_NAMES)
      .map(({ policy, reason }) => ({ policy: short(policy), reason: short(reason) })),
    request_bytes: facts.requestBytes,
    response_bytes: facts.responseBytes,
    usage: facts.usage.slice(0, MAX_NAMES).map(({ quota, units }) => ({ quota: short(quota), units })),
    unscanned: facts.unscanned,
  };
}

/** `NAMESPACE/NAME` and the rule of a key of `rules`. */
export function ruleOfChange(key: string): readonly [policy: string, rule: string] {
  const end = key.indexOf("/", key.indexOf("/") + 1);
  return end < 0 ? [key, ""] : [key.slice(0, end), key.slice(end + 1)];
}

function short(name: string): string {
  return briefText(name, MAX_NAME) ?? "";
}
