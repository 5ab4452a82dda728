import { codes, type Finding, finding, hasErrors, type Path, show } from "../diagnostics/index.js";
import {
  asFields,
  fieldOf,
  type Message,
  messageEnum,
  type Parsed,
  pathOf,
  type ResourceDocument,
  readMessage,
  readSelector,
  type Selector,
  wrongType,
} from "../documents/index.js";
import type { Rbac, RbacPolicy } from "./model.js";
import { refuseUnanswerable, type Unanswerable } from "./oneof.js";
import { readNodes, readPermission, readPrincipal } from "./parse-rules.js";

/**
 * One RBAC filter of its own, for the workloads of a namespace. At least one of the two rule sets is there.
 */
export interface EnvoyRbac {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector | undefined;
  /** Enforced. */
  readonly rules: Rbac | undefined;
  /** Evaluated beside, reported, never enforced. */
  readonly shadowRules: Rbac | undefined;
}

const noMatchers: Unanswerable = {
  matcher: "the matching API is not supported, expected `rules`",
  shadowMatcher: "the matching API is not supported, expected `shadowRules`",
};
const specFields: ReadonlySet<string> = new Set([
  "selector",
  "rules",
  "shadowRules",
  ...Object.keys(noMatchers),
]);
const rbacFields: ReadonlySet<string> = new Set(["action", "policies", "auditLoggingOptions"]);
const policyFields: ReadonlySet<string> = new Set([
  ...["permissions", "principals", "condition", "checkedCondition", "celConfig"],
]);

/**
 * A document of kind EnvoyRbac. `rules` and `shadowRules` are `envoy.config.rbac.v3.RBAC` with field names in
 * either spelling, validated as Envoy 1.40 validates them; what a check request cannot answer is an error.
 */
export function parseEnvoyRbac(document: ResourceDocument): Parsed<EnvoyRbac> {
  const findings: Finding[] = [];
  const at: Path = ["spec"];
  const spec = readMessage(document.spec ?? {}, at, findings, specFields);
  if (spec === undefined) return { spec: undefined, findings };
  refuseUnanswerable(spec, noMatchers, findings);
  const read = {
    namespace: document.namespace,
    name: document.name,
    selector: readSelector(spec.fields, at, findings),
    rules: readRbac(spec, "rules", findings),
    shadowRules: readRbac(spec, "shadowRules", findings),
  };
  if (!["rules", "shadowRules", ...Object.keys(noMatchers)].some((field) => spec.written.has(field))) {
    findings.push(wrongType(undefined, [...at, "rules"], "an RBAC configuration there or in `shadowRules`"));
  }
  return { spec: hasErrors(findings) ? undefined : read, findings };
}

function readRbac(spec: Message, field: string, out: Finding[]): Rbac | undefined {
  if (!spec.written.has(field)) return undefined;
  const rbac = readMessage(fieldOf(spec, field), pathOf(spec, field), out, rbacFields);
  if (rbac === undefined) return undefined;
  refuseUnanswerable(rbac, { auditLoggingOptions: "audit loggers are extensions inside Envoy" }, out);
  const at = pathOf(rbac, "policies");
  const value = fieldOf(rbac, "policies");
  const policies = value === undefined ? {} : (asFields(value, at, out) ?? {});
  const read = Object.entries(policies).flatMap(([name, policy]): [string, RbacPolicy][] => {
    const one = readPolicy(policy, [...at, name], out);
    return one === undefined ? [] : [[name, one]];
  });
  return {
    action: messageEnum(rbac, "action", ["ALLOW", "DENY", "LOG"], out),
    policies: Object.fromEntries(read),
  };
}

const notYet = "conditions in CEL are not supported, expected permissions and principals only";
const noConditions: Unanswerable = { condition: notYet, checkedCondition: notYet, celConfig: notYet };

function readPolicy(value: unknown, at: Path, out: Finding[]): RbacPolicy | undefined {
  if (typeof value !== "object" || value === null) {
    out.push(finding(codes.wrongType, at, `policy ${show(at.at(-1))} is ${show(value)}, expected a mapping`));
    return undefined;
  }
  const policy = readMessage(value, at, out, policyFields);
  if (policy === undefined) return undefined;
  refuseUnanswerable(policy, noConditions, out);
  return {
    permissions: readNodes(policy, "permissions", readPermission, 0, out),
    principals: readNodes(policy, "principals", readPrincipal, 0, out),
  };
}
