import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type Fields, readFields, wrongType } from "./fields.js";

/** `selector.matchLabels`: pairs that a workload's labels must all have; no pair selects all. */
export type Selector = readonly (readonly [label: string, value: string])[];

const selectorFields: ReadonlySet<string> = new Set(["matchLabels"]);

/** The `selector` of a spec at `at`; undefined when there is none. */
export function readSelector(spec: Fields, at: Path, out: Finding[]): Selector | undefined {
  const selector = readFields(spec, "selector", at, out, selectorFields);
  if (selector === undefined) return undefined;
  const labels = readFields(selector, "matchLabels", [...at, "selector"], out);
  const pairs = labels === undefined ? [] : Object.entries(labels);
  const here: Path = [...at, "selector", "matchLabels"];
  if (pairs.length > 4096) {
    const message = `\`matchLabels\` has ${pairs.length} labels, expected at most 4096`;
    out.push(finding(codes.tooMany, here, message));
  }
  if (pairs.length === 0 && (labels !== undefined || selector["matchLabels"] === undefined)) {
    const message = "`selector` has no labels, so it selects every workload; expected `matchLabels`";
    out.push(finding(codes.selectorWithoutLabels, [...at, "selector"], message));
  }
  const read: [string, string][] = [];
  for (const [label, value] of pairs) {
    const wrong = checkLabel(label, value, [...here, label]);
    if (wrong !== undefined) out.push(wrong);
    else read.push([label, value as string]);
  }
  return read;
}

function checkLabel(label: string, value: unknown, at: Path): Finding | undefined {
  if (typeof value !== "string") return wrongType(value, at, "a string");
  if (label === "") return finding(codes.emptyValue, at, "label name is empty");
  if (label.includes("*") || value.includes("*")) {
    const message = `wildcard in label ${show(`${label}: ${value}`)}, expected an exact name and value`;
    return finding(codes.invalidValue, at, message);
  }
  if ([...value].length <= 63) return undefined;
  return finding(codes.tooMany, at, `value of label ${show(label)} is longer than 63 characters`);
}
