import { codes, type Finding, finding, show } from "../../diagnostics/index.js";
import {
  fieldOf,
  type Message,
  messageEnum,
  messageText,
  pathOf,
  readMessage,
} from "../../documents/index.js";
import type { AccessRule, ServiceRoleBinding } from "./model.js";
import { readAccessRules } from "./parse-role.js";
import { readSubjects } from "./parse-subject.js";

const roleRefFields: ReadonlySet<string> = new Set(["kind", "name"]);
const modes: readonly ["ENFORCED", "PERMISSIVE"] = ["ENFORCED", "PERMISSIVE"];

/** The fields of a binding. */
export const bindingFields: ReadonlySet<string> = new Set(["subjects", "roleRef", "mode", "actions", "role"]);

/** Whether an enforcement mode is PERMISSIVE: nothing is enforced, all is evaluated beside. */
export function isPermissive(owner: Message, field: string, out: Finding[]): boolean {
  return messageEnum(owner, field, modes, out) === "PERMISSIVE";
}

/** The fields of a binding, which the early AuthorizationPolicy has in its `allow` too. */
export function readBinding(
  spec: Message,
  out: Finding[],
): Pick<ServiceRoleBinding, "role" | "permissive" | "subjects"> {
  return {
    role: readRole(spec, out),
    permissive: isPermissive(spec, "mode", out),
    subjects: readSubjects(spec, out),
  };
}

function readRole(spec: Message, out: Finding[]): string | readonly AccessRule[] {
  const given = ["roleRef", "role", "actions"].filter((field) => spec.written.has(field));
  const [field] = given;
  if (field === undefined || given.length > 1) {
    const what = field === undefined ? "no role" : `${given.map((name) => `\`${name}\``).join(" beside ")}`;
    const message = `${what} in the binding, expected exactly one of roleRef, role and actions`;
    out.push(finding(codes.conflictingFields, field === undefined ? spec.at : pathOf(spec, field), message));
    return "";
  }
  if (field === "actions") return readAccessRules(spec, "actions", out);
  if (field === "role") {
    const role = messageText(spec, "role", out);
    if (role !== "" && !role.includes("/")) return role;
    const message = `role ${show(role)} is not usable, expected the name of a ServiceRole in the same namespace`;
    out.push(finding(codes.invalidValue, pathOf(spec, "role"), message));
    return "";
  }
  const ref = readMessage(fieldOf(spec, "roleRef"), pathOf(spec, "roleRef"), out, roleRefFields);
  if (ref === undefined) return "";
  const kind = messageText(ref, "kind", out);
  const name = messageText(ref, "name", out);
  if (kind !== "ServiceRole") {
    const message = `roleRef has kind ${show(kind)}, expected \`ServiceRole\``;
    out.push(finding(codes.wrongEnum, pathOf(ref, "kind"), message));
  }
  if (name === "") {
    out.push(
      finding(codes.emptyValue, pathOf(ref, "name"), "roleRef has no name, expected that of a ServiceRole"),
    );
  }
  return name;
}
