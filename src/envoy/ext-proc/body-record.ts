import { Buffer } from "node:buffer";
import type { JsonObject, JsonValue } from "../../attributes/index.js";
import type { BodyReport } from "../../body/index.js";

/** Bytes of all names in it, which keeps it below 1 KiB as protobuf, and of what stands around each. */
const maxNames = 760;
const aroundName = 6;
const aroundEntry = 28;

/**
 * What became of bodies, for `gatehouse.body`: names and numbers. Below 1 KiB: where there is no room for all, the first
 * ones stay, those before others that are asked for more: the refusal, obligations, policies, usage, changes, trials.
 */
export function bodyRecord(report: BodyReport): JsonObject {
  let left = maxNames;
  const fits = (name: string, around: number): boolean => {
    const size = Buffer.byteLength(name) + around;
    if (size > left) return false;
    left -= size;
    return true;
  };
  const names = (all: readonly string[]): readonly string[] => all.filter((name) => fits(name, aroundName));
  const { refused } = report;
  const isNamed = refused !== undefined && refused.policy !== "" && fits(refused.policy, aroundEntry);
  const fulfilled = names(report.fulfilled);
  const fulfilledMore = report.fulfilled.length - fulfilled.length;
  const policies = names(report.policies);
  const usage = report.usage.filter(({ quota }) => fits(quota, aroundEntry));
  let changes = 0;
  const rules: [string, JsonValue][] = [];
  for (const [rule, count] of report.changes) {
    changes += count;
    if (fits(rule, aroundEntry)) rules.push([rule, count]);
  }
  const dryRun = report.dryRun.filter(({ policy }) => fits(policy, 2 * aroundEntry));
  return {
    policies,
    ...(fulfilled.length > 0 && { fulfilled }),
    // Whoever compares with what was asked for has to know that names are missing.
    ...(fulfilledMore > 0 && { fulfilled_more: fulfilledMore }),
    ...(changes > 0 && { changes, rules: Object.fromEntries(rules) }),
    ...(refused !== undefined && {
      refused: {
        ...(isNamed && { policy: refused.policy }),
        reason: refused.reason,
        phase: refused.phase,
      },
    }),
    ...(dryRun.length > 0 && { dry_run: dryRun.map(({ policy, reason }) => ({ policy, reason })) }),
    request_bytes: report.requestBytes,
    response_bytes: report.responseBytes,
    ...(usage.length > 0 && { usage: usage.map(({ quota, units }) => ({ quota, units })) }),
    ...(report.unscanned && { unscanned: true }),
  };
}
