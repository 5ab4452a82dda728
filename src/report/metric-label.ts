import { compileExpression } from "../expressions/index.js";
import type { ReportInput } from "./plan.js";
import type { Report } from "./report.js";
import { reportVocabulary } from "./vocabulary.js";

/** What Istio calls a label's value that nobody knows. */
const unknown = "unknown";

/**
 * The value of a label; never throws. What is not there is `unknown`; what is too long the store calls
 * `other`.
 */
function compileLabel(source: string): (input: ReportInput) => string {
  const { evaluate } = compileExpression(source, "scalar", reportVocabulary);
  return (input) => {
    try {
      return evaluate(input);
    } catch {
      return unknown;
    }
  };
}

/** What expressions read of a report; that of the last report is remembered, since many ask about one. */
export function createReportInputs(): (report: Report) => ReportInput {
  let last: ReportInput | undefined;
  return (report) => {
    if (last?.report === report) return last;
    const { attributes, destination } = report;
    last = { attributes, workload: destination?.workload, report };
    return last;
  };
}

/** The value of a label of each report. */
export type LabelValue = (report: Report) => string;

/** Values of labels by their expression: each once for a report, however many metrics have the label. */
export function createLabelValues(inputOf: (report: Report) => ReportInput): (source: string) => LabelValue {
  const bySource = new Map<string, LabelValue>();
  return (source) => {
    const known = bySource.get(source);
    if (known !== undefined) return known;
    const label = compileLabel(source);
    let last: Report | undefined;
    let value = "";
    const made: LabelValue = (report) => {
      if (report === last) return value;
      last = report;
      value = label(inputOf(report));
      return value;
    };
    bySource.set(source, made);
    return made;
  };
}
