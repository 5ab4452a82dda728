import { codes, type Finding, finding, hasErrors, show } from "../../diagnostics/index.js";
import {
  fieldOf,
  type Message,
  messageEnum,
  messageTexts,
  type Parsed,
  pathOf,
  type ResourceDocument,
  readMessage,
} from "../../documents/index.js";
import { readEarlyPolicy } from "./early-policy.js";
import type { AccessRule, LegacyResource, RbacConfig, Target } from "./model.js";
import { bindingFields, isPermissive, readBinding } from "./parse-binding.js";
import { readAccessRules } from "./parse-role.js";

/**
 * A document of `rbac.istio.io/v1alpha1`: ServiceRole, ServiceRoleBinding, RbacConfig, ClusterRbacConfig or
 * the early AuthorizationPolicy. Refuses what Istio 1.4 refused and what it only logged while it made a rule
 * wider. Every good document has one warning that names its successor.
 */
export function parseLegacy(document: ResourceDocument): Parsed<LegacyResource> {
  const findings: Finding[] = [];
  const spec = read(document, findings);
  if (hasErrors(findings)) return { spec: undefined, findings };
  if (document.kind !== "AuthorizationPolicy") {
    const message = `\`${document.kind}\` is a legacy kind, expected AuthorizationPolicy of security.istio.io/v1`;
    findings.push(finding(codes.legacyKind, ["kind"], message));
  }
  return { spec, findings };
}

const configFields: ReadonlySet<string> = new Set(["mode", "inclusion", "exclusion", "enforcementMode"]);

const fields = {
  ServiceRole: new Set(["rules"]) as ReadonlySet<string>,
  ServiceRoleBinding: bindingFields,
  RbacConfig: configFields,
  ClusterRbacConfig: configFields,
} as const;

function read(document: ResourceDocument, out: Finding[]): LegacyResource | undefined {
  const { kind, namespace, name } = document;
  if (kind === "AuthorizationPolicy") return readEarlyPolicy(document, out);
  if (!Object.hasOwn(fields, kind)) {
    const message = `unknown kind ${show(kind)}, expected ServiceRole, ServiceRoleBinding, RbacConfig, ClusterRbacConfig or AuthorizationPolicy`;
    out.push(finding(codes.unknownKind, ["kind"], message));
    return undefined;
  }
  const spec = readMessage(document.spec ?? {}, ["spec"], out, fields[kind as keyof typeof fields]);
  if (spec === undefined) return undefined;
  if (kind === "ServiceRole") {
    const rules = readAccessRules(spec, "rules", out);
    requireServices(rules, out);
    return { kind, namespace, name, rules };
  }
  if (kind === "ServiceRoleBinding") return { kind, namespace, name, ...readBinding(spec, out) };
  return readConfig(kind as RbacConfig["kind"], name, spec, out);
}

/** Without `services` a rule would hold for every service of the namespace, which `["*"]` says openly. */
function requireServices(rules: readonly AccessRule[], out: Finding[]): void {
  rules.forEach(({ services }, i) => {
    if (services.length > 0) return;
    const message = '`services` is missing, expected host names, or `["*"]` for all of the namespace';
    out.push(finding(codes.missingField, ["spec", "rules", i, "services"], message));
  });
}

const rbacModes: readonly [RbacConfig["mode"], ...RbacConfig["mode"][]] = [
  "OFF",
  "ON",
  "ON_WITH_INCLUSION",
  "ON_WITH_EXCLUSION",
];
const targetFields: ReadonlySet<string> = new Set(["services", "namespaces"]);

function readConfig(kind: RbacConfig["kind"], name: string, spec: Message, out: Finding[]): RbacConfig {
  if (name !== "default") {
    const message = `${kind} is named ${show(name)}, expected \`default\`: no other name counts`;
    out.push(finding(codes.invalidName, ["metadata", "name"], message));
  }
  const mode = messageEnum(spec, "mode", rbacModes, out);
  const needed =
    mode === "ON_WITH_INCLUSION" ? "inclusion" : mode === "ON_WITH_EXCLUSION" ? "exclusion" : undefined;
  if (needed !== undefined && !spec.written.has(needed)) {
    const message = `\`${needed}\` is missing in mode ${mode}, expected it, or \`${needed}: {}\` for none`;
    out.push(finding(codes.missingField, [...spec.at, needed], message));
  }
  return {
    kind,
    mode,
    inclusion: readTarget(spec, "inclusion", out),
    exclusion: readTarget(spec, "exclusion", out),
    permissive: isPermissive(spec, "enforcementMode", out),
  };
}

function readTarget(spec: Message, field: string, out: Finding[]): Target {
  const value = fieldOf(spec, field);
  const target = value === undefined ? undefined : readMessage(value, pathOf(spec, field), out, targetFields);
  if (target === undefined) return { services: [], namespaces: [] };
  return {
    services: messageTexts(target, "services", out),
    namespaces: messageTexts(target, "namespaces", out),
  };
}
