import type { Attributes, Workload } from "../attributes/index.js";
import {
  type Attribute,
  createVocabulary,
  listOf,
  type MapOperations,
  mapOf,
  mapView,
  requestVocabulary,
  types,
  type Vocabulary,
} from "../expressions/index.js";
import type { QuotaFact } from "../quota/index.js";
import type { BodyEvent, BodyObservation, BodyRecord, CheckObservation } from "../telemetry/index.js";

/** What is known of a decision, or of what body policies did with what it allowed. */
interface DecisionFacts {
  readonly decisionId: string;
  readonly allowed: boolean;
  readonly code: number;
  readonly stage: string;
  readonly reason: string | undefined;
  readonly rule: { readonly policy: string; readonly rule?: number | undefined } | undefined;
  readonly generation: number;
  readonly failedOpen: boolean;
  readonly audit: boolean | undefined;
  readonly quota: { readonly facts: readonly QuotaFact[] };
  readonly obligations: readonly string[];
}

/** What an expression over decisions reads. */
export interface DecisionInput {
  /** As the stages left them, with the verified token; undefined when the request could not be read. */
  readonly attributes: Attributes | undefined;
  readonly workload: Workload | undefined;
  readonly decision: DecisionFacts;
  /** Undefined: it is no check that took time, see `body`. */
  readonly durationMs: number | undefined;
  /** What body policies did; undefined: the decision itself is written. */
  readonly body: BodyRecord | undefined;
}

/** What an expression reads of a decision and of what it was about. */
export function decisionInput({ decision, attributes, durationMs }: CheckObservation): DecisionInput {
  return {
    attributes: decision.attributes ?? attributes,
    workload: decision.workload ?? attributes?.workload,
    decision,
    durationMs,
    body: undefined,
  };
}

const noQuota: DecisionFacts["quota"] = { facts: [] };

/** The same of an exchange that went through body policies. */
export function bodyInput({ attributes, workload }: BodyObservation, event: BodyEvent): DecisionInput {
  return {
    attributes,
    workload,
    decision: {
      decisionId: event.decision_id,
      allowed: event.allowed,
      code: event.code,
      stage: event.stage,
      reason: event.reason ?? undefined,
      rule: event.policy === null ? undefined : { policy: event.policy },
      generation: event.snapshot,
      failedOpen: false,
      audit: undefined,
      quota: noQuota,
      obligations: event.obligations,
    },
    durationMs: undefined,
    body: event.body,
  };
}

const { bool, double, int, string } = types;
type Read = Attribute<DecisionInput>["read"];

const of = (
  name: string,
  type: Attribute<DecisionInput>["type"],
  read: (input: DecisionInput) => ReturnType<Read>,
): Attribute<DecisionInput> => ({ name, type, read });

const known = (text: string | undefined): string | undefined => (text === "" ? undefined : text);

/** All that is said of a request is absent where it could not be read. */
const requestAttributes: readonly Attribute<DecisionInput>[] = [...requestVocabulary.attributes.values()].map(
  ({ read, ...attribute }) => ({
    ...attribute,
    read: ({ attributes, workload }, budget) =>
      attributes === undefined ? undefined : read({ attributes, workload }, budget),
  }),
);

/** What an expression may say of a decision: the request's attributes and what came of it. */
export const decisionVocabulary: Vocabulary<DecisionInput> = createVocabulary([
  ...requestAttributes,
  of("check.event", string, ({ body }) => (body === undefined ? "decision" : "body")),
  of("check.decision_id", string, ({ decision }) => decision.decisionId),
  of("check.allowed", bool, ({ decision }) => decision.allowed),
  of("check.code", int, ({ decision }) => BigInt(decision.code)),
  of("check.stage", string, ({ decision }) => decision.stage),
  of("check.reason", string, ({ decision }) => decision.reason),
  of("check.policy", string, ({ decision }) => known(decision.rule?.policy)),
  of("check.rule", int, ({ decision: { rule } }) =>
    rule?.rule === undefined ? undefined : BigInt(rule.rule),
  ),
  of("check.snapshot", int, ({ decision }) => BigInt(decision.generation)),
  of("check.failed_open", bool, ({ decision }) => decision.failedOpen),
  of("check.audit", bool, ({ decision }) => decision.audit === true),
  of("check.duration", double, ({ durationMs }) => durationMs),
  of("check.obligations", listOf(string), ({ decision }) => decision.obligations),
  of("check.body.policies", listOf(string), ({ body }) => body?.policies),
  of("check.body.changes", int, ({ body }) => (body === undefined ? undefined : BigInt(body.changes))),
  of("check.body.unscanned", bool, ({ body }) => body?.unscanned),
  of("quota.names", listOf(string), ({ decision }) => decision.quota.facts.map(({ quota }) => quota)),
  of("quota.cost", mapOf(int), (input) => quotaView(({ cost }) => cost, input)),
  of("quota.limit", mapOf(int), (input) => quotaView(({ limit }) => limit, input)),
  of("quota.remaining", mapOf(int), (input) => quotaView(({ counter }) => counter.remaining, input)),
]);

type QuotaNumber = (fact: QuotaFact) => number;

function quotaView(read: QuotaNumber, { decision }: DecisionInput): ReturnType<Read> {
  return mapView(operationsOf(read), decision.quota.facts);
}

/** One number of each quota by its name. */
function operationsOf(read: QuotaNumber): MapOperations<readonly QuotaFact[]> {
  const find = (facts: readonly QuotaFact[], name: string): QuotaFact | undefined =>
    facts.find(({ quota }) => quota === name);
  return {
    get: (facts, name) => {
      const fact = find(facts, name);
      return fact === undefined ? undefined : BigInt(Math.trunc(read(fact)));
    },
    has: (facts, name) => find(facts, name) !== undefined,
    size: (facts) => facts.length,
    keys: (facts) => facts.map(({ quota }) => quota),
  };
}
