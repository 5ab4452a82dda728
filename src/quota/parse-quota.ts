import { codes, type Finding, finding, hasErrors, type Path } from "../diagnostics/index.js";
import {
  asFields,
  type Fields,
  type Parsed,
  type ResourceDocument,
  readSelector,
  wrongType,
} from "../documents/index.js";
import { readExpression } from "../expressions/index.js";
import { MAX_UNITS } from "./charges.js";
import { constantCost } from "./compile-quota.js";
import { readAllowance } from "./parse-allowance.js";
import { readDimensions } from "./parse-dimensions.js";
import { readOverrides } from "./parse-overrides.js";
import { readRateLimitService } from "./parse-rate-limit-service.js";
import { readResponse } from "./parse-response.js";
import { readEnum, readFlag } from "./parse-scalars.js";
import type { Quota } from "./quota.js";
import type { Allowance } from "./store.js";

const fields: ReadonlySet<string> = new Set([
  "selector",
  "match",
  "dimensions",
  "limit",
  "window",
  "algorithm",
  "burst",
  "cost",
  "overrides",
  "dryRun",
  "onStoreFailure",
  "localShare",
  "response",
  "chargeId",
  "chargesRefused",
  "rateLimitService",
]);

/** A unit that is held for a time, and given back by nobody who could say how much it was. */
const notForConcurrency = ["cost", "chargeId", "chargesRefused"] as const;

/**
 * Parses a `gatehouse.dev` Quota. `docs/quotas.md` is the reference of its fields.
 *
 * @example
 * ```yaml
 * apiVersion: gatehouse.dev/v1alpha1
 * kind: Quota
 * metadata: {name: per-user, namespace: shop}
 * spec:
 *   selector: {matchLabels: {app: orders}}
 *   match: request.method == 'POST'
 *   dimensions: [request.auth.claims.sub]
 *   limit: 100
 *   window: 1m
 * ```
 */
export function parseQuota(document: ResourceDocument): Parsed<Quota> {
  const at: Path = ["spec"];
  const out: Finding[] = [];
  const spec = asFields(document.spec ?? {}, at, out, fields);
  if (spec === undefined) return { spec: undefined, findings: out };
  const selector = readSelector(spec, at, out);
  const match = readOptional(spec, "match", "bool", out);
  const dimensions = readDimensions(spec, at, out);
  const areWhole = !hasErrors(out);
  const allowance = readAllowance(spec, at, out);
  const cost = readCost(spec, allowance, out);
  const own = allowance === undefined ? undefined : { allowance, namesBurst: spec["burst"] !== undefined };
  const known = areWhole ? dimensions : undefined;
  const overrides = readOverrides(spec, { own, dimensions: known }, at, out);
  const dryRun = readFlag(spec, "dryRun", at, out);
  const onStoreFailure = readEnum(spec, "onStoreFailure", [at, out], ["deny", "allow", "local"]);
  const localShare = readShare(spec, out);
  const response = readResponse(spec, at, out);
  const chargeId = readOptional(spec, "chargeId", "string", out);
  const chargesRefused = readFlag(spec, "chargesRefused", at, out);
  const rateLimit = readRateLimitService(spec, known, at, out);
  checkConcurrency(spec, allowance, out);
  if (allowance === undefined || dimensions === undefined || hasErrors(out)) {
    return { spec: undefined, findings: out };
  }
  return {
    spec: {
      namespace: document.namespace,
      name: document.name,
      selector,
      match,
      dimensions,
      allowance,
      cost,
      overrides,
      dryRun,
      onStoreFailure,
      localShare,
      response,
      chargeId,
      chargesRefused,
      rateLimit,
    },
    findings: out,
  };
}

function readOptional(
  spec: Fields,
  key: string,
  type: "bool" | "string",
  out: Finding[],
): string | undefined {
  return spec[key] === undefined ? undefined : readExpression(spec[key], { type, at: ["spec", key] }, out);
}

/** A number is as good as the text of one. */
function readCost(spec: Fields, allowance: Allowance | undefined, out: Finding[]): string | undefined {
  const at: Path = ["spec", "cost"];
  const given = spec["cost"];
  if (given === undefined) return undefined;
  const text = typeof given === "number" ? String(given) : readExpression(given, { type: "int", at }, out);
  if (text === undefined) return undefined;
  const units = typeof given === "number" ? given : constantCost(text);
  if (units === undefined) return text;
  if (!Number.isInteger(units) || units < 0 || units > MAX_UNITS) {
    const message = `\`cost\` is ${units}, expected a whole number from 0 to ${MAX_UNITS}, or CEL that gives one`;
    out.push(finding(codes.invalidValue, at, message));
  } else if (units === 0) {
    out.push(finding(codes.quotaWithoutCost, at, "`cost` is 0, so nothing is ever counted"));
  } else if (allowance !== undefined && allowance.limit > 0 && units > roomOf(allowance)) {
    const message = `\`cost\` is ${units}, more than the ${roomOf(allowance)} that may pass at once, so nothing passes`;
    out.push(finding(codes.quotaWithoutRoom, at, message));
  }
  return text;
}

/** Most units of one request that could ever pass. */
function roomOf({ algorithm, limit, burst }: Allowance): number {
  return algorithm === "tokenBucket" ? burst : limit;
}

/** Half, unless it is said: two replicas that both count by themselves grant the limit together. */
function readShare(spec: Fields, out: Finding[]): number {
  const at: Path = ["spec", "localShare"];
  const share = spec["localShare"];
  if (share === undefined) return 0.5;
  if (typeof share !== "number") {
    out.push(wrongType(share, at, "a number above 0, at most 1"));
    return 0.5;
  }
  if (!(share > 0 && share <= 1)) {
    out.push(finding(codes.invalidValue, at, `\`localShare\` is ${share}, expected above 0, at most 1`));
  }
  if (spec["onStoreFailure"] !== "local") {
    const message = "`localShare` has no effect without `onStoreFailure: local`";
    out.push(finding(codes.quotaFieldWithoutEffect, at, message));
  }
  return share;
}

function checkConcurrency(spec: Fields, allowance: Allowance | undefined, out: Finding[]): void {
  if (allowance?.algorithm !== "concurrency") return;
  for (const key of notForConcurrency) {
    if (spec[key] === undefined || spec[key] === false) continue;
    const message = `\`${key}\` stands beside algorithm \`concurrency\`, expected it with other algorithms only`;
    out.push(finding(codes.conflictingFields, ["spec", key], message));
  }
}
