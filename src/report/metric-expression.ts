import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type ExpressionType, readExpression } from "../expressions/index.js";
import { keysRead } from "./keys-read.js";
import { reportVocabulary } from "./vocabulary.js";
import { isUrlHeader } from "./vocabulary-attribute.js";

/** An expression over reports; undefined when it is none, with findings at their places in its text. */
export function readReportExpression(
  value: unknown,
  type: ExpressionType,
  at: Path,
  out: Finding[],
): string | undefined {
  return readExpression(value, { type, at, vocabulary: reportVocabulary }, out);
}

const withQuery = /\brequest\.(?:path|query|query_params|referer)\b/;
const inTemplate = /\bpathTemplate\(\s*request\.path\b/g;

/** An expression that becomes the value of a label. */
export function readLabelExpression(value: unknown, at: Path, out: Finding[]): string | undefined {
  const source = readReportExpression(value, "scalar", at, out);
  if (source !== undefined && showsQuery(source)) {
    const message = "reads the query, so that what clients send there is shown; expected `request.url_path`";
    out.push(finding(codes.labelShowsQuery, at, message));
  }
  return source;
}

function showsQuery(source: string): boolean {
  if (withQuery.test(source.replace(inTemplate, ""))) return true;
  return keysRead(source).headers.some(isUrlHeader);
}

/** Prometheus' own: bounds of buckets and of summaries. */
const reserved: ReadonlySet<string> = new Set(["le", "quantile"]);

/** Whether a label may have this name; otherwise there is a finding. */
export function checkLabelName(name: string, at: Path, out: Finding[]): boolean {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !name.startsWith("__") && !reserved.has(name)) return true;
  const expected = reserved.has(name)
    ? "is Prometheus' own, expected another name"
    : "is no label's name, expected letters, digits and `_`, not beginning with a digit or `__`";
  out.push(finding(codes.invalidName, at, `${show(name)} ${expected}`));
  return false;
}
