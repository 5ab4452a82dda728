import { codes, type Finding, finding, type Path, show } from "../../diagnostics/index.js";
import {
  type Message,
  messageList,
  messageText,
  messageTexts,
  pathOf,
  readInteger,
  readMessage,
} from "../../documents/index.js";
import { checkHeaderName, checkIpBlock, checkPort, type Problem } from "../validate-values.js";
import type { AccessRule, Constraint } from "./model.js";

const texts = ["services", "hosts", "notHosts", "paths", "notPaths", "methods", "notMethods"] as const;
const ruleFields: ReadonlySet<string> = new Set([...texts, "ports", "notPorts", "constraints"]);
const constraintFields: ReadonlySet<string> = new Set(["key", "values"]);

/** The access rules of a role, which needs some. */
export function readAccessRules(owner: Message, field: string, out: Finding[]): readonly AccessRule[] {
  const at = pathOf(owner, field);
  const items = messageList(owner, field, out);
  if (items.length === 0) {
    out.push(finding(codes.missingField, at, `\`${field}\` has no rule, expected at least one`));
  }
  const rules = items.map((item, i) => readAccessRule(item, [...at, i], out));
  return rules.filter((rule) => rule !== undefined);
}

function readAccessRule(value: unknown, at: Path, out: Finding[]): AccessRule | undefined {
  const message = readMessage(value, at, out, ruleFields);
  if (message === undefined) return undefined;
  const rule: AccessRule = {
    services: messageTexts(message, "services", out),
    hosts: messageTexts(message, "hosts", out),
    notHosts: messageTexts(message, "notHosts", out),
    paths: messageTexts(message, "paths", out),
    notPaths: messageTexts(message, "notPaths", out),
    methods: messageTexts(message, "methods", out),
    notMethods: messageTexts(message, "notMethods", out),
    ports: readPorts(message, "ports", out),
    notPorts: readPorts(message, "notPorts", out),
    constraints: readConstraints(message, out),
  };
  refuseBoth(message, "methods", "notMethods", out);
  refuseBoth(message, "ports", "notPorts", out);
  const port = rule.constraints.findIndex(({ key }) => key === "destination.port");
  if (port >= 0 && rule.ports.length + rule.notPorts.length > 0) {
    const text = "constraint `destination.port` stands beside `ports`, expected only one of them";
    out.push(finding(codes.conflictingFields, [...pathOf(message, "constraints"), port, "key"], text));
  }
  return rule;
}

function readPorts(message: Message, field: string, out: Finding[]): readonly number[] {
  const at = pathOf(message, field);
  return messageList(message, field, out).map((item, i) => readInteger(item, [...at, i], out, [0, 65535]));
}

function refuseBoth(message: Message, field: string, not: string, out: Finding[]): void {
  if (!message.written.has(field) || !message.written.has(not)) return;
  const text = `\`${not}\` stands beside \`${field}\`, expected only one of them`;
  out.push(finding(codes.conflictingFields, pathOf(message, not), text));
}

function readConstraints(owner: Message, out: Finding[]): readonly Constraint[] {
  const at = pathOf(owner, "constraints");
  const seen = new Set<string>();
  return messageList(owner, "constraints", out).flatMap((item, i) => {
    const message = readMessage(item, [...at, i], out, constraintFields);
    if (message === undefined) return [];
    const key = messageText(message, "key", out);
    const values = messageTexts(message, "values", out);
    const keyAt = pathOf(message, "key");
    if (values.length === 0) {
      const text = `constraint ${show(key)} has no values, expected at least one`;
      out.push(finding(codes.missingField, pathOf(message, "values"), text));
    }
    if (seen.has(key)) {
      // Istio kept only the last of two, which made the rule wider.
      const text = `constraint ${show(key)} stands twice, expected each key once`;
      out.push(finding(codes.conflictingFields, keyAt, text));
    }
    seen.add(key);
    const problem = checkConstraintKey(key);
    if (problem !== undefined) out.push(finding(problem.code, keyAt, problem.message));
    const check =
      key === "destination.ip" ? checkIpBlock : key === "destination.port" ? checkPort : undefined;
    values.forEach((value, j) => {
      const wrong = check?.(value);
      if (wrong) out.push(finding(wrong.code, [...pathOf(message, "values"), j], wrong.message));
    });
    return [{ key, values }];
  });
}

const plainKeys: ReadonlySet<string> = new Set([
  "destination.name",
  "destination.namespace",
  "destination.ip",
  "destination.port",
  "connection.sni",
  ":path",
  ":method",
  ":authority",
]);

/** Istio ignored what it did not know; an ignored constraint allows more than was written. */
function checkConstraintKey(key: string): Problem | undefined {
  if (plainKeys.has(key)) return undefined;
  const name = /^(?:destination\.labels|request\.headers|experimental\.envoy\.filters\.[^[]*)\[(.+)\]$/s.exec(
    key,
  )?.[1];
  if (name !== undefined) return key.startsWith("request.") ? checkHeaderName(name) : undefined;
  if (key === "destination.user") {
    const message =
      "constraint `destination.user` cannot be answered here, expected e.g. `destination.labels[KEY]`";
    return { code: codes.unknownConstraint, message };
  }
  const message = `unknown constraint key ${show(key)}, expected destination.name, .namespace, .labels[KEY], .ip or .port, connection.sni, request.headers[NAME] or experimental.envoy.filters.FILTER[KEY]`;
  return { code: codes.unknownConstraint, message };
}
