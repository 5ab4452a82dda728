import type { TokenPlaces } from "../authn/index.js";
import {
  type BodyObservation,
  bodyEventOf,
  type CheckObservation,
  type DecisionRecord,
  isNoteworthy,
} from "../telemetry/index.js";
import { compileDecisionLine, type DecisionText, severityOf, type Told } from "./decision-line.js";
import { type Asked, compileKeep, compileRule, type RuleFailed } from "./decision-rules.js";
import type { AuditSettings, DecisionLogSettings } from "./decision-settings.js";
import { bodyInput, decisionInput } from "./decision-vocabulary.js";
import type { LogLine } from "./sink.js";
import { auditSink, decisionSinkName } from "./sink-names.js";
import { traceOf } from "./trace-of.js";

/** What a decision log takes from its surroundings. */
export interface DecisionLogPorts {
  /** Every place from which the configuration reads a token or key: masked, whatever the settings show. */
  readonly places: readonly TokenPlaces[];
  /** Counts expressions that had no value. */
  readonly failed: RuleFailed;
}

/** Writes decisions. */
export interface DecisionLog {
  /** The lines of a decision for the sinks that take it. Never throws; may be asked in a later turn than the check. */
  readonly lines: (observation: CheckObservation, record: DecisionRecord) => readonly LogLine[];
  /**
   * The second lines of a decision, when body policies refused, changed or missed something of what it had allowed; mostly
   * none. `now`: milliseconds since the epoch. Never throws.
   */
  readonly bodyLines: (observation: BodyObservation, now: number) => readonly LogLine[];
  /**
   * Names of the sinks whose line must be stored before the request is answered. Empty: nothing has to be waited for.
   */
  readonly strict: ReadonlySet<string>;
}

interface Target {
  readonly sink: string;
  readonly takes: Asked;
  readonly line: (told: Told) => DecisionText;
  readonly forOtlp: boolean;
  /** What is dropped and sampled is not kept from it. */
  readonly takesAll: boolean;
}

/** Compiles the log and the audit file; undefined where no decision is written anywhere. */
export function compileDecisionLog(
  settings: DecisionLogSettings,
  audit: AuditSettings | undefined,
  { places, failed }: DecisionLogPorts,
): DecisionLog | undefined {
  const keep = compileKeep(settings, failed);
  const general = shareLine(
    compileDecisionLine({ settings, mask: { headers: [], rules: [] }, places, failed }),
  );
  const targets: Target[] = settings.sinks.map(({ name, otlp, filter, mask, strict }) => {
    const isGeneral = mask.headers.length === 0 && mask.rules.length === 0;
    const own = isGeneral ? general : shareLine(compileDecisionLine({ settings, mask, places, failed }));
    return {
      sink: decisionSinkName(name),
      takes: takesOf(filter, failed, strict ? "all" : settings.keepDenied ? "denied" : "none"),
      line: own,
      forOtlp: otlp !== undefined,
      takesAll: false,
    };
  });
  if (audit !== undefined) {
    const takes = takesOf(audit.filter, failed, "all");
    targets.push({ sink: auditSink, takes, line: general, forOtlp: false, takesAll: true });
  }
  if (targets.length === 0) return undefined;
  const strict = settings.sinks.filter((sink) => sink.strict).map(({ name }) => decisionSinkName(name));
  if (audit?.strict === true) strict.push(auditSink);
  const linesOf = (told: Told): readonly LogLine[] => {
    const { record, input } = told;
    const isKept = keep(input);
    const lines: LogLine[] = [];
    for (const { sink, takes, line, forOtlp, takesAll } of targets) {
      if ((!isKept && !takesAll) || !takes(input)) continue;
      const { text, record: shown } = line(told);
      const { time } = record;
      const severity = severityOf(record);
      if (!forOtlp) lines.push({ sink, time, severity, text });
      else {
        const trace = traceOf(told.attributes);
        const { traceId, spanId } = trace ?? {};
        lines.push({ sink, time, severity, text, fields: fieldsOf(shown), traceId, spanId });
      }
    }
    return lines;
  };
  return {
    strict: new Set(strict),
    lines: (observation, record) =>
      linesOf({ record, attributes: observation.attributes, input: decisionInput(observation) }),
    bodyLines(observation, now) {
      const record = bodyEventOf(observation, now);
      if (!isNoteworthy(record)) return noLines;
      const { attributes } = observation;
      return linesOf({ record, attributes, input: bodyInput(observation, record) });
    },
  };
}

const noLines: readonly LogLine[] = [];

/** A filter that has no value takes everything, what is denied, or nothing. */
function takesOf(
  filter: string | undefined,
  failed: RuleFailed,
  otherwise: "all" | "denied" | "none",
): Asked {
  if (filter === undefined) return () => true;
  let hasFailed = false;
  const ask = compileRule(filter, {
    place: "filter",
    otherwise: false,
    failed: (place) => {
      hasFailed = true;
      failed(place);
    },
  });
  return (input) => {
    hasFailed = false;
    const taken = ask(input);
    if (!hasFailed) return taken;
    return otherwise === "all" || (otherwise === "denied" && !input.decision.allowed);
  };
}

/** Sinks with the same masks share the text of a decision. */
function shareLine(line: ReturnType<typeof compileDecisionLine>): Target["line"] {
  let last: { readonly of: Told; readonly text: DecisionText } | undefined;
  return (told) => {
    if (last?.of === told) return last.text;
    const text = line(told);
    last = { of: told, text };
    return text;
  };
}

/** What a collector may want to find records by; masked as the text is. */
const found = [
  "decision_id",
  "event",
  "allowed",
  "code",
  "stage",
  "reason",
  "policy",
  "source_principal",
  "destination_namespace",
  "destination_workload",
] as const;

function fieldsOf(shown: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const fields: Record<string, string | number | boolean> = {};
  for (const name of found) {
    const value = shown[name];
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      fields[`gatehouse.${name}`] = value;
    }
  }
  return fields;
}
