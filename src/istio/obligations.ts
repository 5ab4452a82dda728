import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import type { ResourceDocument } from "../documents/index.js";
import { maxObligations, noObligations, obligationOf, sortObligations } from "../rbac/index.js";
import type { AuthorizationPolicy } from "./authorization-policy.js";

/** Names BodyPolicies that hold for what a policy matches, with commas between them. */
const obligationsAnnotation = "gatehouse.dev/obligations";
const at: Path = ["metadata", "annotations", obligationsAnnotation];
const expected = `expected 1 to ${maxObligations} BodyPolicies as \`NAME\` or \`NAMESPACE/NAME\`, with commas between them`;

/** The annotation's BodyPolicies as `NAMESPACE/NAME`; a name without a namespace is of the policy's own. */
export function readObligations(
  { annotations, namespace }: ResourceDocument,
  action: AuthorizationPolicy["action"],
  out: Finding[],
): readonly string[] {
  const text = annotations.get(obligationsAnnotation);
  if (text === undefined) return noObligations;
  if (action !== "ALLOW" && action !== "AUDIT") {
    const where = `annotation \`${obligationsAnnotation}\` on a policy with action ${action}`;
    out.push(finding(codes.invalidObligations, at, `${where}, expected ALLOW or AUDIT`));
    return noObligations;
  }
  const names: string[] = [];
  const written = text.split(",");
  for (const part of written.slice(0, maxObligations + 1)) {
    const name = obligationOf(part.trim(), namespace);
    if (name !== undefined) names.push(name);
    else out.push(finding(codes.invalidObligations, at, `${show(part.trim())} is no name, ${expected}`));
  }
  if (written.length > maxObligations) {
    out.push(finding(codes.invalidObligations, at, `${written.length} names, ${expected}`));
  }
  return sortObligations(names);
}

/** For kinds whose decisions carry none. */
export function refuseObligations({ annotations, kind }: ResourceDocument, out: Finding[]): void {
  if (!annotations.has(obligationsAnnotation)) return;
  const where = `annotation \`${obligationsAnnotation}\` on a ${kind}`;
  out.push(finding(codes.invalidObligations, at, `${where}, expected it only on an AuthorizationPolicy`));
}

/** Of the BodyPolicies that a policy names those that are among `onTrial`, and so will not act. */
export function trialObligations(
  { obligations }: Pick<AuthorizationPolicy, "obligations">,
  onTrial: ReadonlySet<string>,
): readonly Finding[] {
  return obligations
    .filter((name) => onTrial.has(name))
    .map((name) => {
      const message = `BodyPolicy \`${name}\` has \`dryRun\`, so that it is asked for and never acts`;
      return finding(codes.obligationOnTrial, at, message);
    });
}

/** Of the BodyPolicies that a policy names those that are not among `known`, `NAMESPACE/NAME`. */
export function unknownObligations(
  { obligations }: Pick<AuthorizationPolicy, "obligations">,
  known: ReadonlySet<string>,
): readonly Finding[] {
  return obligations
    .filter((name) => !known.has(name))
    .map((name) => finding(codes.unknownObligation, at, `no BodyPolicy \`${name}\` is loaded`));
}
