import { codes, type Finding, show, showNamed } from "../diagnostics/index.js";
import { findingAt } from "./check-keys.js";
import type { DescriptorConfig, Limit, Unit } from "./model.js";
import type { RawDescriptor, RawLimit } from "./read-fields.js";

const units: ReadonlySet<string> = new Set<Unit>([
  "SECOND",
  "MINUTE",
  "HOUR",
  "DAY",
  "WEEK",
  "MONTH",
  "YEAR",
]);

/**
 * What a descriptor is found by among those beside it; `_` is not escaped, so that two spellings may be one.
 */
export function compositeOf({ key, value }: Pick<DescriptorConfig, "key" | "value">): string {
  return value === "" ? key : `${key}_${value}`;
}

/** Checks what stands below `parent` (the domain, and the composite keys above) and gives it as it counts. */
export function checkDescriptors(
  descriptors: readonly RawDescriptor[],
  parent: string,
  findings: Finding[],
): readonly DescriptorConfig[] {
  const seen = new Set<string>();
  return descriptors.map((raw) => {
    const composite = compositeOf(raw);
    if (raw.key === "")
      findings.push(findingAt(codes.rateLimitDescriptor, raw.place, "descriptor has an empty key"));
    else if (seen.has(composite)) {
      findings.push(findingAt(codes.rateLimitDuplicate, raw.place, duplicateOf(`${parent}.${composite}`)));
    }
    seen.add(composite);
    if (raw.shareThreshold && !composite.endsWith("*")) {
      const message = `\`share_threshold\` on ${show(composite)}, expected a value or key that ends with *`;
      findings.push(findingAt(codes.rateLimitDescriptor, raw.place, message));
    }
    return {
      key: raw.key,
      value: raw.value,
      rateLimit: raw.rateLimit === undefined ? undefined : checkLimit(raw.rateLimit, findings),
      descriptors: checkDescriptors(raw.descriptors, `${parent}.${composite}`, findings),
      shadowMode: raw.shadowMode,
      quotaMode: raw.quotaMode,
      detailedMetric: raw.detailedMetric,
      valueToMetric: raw.valueToMetric,
      shareThreshold: raw.shareThreshold,
      line: raw.place.line,
      column: raw.place.column,
    };
  });
}

/** Names a composite key that stands twice at one level; by the peer's path to it. */
export function duplicateOf(path: string): string {
  return showNamed("duplicate descriptor composite key", path);
}

function checkLimit(raw: RawLimit, findings: Finding[]): Limit {
  const unit = unitOf(raw.unit);
  if (raw.unlimited && unit !== undefined) {
    const message = "rate limit with a unit, expected none when `unlimited`";
    findings.push(findingAt(codes.rateLimitUnit, raw.unitPlace, message));
  } else if (!raw.unlimited && unit === undefined) {
    const expected = "expected second, minute, hour, day, week, month or year";
    const message = `invalid rate limit unit ${show(raw.unit)}, ${expected}`;
    findings.push(findingAt(codes.rateLimitUnit, raw.unitPlace, message));
  }
  for (const { name, place } of raw.replaces) {
    if (name === "") findings.push(findingAt(codes.rateLimitReplaces, place, "empty `replaces` entry"));
    else if (name === raw.name) {
      const message = `\`replaces\` names the limit's own name ${show(name)}`;
      findings.push(findingAt(codes.rateLimitReplaces, place, message));
    }
  }
  return {
    unit: raw.unlimited ? undefined : unit,
    requestsPerUnit: raw.requestsPerUnit,
    unlimited: raw.unlimited,
    name: raw.name,
    replaces: raw.replaces.map(({ name }) => name),
  };
}

function unitOf(text: string): Unit | undefined {
  const name = text.toUpperCase();
  return units.has(name) ? (name as Unit) : undefined;
}
