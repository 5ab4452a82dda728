import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { asFields, readText, readTexts } from "../documents/index.js";
import type { Condition } from "./authorization-policy.js";
import { nestedKeys } from "./claims.js";
import {
  type Check,
  checkHeaderName,
  checkIpBlock,
  checkLength,
  checkNamespace,
  checkPort,
  checkPrincipal,
  checkServiceAccount,
  checkValues,
  checkWildcard,
  maxServiceAccounts,
  type Problem,
} from "./validate-values.js";

const conditionKeys: ReadonlySet<string> = new Set(["key", "values", "notValues"]);

/** An item of `when`. */
export function readCondition(value: unknown, at: Path, out: Finding[]): Condition {
  const item = asFields(value, at, out, conditionKeys);
  if (item === undefined) return { key: "", values: [], notValues: [] };
  const before = out.length;
  const key = readText(item, "key", at, out) ?? "";
  const values = readTexts(item, "values", at, out) ?? [];
  const notValues = readTexts(item, "notValues", at, out) ?? [];
  const condition = { key, values, notValues };
  if (out.length > before) return condition;
  if (key === "") {
    out.push(
      finding(codes.emptyValue, [...at, "key"], "`key` is missing or empty, expected an attribute name"),
    );
    return condition;
  }
  if (values.length + notValues.length === 0) {
    const message = `condition ${show(key)} has no values, expected some in \`values\` or \`notValues\``;
    out.push(finding(codes.missingField, at, message));
  }
  const problem = checkKey(key);
  if (problem !== undefined) out.push(finding(problem.code, [...at, "key"], problem.message));
  const check = valueChecks.get(key);
  for (const [name, list] of [["values", values] as const, ["notValues", notValues] as const]) {
    checkValues(list, [...at, name], out, check);
    if (key === "source.serviceAccount") checkLength(list, maxServiceAccounts, [...at, name], out);
  }
  return condition;
}

const anything: Check = () => undefined;

const valueChecks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["source.ip", checkIpBlock],
  ["remote.ip", checkIpBlock],
  ["source.namespace", checkNamespace],
  ["source.serviceAccount", checkServiceAccount],
  ["source.principal", checkPrincipal],
  ["source.trustDomain", checkWildcard],
  ["request.auth.principal", anything],
  ["request.auth.audiences", anything],
  ["request.auth.presenter", anything],
  ["destination.ip", checkIpBlock],
  ["destination.port", checkPort],
  ["connection.sni", anything],
]);

/** Keys with a name in brackets: tested by prefix only, as in Istio. */
const mapKeys = ["request.headers", "request.auth.claims", "experimental.envoy.filters."];

/** Keys of the legacy kinds, with what took their place. */
const replaced: readonly (readonly [prefix: string, instead: string])[] = [
  ["destination.namespace", "the policy's own `metadata.namespace`"],
  ["destination.labels", "the policy's `selector`"],
  ["destination.name", "the policy's `selector`"],
  ["destination.user", "the policy's `selector`"],
];

function checkKey(key: string): Problem | undefined {
  if (valueChecks.has(key)) return undefined;
  const prefix = mapKeys.find((k) => key.startsWith(k));
  if (prefix !== undefined) return checkMapKey(key, prefix);
  const old = replaced.find(([k]) => (k.endsWith("labels") ? key.startsWith(k) : key === k));
  const expected =
    old === undefined
      ? "expected one of source.ip, remote.ip, source.principal, request.headers[NAME], connection.sni and so on"
      : `expected ${old[1]} instead`;
  return { code: codes.unknownAttribute, message: `unknown condition key ${show(key)}, ${expected}` };
}

function checkMapKey(key: string, prefix: string): Problem | undefined {
  const open = key.indexOf("[");
  // istiod's validation refuses it, its translation does not: such a condition fails.
  if (prefix === "request.auth.claims" && key.lastIndexOf("[") > key.lastIndexOf("]")) {
    const message = `condition key ${show(key)} has a bracket that is not closed, expected \`${prefix}[NAME]\``;
    return { code: codes.conditionWithoutEffect, message };
  }
  if (!key.endsWith("]") || open < 1 || open >= key.length - 2) {
    const form = prefix.startsWith("experimental") ? `${prefix}FILTER[KEY]` : `${prefix}[NAME]`;
    return {
      code: codes.unknownAttribute,
      message: `malformed condition key ${show(key)}, expected \`${form}\``,
    };
  }
  if (prefix.startsWith("experimental")) return undefined;
  if (open !== prefix.length) {
    const message = `condition key ${show(key)} means nothing, expected \`${prefix}[NAME]\``;
    return { code: codes.conditionWithoutEffect, message };
  }
  if (prefix === "request.headers") return checkHeaderName(key.slice(open + 1, -1));
  if (nestedKeys(key.slice(open)).includes("")) {
    const message = `condition key ${show(key)} has an empty claim name, expected \`${prefix}[NAME]\``;
    return { code: codes.envoyRefuses, message };
  }
  return undefined;
}
