import type { CheckResponse__Output, Struct__Output, Value__Output } from "../../src/proto/index.js";
import type { Expected } from "./corpus-case.js";

/** What an answer says, in the corpus's terms. */
interface Actual {
  readonly verdict: string;
  readonly recorded: string;
  readonly stage: string | undefined;
  readonly rule: string | undefined;
  readonly audit: boolean | undefined;
  readonly dryRun: string;
  readonly status: number | string | undefined;
  readonly principal: string | undefined;
  readonly body: string;
  readonly challenge: string | undefined;
}

/** Every point in which an answer is not what the real Envoy did; empty when they agree. */
export function disagreements(expected: Expected, response: CheckResponse__Output): string[] {
  const record = decisionRecord(response);
  const actual: Actual = {
    stage: field(record, "stage")?.stringValue,
    verdict: response.status?.code === undefined || response.status.code === 0 ? "allow" : "deny",
    recorded: field(record, "allowed")?.boolValue === true ? "allow" : "deny",
    rule: ruleOf(record),
    audit: field(record, "audit")?.boolValue,
    dryRun: dryRunOf(record),
    status: response.denied_response?.status?.code,
    principal: field(field(record, "authn")?.structValue, "principal")?.stringValue,
    body: response.denied_response?.body ?? "",
    challenge: response.denied_response?.headers?.find(({ header }) => header?.key === "www-authenticate")
      ?.header?.value,
  };
  const found: string[] = [];
  const compare = (what: string, want: unknown, got: unknown): void => {
    if (want !== got) found.push(`${what}: expected ${String(want)}, got ${String(got)}`);
  };
  compare("verdict", expected.verdict, actual.verdict);
  compare("answer's form", expected.verdict, response.denied_response === undefined ? "allow" : "deny");
  compare("recorded verdict", expected.verdict, actual.recorded);
  if (expected.verdict === "deny" && expected.status !== 0) {
    compare("status", expected.status, actual.status);
    if (expected.body !== undefined) compare("body", expected.body, actual.body);
    compare("www-authenticate", expected.headers?.["www-authenticate"], actual.challenge);
  }
  // On TCP Envoy told the verdict only.
  if (expected.by !== "tcp") {
    compare("audit", expected.audit, actual.audit);
    compare("rule", expectedRule(expected, actual), actual.rule);
    compare("dry run", expectedDryRun(expected), actual.dryRun);
    compare("principal", expectedPrincipal(expected), actual.principal);
  }
  return found;
}

/** The id of the rule that decided, as Istio writes it for rules other than CUSTOM. */
function expectedRule(expected: Expected, actual: Actual): string | undefined {
  const { istio_ext_authz_shadow_effective_policy_id: custom, enforced_effective_policy_id: enforced } =
    expected.rbac_metadata ?? {};
  if (expected.by === "custom") return istioRule(custom);
  if (expected.by === "rbac") return istioRule(/matched_policy\[(.*)\]$/.exec(expected.details ?? "")?.[1]);
  // No rule of the later stages decided, so ours names the one that the provider was asked for.
  if (actual.stage === "custom") return istioRule(custom);
  // The key may be the AUDIT filter's when no ALLOW rule replaced it; then nothing decided.
  return expected.audit === true && actual.rule === undefined ? undefined : istioRule(enforced);
}

/** Without what Istio puts around the ids of CUSTOM rules; undefined for `none`. */
function istioRule(id: string | undefined): string | undefined {
  return /ns\[.*\]-policy\[.*\]-rule\[\d+\]/.exec(id ?? "")?.[0];
}

/** Whom the verified token names, where it names both issuer and subject; a refused token names nobody. */
function expectedPrincipal({ by, jwt_payload: verified }: Expected): string | undefined {
  const { iss, sub } = verified?.payload ?? {};
  return by !== "jwt" && iss && sub ? `${String(iss)}/${String(sub)}` : undefined;
}

function expectedDryRun({ rbac_metadata: metadata = {} }: Expected): string {
  const results = ["allow", "deny"].flatMap((action) => {
    const result = metadata[`istio_dry_run_${action}_shadow_engine_result`];
    const rule = metadata[`istio_dry_run_${action}_shadow_effective_policy_id`];
    return result === undefined ? [] : [dryRunText(action, result, rule)];
  });
  return results.join(", ");
}

function dryRunOf(record: Struct__Output | undefined): string {
  const results = field(record, "dry_run")?.listValue?.values ?? [];
  return results
    .map(({ structValue }) =>
      dryRunText(
        field(structValue, "action")?.stringValue?.toLowerCase() ?? "",
        field(structValue, "result")?.stringValue ?? "",
        ruleOf(structValue),
      ),
    )
    .sort()
    .join(", ");
}

function dryRunText(action: string, result: string, rule: string | undefined): string {
  return `${action} ${result} by ${rule ?? "no rule"}`;
}

function ruleOf(record: Struct__Output | undefined): string | undefined {
  const policy = field(record, "policy")?.stringValue;
  if (policy === undefined) return undefined;
  const slash = policy.indexOf("/");
  const index = field(record, "rule")?.numberValue ?? 0;
  return `ns[${policy.slice(0, slash)}]-policy[${policy.slice(slash + 1)}]-rule[${index}]`;
}

function decisionRecord({ dynamic_metadata: metadata }: CheckResponse__Output): Struct__Output | undefined {
  return field(metadata ?? undefined, "gatehouse")?.structValue ?? undefined;
}

function field(struct: Struct__Output | null | undefined, name: string): Value__Output | undefined {
  const fields = struct?.fields ?? {};
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
