import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import {
  asFields,
  attachmentFields,
  type Fields,
  type Parsed,
  type ResourceDocument,
  readAttachment,
  readFields,
  readText,
  wrongType,
} from "../documents/index.js";
import { dryRunAnnotation, refuseInternal } from "./annotations.js";
import type { AuthorizationPolicy } from "./authorization-policy.js";
import { readObligations } from "./obligations.js";
import { readRules } from "./parse-rule.js";

const specKeys: ReadonlySet<string> = new Set([...attachmentFields, "rules", "action", "provider"]);
const providerKeys: ReadonlySet<string> = new Set(["name"]);
const actions = ["ALLOW", "DENY", "AUDIT", "CUSTOM"] as const;
const here: Path = ["spec"];

/**
 * A `security.istio.io` AuthorizationPolicy of either version. Refuses what Istio's CRD or istiod refuses,
 * unknown fields, and values that Istio lets through and at which Envoy ends. An absent spec allows nothing.
 *
 * `spec` is also set when the only errors are `customNeedsIdentity`, which do not count in a Mesh with
 * `customSeesIdentity`.
 */
export function parseAuthorizationPolicy(document: ResourceDocument): Parsed<AuthorizationPolicy> {
  const findings: Finding[] = [];
  const spec = document.spec === undefined ? {} : asFields(document.spec, here, findings, specKeys);
  if (spec === undefined) return { spec: undefined, findings };
  const action = readAction(spec, findings);
  const policy = {
    namespace: document.namespace,
    name: document.name,
    dryRun: readDryRun(document, action, findings),
    obligations: readObligations(document, action, findings),
    action,
    provider: readProvider(spec, action, findings),
    ...readAttachment(spec, here, findings),
    rules: readRules(spec, action, here, findings),
  };
  refuseInternal(document, findings);
  refuseWithoutRules(policy, spec, findings);
  const wrong = findings.some(({ code }) => code.severity === "error" && code !== codes.customNeedsIdentity);
  return { spec: wrong ? undefined : policy, findings };
}

function readAction(spec: Fields, out: Finding[]): AuthorizationPolicy["action"] {
  const action = readText(spec, "action", here, out);
  const known = actions.find((name) => name === action);
  if (action !== undefined && known === undefined) {
    const message = `unknown action ${show(action)}, expected ALLOW, DENY, AUDIT or CUSTOM`;
    out.push(finding(codes.wrongEnum, ["spec", "action"], message));
  }
  return known ?? "ALLOW";
}

function readProvider(
  spec: Fields,
  action: AuthorizationPolicy["action"],
  out: Finding[],
): string | undefined {
  const provider = readFields(spec, "provider", here, out, providerKeys);
  const name = provider && readText(provider, "name", ["spec", "provider"], out);
  if (action !== "CUSTOM") {
    if (provider === undefined) return undefined;
    const message = `\`provider\` beside action ${action}, expected it only with CUSTOM`;
    out.push(finding(codes.conflictingFields, ["spec", "provider"], message));
  } else if (spec["provider"] === undefined || (provider && provider["name"] === undefined)) {
    out.push(wrongType(undefined, ["spec", "provider", "name"], "the name of an extension provider"));
  } else if (name === "") {
    const message = "`provider.name` is empty, expected the name of an extension provider";
    out.push(finding(codes.emptyValue, ["spec", "provider", "name"], message));
  }
  return name;
}

function refuseWithoutRules({ action, rules }: AuthorizationPolicy, spec: Fields, out: Finding[]): void {
  if (rules.length > 0 || (action !== "DENY" && action !== "CUSTOM")) return;
  if (spec["rules"] !== undefined && !Array.isArray(spec["rules"])) return;
  const absent = spec["rules"] === undefined;
  const message = `${action} without rules never acts, expected \`rules: [{}]\` to match every request`;
  // Istio's own translation gives CUSTOM with `rules: []` a meaning, and it is harmless: nothing is asked.
  const code = action === "CUSTOM" && !absent ? codes.emptyRules : codes.neverTriggered;
  out.push(finding(code, absent ? here : ["spec", "rules"], message));
}

/** The spellings of Go's strconv.ParseBool. */
const truths: ReadonlySet<string> = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falsehoods: ReadonlySet<string> = new Set(["0", "f", "F", "FALSE", "false", "False"]);

function readDryRun(
  { annotations }: ResourceDocument,
  action: AuthorizationPolicy["action"],
  out: Finding[],
): boolean {
  const value = annotations.get(dryRunAnnotation);
  if (value === undefined) return false;
  const at: Path = ["metadata", "annotations", dryRunAnnotation];
  if (!truths.has(value) && !falsehoods.has(value)) {
    const message = `annotation \`${dryRunAnnotation}\` is ${show(value)}, expected \`true\` or \`false\``;
    out.push(finding(codes.invalidValue, at, message));
  } else if (action !== "ALLOW" && action !== "DENY") {
    const message = `annotation \`${dryRunAnnotation}\` on a policy with action ${action}, expected ALLOW or DENY`;
    out.push(finding(codes.conflictingFields, at, message));
  }
  return truths.has(value);
}
