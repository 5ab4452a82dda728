import { codes, type Finding, finding, hasErrors, type Path } from "../../diagnostics/index.js";
import {
  fieldOf,
  type Message,
  messageList,
  messageTexts,
  pathOf,
  type ResourceDocument,
  readMessage,
} from "../../documents/index.js";
import type { AuthorizationPolicy } from "../authorization-policy.js";
import { parseAuthorizationPolicy } from "../parse-authorization-policy.js";
import { toV1Rules } from "./early-rules.js";
import type { EarlyAuthorizationPolicy } from "./model.js";
import { bindingFields, readBinding } from "./parse-binding.js";

const specFields: ReadonlySet<string> = new Set([
  ...["selector", "workloadSelector", "allow", "rules", "action", "provider"],
]);
const selectorFields: ReadonlySet<string> = new Set(["labels", "matchLabels", "namespaces"]);

/** One v1 policy that the document stands for. */
interface Draft {
  readonly suffix: string;
  readonly dryRun: boolean;
  readonly spec: Readonly<Record<string, unknown>>;
}

/**
 * AuthorizationPolicy of `rbac.istio.io/v1alpha1`, as the v1 policies that it equals: one for each of
 * `selector.namespaces` (its own namespace when there are none). `allow` holds bindings with inline
 * `actions`, whose PERMISSIVE ones become a dry-run policy of their own; `rules` with `action` are already
 * those of v1.
 */
export function readEarlyPolicy(
  document: ResourceDocument,
  out: Finding[],
): EarlyAuthorizationPolicy | undefined {
  const message = readMessage(document.spec ?? {}, ["spec"], out, specFields);
  if (message === undefined) return undefined;
  const { labels, namespaces } = readEarlySelector(message, out);
  const selector = labels === undefined ? {} : { selector: { matchLabels: labels } };
  const drafts = message.written.has("allow")
    ? readAllow(message, selector, out)
    : [readRules(message, selector)];
  if (hasErrors(out)) return undefined;
  const homes = namespaces.length > 0 ? namespaces : [document.namespace];
  const policies = homes.flatMap((namespace) =>
    drafts.map((draft) => toPolicy(document, namespace, draft, out)),
  );
  const forms = homes.flatMap((namespace) => drafts.map((draft) => show(document.name, namespace, draft)));
  const text = `early form of AuthorizationPolicy, expected instead of it in security.istio.io/v1: ${forms.join(" and ")}`;
  out.push(finding(codes.earlyPolicy, ["apiVersion"], text));
  return { kind: "AuthorizationPolicy", policies: policies.filter((policy) => policy !== undefined) };
}

function readEarlySelector(
  spec: Message,
  out: Finding[],
): { readonly labels: unknown; readonly namespaces: readonly string[] } {
  const field = spec.written.has("selector") ? "selector" : "workloadSelector";
  if (field === "selector" && spec.written.has("workloadSelector")) {
    const message = "`workloadSelector` stands beside `selector`, expected only one of them";
    out.push(finding(codes.conflictingFields, pathOf(spec, "workloadSelector"), message));
  }
  const value = fieldOf(spec, field);
  const selector =
    value === undefined ? undefined : readMessage(value, pathOf(spec, field), out, selectorFields);
  if (selector === undefined) return { labels: undefined, namespaces: [] };
  if (selector.written.has("labels") && selector.written.has("matchLabels")) {
    const message = "`labels` stands beside `matchLabels`, expected only one of them";
    out.push(finding(codes.conflictingFields, pathOf(selector, "labels"), message));
  }
  const namespaces = messageTexts(selector, "namespaces", out);
  namespaces.forEach((namespace, i) => {
    if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace)) return;
    const message =
      "namespace is malformed, expected an exact name; for all of them put the policy into the root namespace";
    out.push(finding(codes.invalidName, [...pathOf(selector, "namespaces"), i], message));
  });
  if (selector.written.has("namespaces") && namespaces.length === 0) {
    const message = "`namespaces` is empty, expected at least one name";
    out.push(finding(codes.emptyValue, pathOf(selector, "namespaces"), message));
  }
  return { labels: fieldOf(selector, "labels") ?? fieldOf(selector, "matchLabels"), namespaces };
}

function readRules(spec: Message, selector: object): Draft {
  const given = ["action", "provider", "rules"].filter((field) => spec.written.has(field));
  const fields = Object.fromEntries(given.map((field) => [field, fieldOf(spec, field)]));
  return { suffix: "", dryRun: false, spec: { ...selector, ...fields } };
}

function readAllow(spec: Message, selector: object, out: Finding[]): readonly Draft[] {
  for (const field of ["rules", "action", "provider"]) {
    if (!spec.written.has(field)) continue;
    const message = `\`${field}\` stands beside \`allow\`, expected only one of the two forms`;
    out.push(finding(codes.conflictingFields, pathOf(spec, field), message));
  }
  const at = pathOf(spec, "allow");
  const enforced: unknown[] = [];
  const permissive: unknown[] = [];
  messageList(spec, "allow", out).forEach((item, i) => {
    const message = readMessage(item, [...at, i], out, bindingFields);
    if (message === undefined) return;
    const binding = readBinding(message, out);
    if (typeof binding.role === "string") {
      const text = "binding refers to a role, expected its rules inline in `actions`";
      out.push(finding(codes.invalidValue, message.at, text));
      return;
    }
    const rules = toV1Rules(binding.subjects, binding.role, message.at, out);
    (binding.permissive ? permissive : enforced).push(...rules);
  });
  const drafts = [{ suffix: "", dryRun: false, spec: { ...selector, rules: enforced } }];
  if (permissive.length > 0) {
    drafts.push({ suffix: "-permissive", dryRun: true, spec: { ...selector, rules: permissive } });
  }
  return drafts;
}

/**
 * What v1 has to say about it stands under `spec`, at the place in the document when the form has the same
 * fields.
 */
function toPolicy(
  document: ResourceDocument,
  namespace: string,
  { suffix, dryRun, spec }: Draft,
  out: Finding[],
): AuthorizationPolicy | undefined {
  const annotations = dryRun ? new Map([["istio.io/dry-run", "true"]]) : document.annotations;
  const parsed = parseAuthorizationPolicy({
    ...document,
    annotations,
    namespace,
    name: document.name + suffix,
    spec,
  });
  for (const { code, message, path } of parsed.findings) {
    const known = out.some((one) => one.message === message && one.path.join() === path.join());
    if (!known) out.push(finding(code, place(document.spec, path), message));
  }
  return parsed.spec;
}

/** The longest part of the path that the document really has. */
function place(spec: unknown, path: Path): Path {
  let value: unknown = { spec };
  const found: (string | number)[] = [];
  for (const part of path) {
    if (path[0] !== "spec") return path;
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) break;
    value = (value as Record<string | number, unknown>)[part];
    found.push(part);
  }
  return found;
}

/** The v1 form on one line; JSON is YAML. */
function show(name: string, namespace: string, { suffix, dryRun, spec }: Draft): string {
  const annotations = dryRun ? { annotations: { "istio.io/dry-run": "true" } } : {};
  const metadata = { name: name + suffix, namespace, ...annotations };
  return `\`${JSON.stringify({ metadata, spec })}\``;
}
