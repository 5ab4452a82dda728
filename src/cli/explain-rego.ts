import type { OpaCompiler } from "../adapters/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import type { ProviderRequest, Verdict } from "../engine/index.js";
import { inquiryOf, packageOf, type RegoPolicy, valuesOf } from "../rego/index.js";
import { maskSecrets } from "./secrets.js";

/** A policy in Rego that was asked, and what it answered. */
export interface Asked {
  readonly policy: RegoPolicy;
  readonly request: ProviderRequest;
  readonly verdict: Verdict;
  /** Why it had no answer. */
  readonly failure: string | undefined;
}

/** What `check --explain` says of one policy. */
export interface RegoExplanation {
  /** `NAMESPACE/NAME`. */
  readonly policy: string;
  /** In words. */
  readonly verdict: string;
  /** The rules' package, `data.envoy.authz`; null when the rules cannot be shown. */
  readonly package: string | null;
  /** Of the package's rules, as JSON values; what is not there is undefined. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Rules without a value. */
  readonly undefined: readonly string[];
}

/**
 * Evaluates the rules around each policy's entrypoint once more with OPA, on the input that it had. The values are the
 * author's own and may hold what the request showed, but for its tokens, keys and cookies.
 */
export async function explainRego(
  asked: readonly Asked[],
  opa: Pick<OpaCompiler, "eval" | "inspect">,
): Promise<RegoExplanation[]> {
  const explanations: RegoExplanation[] = [];
  for (const one of asked) {
    const { policy } = one;
    const base = { policy: `${policy.namespace}/${policy.name}`, verdict: inWords(one) };
    explanations.push({ ...base, ...(await rulesOf(one, opa)) });
  }
  return explanations;
}

type Rules = Pick<RegoExplanation, "package" | "values" | "undefined">;

const unknown: Rules = { package: null, values: {}, undefined: [] };

/** An explanation that fails is none; the decision stands. */
async function rulesOf(asked: Asked, opa: Pick<OpaCompiler, "eval" | "inspect">): Promise<Rules> {
  try {
    return await evaluateRules(asked, opa);
  } catch (error) {
    if (error instanceof GatehouseError) return unknown;
    throw error;
  }
}

async function evaluateRules(
  { policy, request }: Asked,
  opa: Pick<OpaCompiler, "eval" | "inspect">,
): Promise<Rules> {
  const inquiry = inquiryOf(policy, request);
  if (inquiry === undefined) return unknown;
  const { modules, regoVersion } = inquiry;
  const { packages } = await opa.inspect({ modules, regoVersion });
  const name = packageOf(policy.query, Object.keys(packages));
  const { rules = [], files = [] } = name === undefined ? {} : (packages[name] ?? {});
  if (name === undefined) return unknown;
  const mask = maskSecrets(inquiry.input);
  const { value } = await opa.eval({ ...inquiry, query: name });
  const own = Object.fromEntries(files.map((file) => [file, modules[file] ?? ""]));
  const { values, undefined: missing } = valuesOf(value, rules, own);
  const parsed = [...values].map(([rule, json]): [string, unknown] => [rule, mask(JSON.parse(json))]);
  return { package: name, values: Object.fromEntries(parsed), undefined: missing };
}

function inWords({ verdict, failure }: Asked): string {
  const { allowed, httpStatus, failed, failedOpen, isBadRequest, dryRun } = verdict;
  if (isBadRequest) return `denied with ${httpStatus}: the request cannot be read`;
  if (dryRun === "denied") return "allowed on trial, would deny";
  if (dryRun === "allowed") return "allowed on trial, would allow";
  const why = failure === undefined ? "" : `: ${failure}`;
  if (failedOpen) return `allowed by failOpen, gave no answer${why}`;
  if (failed) return `denied with ${httpStatus}, gave no answer${why}`;
  return allowed ? "allowed" : `denied with ${httpStatus}`;
}

/** Of one value in text for people. */
const MAX_SHOWN = 2_000;

/** As lines of text. */
export function describeRego(explanations: readonly RegoExplanation[]): string[] {
  return explanations.flatMap(({ policy, verdict, package: name, values, undefined: missing }) => [
    `rego ${policy}: ${verdict}`,
    ...(name === null ? ["  its rules cannot be shown"] : [`  rules of ${name}:`]),
    ...Object.entries(values).map(([rule, value]) => `    ${rule} = ${shown(value)}`),
    ...(missing.length === 0 ? [] : [`    undefined: ${missing.join(", ")}`]),
  ]);
}

/** One line, without what moves a terminal's cursor. */
function shown(value: unknown): string {
  const text = JSON.stringify(value).replace(/\p{Cc}/gu, "?");
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
