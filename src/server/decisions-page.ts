import { GatehouseError } from "../diagnostics/index.js";
import {
  type DecisionFilter,
  type DecisionOutcome,
  decisionOutcomes,
  type JoinedRecord,
} from "../telemetry/index.js";
import { json, type PageAnswer, text } from "./admin.js";

/** The decisions that are asked for. */
export type FindDecisions = (filter: DecisionFilter) => Promise<readonly JoinedRecord[]>;

/** The last decisions, each with what became of it; 400 for a question that cannot be understood. */
export async function decisionsPage(query: URLSearchParams, find: FindDecisions): Promise<PageAnswer> {
  let filter: DecisionFilter;
  try {
    filter = readFilter(query);
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "bad_request") return text(400, error.message);
    throw error;
  }
  return json({ decisions: (await find(filter)).map(show) });
}

function show(record: JoinedRecord): unknown {
  const { time, response } = record;
  return {
    ...record,
    time: new Date(time).toISOString(),
    ...(response && { response: { ...response, time: new Date(response.time).toISOString() } }),
  };
}

type Reader = (value: string) => DecisionFilter | undefined;

/** What each parameter says, undefined when it is none of what it can be. */
const parameters: ReadonlyMap<string, { readonly expected: string; readonly read: Reader }> = new Map([
  [
    "denied",
    {
      expected: "true or false",
      read: (value) => (/^(?:true|false)$/.test(value) ? { denied: value === "true" } : undefined),
    },
  ],
  ["policy", { expected: "NAMESPACE/NAME", read: named((policy) => ({ policy })) }],
  [
    "outcome",
    {
      expected: decisionOutcomes.join(", "),
      read: (outcome) => (isOutcome(outcome) ? { outcome } : undefined),
    },
  ],
  ["principal", { expected: "ISSUER/SUBJECT or a principal", read: given((principal) => ({ principal })) }],
  ["host", { expected: "a host", read: given((host) => ({ host })) }],
  ["path", { expected: "what the path begins with: /…", read: matching(/^\//, (path) => ({ path })) }],
  ["since", { expected: "a time as in 2026-01-31T12:00:00Z", read: since }],
  ["decision_id", { expected: "an id", read: given((decisionId) => ({ decisionId })) }],
  ["request_id", { expected: "an x-request-id", read: given((requestId) => ({ requestId })) }],
  ["stage", { expected: "a stage as in a record", read: matching(/^[a-z_]+$/, (stage) => ({ stage })) }],
  [
    "reason",
    { expected: "a reason as in a record", read: matching(/^[a-z0-9_]+$/, (reason) => ({ reason })) },
  ],
  ["body_policy", { expected: "NAMESPACE/NAME", read: named((bodyPolicy) => ({ bodyPolicy })) }],
  [
    "unmet",
    {
      expected: "true or false",
      read: (value) => (/^(?:true|false)$/.test(value) ? { unmet: value === "true" } : undefined),
    },
  ],
  ["quota", { expected: "NAMESPACE/NAME", read: named((quota) => ({ quota })) }],
  [
    "after",
    {
      expected: "the `cursor` of a record, or 0",
      read: matching(/^\d{1,15}$/, (after) => ({ after: Number(after) })),
    },
  ],
  ["limit", { expected: "a number", read: matching(/^\d{1,9}$/, (limit) => ({ limit: Number(limit) })) }],
]);

/** Throws `bad_request`, which says what was expected. */
function readFilter(query: URLSearchParams): DecisionFilter {
  const filter: DecisionFilter = {};
  const seen = new Set<string>();
  for (const [name, value] of query) {
    const parameter = parameters.get(name);
    if (parameter === undefined) {
      const known = [...parameters.keys()].join(", ");
      throw new GatehouseError("bad_request", `unknown parameter \`${name}\`, expected ${known}`);
    }
    const read = parameter.read(value);
    if (read === undefined || seen.has(name)) {
      throw new GatehouseError(
        "bad_request",
        seen.has(name)
          ? `\`${name}\` is given twice, expected it once`
          : `bad \`${name}\`, expected ${parameter.expected}`,
      );
    }
    seen.add(name);
    Object.assign(filter, read);
  }
  return filter;
}

function matching(form: RegExp, make: (value: string) => DecisionFilter): Reader {
  return (value) => (form.test(value) ? make(value) : undefined);
}

function given(make: (value: string) => DecisionFilter): Reader {
  return matching(/./s, make);
}

function named(make: (value: string) => DecisionFilter): Reader {
  return matching(/^[^/]+\/[^/]+$/, make);
}

function isOutcome(value: string): value is DecisionOutcome {
  return (decisionOutcomes as readonly string[]).includes(value);
}

/** RFC 3339, of which a `+` in a query that nobody escaped became a space. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

function since(value: string): DecisionFilter | undefined {
  const time = value.replace(" ", "+");
  const ms = rfc3339.test(time) ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? undefined : { since: ms };
}
