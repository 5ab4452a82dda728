import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { asFields, type Fields, readFields, readList, readTexts, wrongType } from "../documents/index.js";
import {
  type AuthorizationPolicy,
  type Condition,
  type Operation,
  operationFields,
  type Rule,
  type Source,
  sourceFields,
} from "./authorization-policy.js";
import { readCondition } from "./parse-condition.js";
import { checkPath } from "./path-template-syntax.js";
import {
  type Check,
  checkIpBlock,
  checkLength,
  checkNamespace,
  checkPort,
  checkPrincipal,
  checkServiceAccount,
  checkTrustDomain,
  checkValues,
  maxServiceAccounts,
} from "./validate-values.js";

type Action = AuthorizationPolicy["action"];

const ruleKeys: ReadonlySet<string> = new Set(["from", "to", "when"]);
const fromKeys: ReadonlySet<string> = new Set(["source"]);
const toKeys: ReadonlySet<string> = new Set(["operation"]);
const sourceKeys: ReadonlySet<string> = new Set(sourceFields);
const operationKeys: ReadonlySet<string> = new Set(operationFields);
const maxItems = 512;

/** `rules` of an AuthorizationPolicy. Absent and empty are the same. */
export function readRules(spec: Fields, action: Action, at: Path, out: Finding[]): readonly Rule[] {
  const list = readList(spec, "rules", at, out) ?? [];
  checkLength(list, maxItems, [...at, "rules"], out);
  return list.map((item, i) => readRule(item, action, [...at, "rules", i], out));
}

function readRule(value: unknown, action: Action, at: Path, out: Finding[]): Rule {
  const rule = asFields(value, at, out, ruleKeys);
  if (rule === undefined) return { from: [], to: [], when: [] };
  const before = out.length;
  const from = readList(rule, "from", at, out) ?? [];
  const to = readList(rule, "to", at, out) ?? [];
  const when = readList(rule, "when", at, out) ?? [];
  checkLength(from, maxItems, [...at, "from"], out);
  const read = {
    from: from.map((item, i) => readSource(item, [...at, "from", i], out)),
    to: to.map((item, i) => readOperation(item, [...at, "to", i], out)),
    when: when.map((item, i) => readCondition(item, [...at, "when", i], out)),
  };
  if (action === "DENY" && out.length === before) warnOfTcp(read, at, out);
  if (action === "CUSTOM") refuseIdentity(read, at, out);
  return read;
}

const checks: ReadonlyMap<string, Check> = new Map([
  ...both("Principals", checkPrincipal),
  ...both("ServiceAccounts", checkServiceAccount),
  ...both("TrustDomains", checkTrustDomain),
  ...both("Namespaces", checkNamespace),
  ...both("RemoteIpBlocks", checkIpBlock),
  ...both("IpBlocks", checkIpBlock),
  ...both("Paths", checkPath),
  ...both("Ports", checkPort),
]);

/** The check under a field's name and under its `not…` name. */
function both(name: string, check: Check): [string, Check][] {
  return [
    [name.charAt(0).toLowerCase() + name.slice(1), check],
    [`not${name}`, check],
  ];
}

function readSource(value: unknown, at: Path, out: Finding[]): Source {
  const here: Path = [...at, "source"];
  const source = readOnly(value, "source", fromKeys, sourceKeys, at, out);
  if (source === undefined) return {};
  const read = readFieldLists(source, sourceKeys, here, out);
  for (const key of ["serviceAccounts", "notServiceAccounts"] as const) {
    if (source[key] === undefined) continue;
    checkLength(read[key] ?? [], maxServiceAccounts, [...here, key], out);
    const beside = ["principals", "notPrincipals", "namespaces", "notNamespaces"].find((k) => k in source);
    if (beside === undefined) continue;
    const message = `\`${key}\` stands beside \`${beside}\`, expected no namespaces or principals in the same source`;
    out.push(finding(codes.conflictingFields, [...here, key], message));
  }
  return read;
}

function readOperation(value: unknown, at: Path, out: Finding[]): Operation {
  const operation = readOnly(value, "operation", toKeys, operationKeys, at, out);
  return operation === undefined ? {} : readFieldLists(operation, operationKeys, [...at, "operation"], out);
}

/** The one mapping inside an item of `from` or `to`. */
function readOnly(
  value: unknown,
  key: string,
  outer: ReadonlySet<string>,
  inner: ReadonlySet<string>,
  at: Path,
  out: Finding[],
): Fields | undefined {
  const item = asFields(value, at, out, outer);
  if (item === undefined) return undefined;
  if (item[key] === undefined) out.push(wrongType(undefined, [...at, key], "a mapping"));
  return readFields(item, key, at, out, inner);
}

/** Lists by field; empty ones count as not given, but some field must have values. */
function readFieldLists(
  owner: Fields,
  known: ReadonlySet<string>,
  at: Path,
  out: Finding[],
): Readonly<Record<string, readonly string[]>> {
  const read: Record<string, readonly string[]> = {};
  let empty = true;
  for (const key of Object.keys(owner)) {
    const list = owner[key];
    if (!Array.isArray(list) || list.length > 0) empty = false;
    const values = known.has(key) ? readTexts(owner, key, at, out) : undefined;
    if (values === undefined || values.length === 0) continue;
    checkValues(values, [...at, key], out, checks.get(key));
    read[key] = values;
  }
  if (empty) {
    const message = `\`${at.at(-1)}\` is empty, expected at least one field with values`;
    out.push(finding(codes.emptyValue, at, message));
  }
  return read;
}

/** The fields of a source that mean something on TCP; trust domains do not count, as in Istio. */
const tcpSources = [
  "principals",
  "notPrincipals",
  "ipBlocks",
  "notIpBlocks",
  "namespaces",
  "notNamespaces",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
  "serviceAccounts",
  "notServiceAccounts",
] as const;

function warnOfTcp({ from, to }: Rule, at: Path, out: Finding[]): void {
  const tcpFrom = from.some((source) => tcpSources.some((field) => source[field] !== undefined));
  const tcpTo = to.some(({ ports, notPorts }) => ports !== undefined || notPorts !== undefined);
  if (to.length > 0 ? tcpTo : from.length === 0 || tcpFrom) return;
  const message = "DENY rule with only HTTP conditions denies all TCP connections, expected `ports` in it";
  out.push(finding(codes.deniesAllTcp, at, message));
}

const identityFields = [
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
] as const;

const identityKeys: ReadonlySet<string> = new Set([
  "source.principal",
  "source.namespace",
  "source.serviceAccount",
  "source.trustDomain",
]);

function refuseIdentity({ from, when }: Rule, at: Path, out: Finding[]): void {
  from.forEach((source, i) => {
    for (const field of identityFields) {
      if (source[field] !== undefined) refuse(field, [...at, "from", i, "source", field], out);
    }
  });
  when.forEach(({ key }: Condition, i) => {
    if (identityKeys.has(key) || key.startsWith("request.auth.")) refuse(key, [...at, "when", i, "key"], out);
  });
}

function refuse(name: string, at: Path, out: Finding[]): void {
  const message = `${show(name)} in a CUSTOM rule, expected none unless the Mesh has \`customSeesIdentity: true\``;
  out.push(finding(codes.customNeedsIdentity, at, message));
}
