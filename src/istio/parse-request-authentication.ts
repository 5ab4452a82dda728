import { codes, type Finding, finding, hasErrors, type Path } from "../diagnostics/index.js";
import {
  type Attached,
  asFields,
  attachmentFields,
  type Parsed,
  type Reference,
  type ResourceDocument,
  readAttachment,
  readList,
} from "../documents/index.js";
import { refuseDryRun, refuseInternal } from "./annotations.js";
import { checkJwks } from "./parse-jwt-keys.js";
import { readJwtRule } from "./parse-jwt-rule.js";
import type { RequestAuthentication } from "./request-authentication.js";
import { checkLength } from "./validate-values.js";

const specKeys: ReadonlySet<string> = new Set([...attachmentFields, "jwtRules"]);
const here: Path = ["spec"];
const rulesPath: Path = [...here, "jwtRules"];
const maxRules = 4096;

/**
 * A `security.istio.io` RequestAuthentication of either version. Refuses what Istio's CRD or istiod refuses
 * and unknown fields; an absent spec has no rules. `jwksFile` is ours: its text comes with
 * {@link completeRequestAuthentication}.
 */
export function parseRequestAuthentication(document: ResourceDocument): Parsed<RequestAuthentication> {
  const findings: Finding[] = [];
  const spec = document.spec === undefined ? {} : asFields(document.spec, here, findings, specKeys);
  if (spec === undefined) return { spec: undefined, findings };
  const list = readList(spec, "jwtRules", here, findings) ?? [];
  checkLength(list, maxRules, rulesPath, findings);
  const attached = readAttachment(spec, here, findings);
  const read = list.map((item, i) => readJwtRule(item, [...rulesPath, i], findings));
  refuseInternal(document, findings);
  refuseDryRun(document, findings);
  const required = read.findIndex((one) => one?.required);
  if (required >= 0) findings.push(presenceWarning(document, attached, required));
  if (hasErrors(findings)) return { spec: undefined, findings };
  const rules = read.filter((one) => one !== undefined);
  const references = rules.map(({ file }) => file).filter((file): file is Reference => file !== undefined);
  const policy = {
    namespace: document.namespace,
    name: document.name,
    ...attached,
    rules: rules.map(({ rule }) => rule),
    keyFiles: rules.flatMap(({ file }, i) => (file === undefined ? [] : [i])),
  };
  return references.length === 0 ? { spec: policy, findings } : { spec: policy, findings, references };
}

/**
 * Puts the texts of key files, in the order of the parser's references, into the rules, with the same
 * findings as for keys that stand in the document. A text that is missing is none that could be read.
 */
export function completeRequestAuthentication(
  policy: RequestAuthentication,
  texts: readonly string[],
): Parsed<RequestAuthentication> {
  const findings: Finding[] = [];
  const rules = [...policy.rules];
  policy.keyFiles.forEach((index, i) => {
    const jwks = texts[i] ?? "";
    checkJwks(jwks, [...rulesPath, index, "jwksFile"], findings);
    const rule = rules[index];
    if (rule !== undefined) rules[index] = { ...rule, keys: { kind: "inline", jwks } };
  });
  return { spec: hasErrors(findings) ? undefined : { ...policy, rules, keyFiles: [] }, findings };
}

/** Once a document, since one policy does for all its rules. */
function presenceWarning(document: ResourceDocument, attached: Attached, index: number): Finding {
  const message = `\`presence: REQUIRED\` has no effect, as in Istio; what refuses requests without a token is \`${requireToken(document, attached)}\``;
  return finding(codes.presenceWithoutEffect, [...rulesPath, index, "presence"], message);
}

/** The policy that requires a token where the document applies, as YAML on one line. */
function requireToken({ namespace }: ResourceDocument, { selector, targetRefs }: Attached): string {
  const inline = (value: unknown): string => JSON.stringify(value).replaceAll("`", "\\u0060");
  const labels = selector === undefined || selector.length === 0 ? undefined : Object.fromEntries(selector);
  const refs = targetRefs.map(({ group, kind, name }) => ({ group, kind, name }));
  const where = [
    labels === undefined ? "" : `selector: {matchLabels: ${inline(labels)}}, `,
    refs.length === 0 ? "" : `targetRefs: ${inline(refs)}, `,
  ].join("");
  const rules = 'rules: [{from: [{source: {notRequestPrincipals: ["*"]}}]}]';
  return `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: require-token, namespace: ${namespace}}, spec: {${where}action: DENY, ${rules}}}`;
}
