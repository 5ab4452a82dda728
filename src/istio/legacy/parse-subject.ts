import { codes, type Finding, finding, type Path, show } from "../../diagnostics/index.js";
import {
  fieldOf,
  type Message,
  messageList,
  messageText,
  messageTexts,
  pathOf,
  readMessage,
  wrongType,
} from "../../documents/index.js";
import {
  type Check,
  checkHeaderName,
  checkIpBlock,
  checkNamespace,
  checkPrincipal,
  type Problem,
} from "../validate-values.js";
import type { Subject } from "./model.js";

const subjectFields: ReadonlySet<string> = new Set([
  ...["user", "group", "names", "notNames", "groups", "notGroups"],
  ...["namespaces", "notNamespaces", "ips", "notIps", "properties"],
]);

/** The subjects of a binding, which needs some, none of them empty. */
export function readSubjects(owner: Message, out: Finding[]): readonly Subject[] {
  const at = pathOf(owner, "subjects");
  const items = messageList(owner, "subjects", out);
  if (items.length === 0) {
    out.push(finding(codes.missingField, at, "`subjects` has no subject, expected at least one"));
  }
  const subjects = items.map((item, i) => readSubject(item, [...at, i], out));
  return subjects.filter((subject) => subject !== undefined);
}

function readSubject(value: unknown, at: Path, out: Finding[]): Subject | undefined {
  const message = readMessage(value, at, out, subjectFields);
  if (message === undefined) return undefined;
  const subject: Subject = {
    user: messageText(message, "user", out),
    group: messageText(message, "group", out),
    names: readChecked(message, "names", checkName, out),
    notNames: readChecked(message, "notNames", checkName, out),
    groups: messageTexts(message, "groups", out),
    notGroups: messageTexts(message, "notGroups", out),
    namespaces: readChecked(message, "namespaces", checkLegacyNamespace, out),
    notNamespaces: readChecked(message, "notNamespaces", checkLegacyNamespace, out),
    ips: readChecked(message, "ips", checkIpBlock, out),
    notIps: readChecked(message, "notIps", checkIpBlock, out),
    properties: readProperties(message, out),
  };
  const wrongUser = checkPrincipal(subject.user);
  if (wrongUser) out.push(finding(wrongUser.code, pathOf(message, "user"), wrongUser.message));
  if (Object.values(subject).every((field) => field.length === 0)) {
    out.push(finding(codes.emptyValue, at, "empty subject, expected at least one field"));
  }
  return subject;
}

function readChecked(message: Message, field: string, check: Check, out: Finding[]): readonly string[] {
  const values = messageTexts(message, field, out);
  values.forEach((value, i) => {
    const problem = check(value);
    if (problem) out.push(finding(problem.code, [...pathOf(message, field), i], problem.message));
  });
  return values;
}

function checkName(value: string): Problem | undefined {
  if (value !== "*") return checkPrincipal(value);
  const message = "name `*` is ambiguous, expected `allUsers` or `allAuthenticatedUsers`";
  return { code: codes.invalidValue, message };
}

/** Istio put the value into a regex unquoted; the values for which that makes no difference are these. */
function checkLegacyNamespace(value: string): Problem | undefined {
  if (/^[a-z0-9*-]+$/.test(value)) return checkNamespace(value);
  const message = `namespace ${show(value)} is malformed, expected lower-case letters, digits, \`-\` and \`*\``;
  return { code: codes.invalidValue, message };
}

/** Properties that say the same as a field of the subject. */
const sameAs: ReadonlyMap<string, keyof Subject> = new Map([
  ["source.principal", "names"],
  ["request.auth.claims[groups]", "groups"],
  ["source.namespace", "namespaces"],
  ["source.ip", "ips"],
]);

function readProperties(owner: Message, out: Finding[]): readonly (readonly [string, string])[] {
  const value = fieldOf(owner, "properties");
  if (value === undefined) return [];
  const at = pathOf(owner, "properties");
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    out.push(wrongType(value, at, "a mapping"));
    return [];
  }
  return Object.entries(value).flatMap(([key, item]): (readonly [string, string])[] => {
    const here: Path = [...at, key];
    if (typeof item !== "string" || item === "") {
      out.push(
        item === ""
          ? finding(codes.emptyValue, here, `property ${show(key)} is empty`)
          : wrongType(item, here, "a string"),
      );
      return [];
    }
    const field = sameAs.get(key);
    if (field !== undefined && owner.written.has(field)) {
      const message = `property \`${key}\` stands beside \`${field}\`, expected only one of them`;
      out.push(finding(codes.conflictingFields, here, message));
    }
    const problem = checkProperty(key, item);
    if (problem) out.push(finding(problem.code, here, problem.message));
    return [[key, item]];
  });
}

const propertyChecks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["source.ip", checkIpBlock],
  ["source.namespace", checkLegacyNamespace],
  ["source.principal", checkPrincipal],
  ["source.user", checkPrincipal],
  ["request.auth.principal", () => undefined],
  ["request.auth.audiences", () => undefined],
  ["request.auth.presenter", () => undefined],
]);

function checkProperty(key: string, value: string): Problem | undefined {
  const check = propertyChecks.get(key);
  if (check !== undefined) return check(value);
  const map = ["request.headers", "request.auth.claims"].find((prefix) => key.startsWith(prefix));
  if (map !== undefined) {
    const name = key.slice(map.length);
    if (/^\[.+\]$/s.test(name)) return checkHeaderName(name);
    const message = `malformed property key ${show(key)}, expected \`${map}[NAME]\``;
    return { code: codes.unknownConstraint, message };
  }
  if (key === "") return { code: codes.emptyValue, message: "empty property key" };
  const message = `property ${show(key)} is compared with dynamic metadata of Envoy's RBAC filter, expected e.g. \`request.headers[NAME]\``;
  return { code: codes.metadataProperty, message };
}
