import { codes, type Finding, finding, type Path } from "../../diagnostics/index.js";
import type { AccessRule, Subject } from "./model.js";

type Lists = Readonly<Record<string, readonly string[]>>;

/** A condition of a v1 rule. */
interface When {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}

/** The two halves of a v1 rule; an empty `fields` asks nothing. */
interface Half {
  readonly fields: Lists;
  readonly when: readonly When[];
}

/** One v1 rule for each subject with each action, since conditions belong to a whole rule there. */
export function toV1Rules(
  subjects: readonly Subject[],
  actions: readonly AccessRule[],
  at: Path,
  out: Finding[],
): readonly object[] {
  const sources = subjects.map((subject, i) => toSource(subject, [...at, "subjects", i], out));
  const operations = actions.map((action, i) => toOperation(action, [...at, "actions", i], out));
  return sources.flatMap((source) =>
    operations.map((operation) => ({
      ...(isEmpty(source.fields) ? {} : { from: [{ source: source.fields }] }),
      ...(isEmpty(operation.fields) ? {} : { to: [{ operation: operation.fields }] }),
      ...(source.when.length + operation.when.length === 0
        ? {}
        : { when: [...source.when, ...operation.when] }),
    })),
  );
}

function toSource(subject: Subject, at: Path, out: Finding[]): Half {
  const { user, group, names, notNames, groups, notGroups } = subject;
  const fields = given({
    principals: names.includes("allUsers") ? [] : names.map(toPrincipal),
    notPrincipals: notNames.map(toPrincipal),
    namespaces: subject.namespaces,
    notNamespaces: subject.notNamespaces,
    ipBlocks: subject.ips,
    notIpBlocks: subject.notIps,
  });
  if (notNames.includes("allUsers")) {
    out.push(
      finding(
        codes.invalidValue,
        [...at, "notNames"],
        "`allUsers` in `notNames`, expected names of some users",
      ),
    );
  }
  const when: When[] = [];
  if (user !== "" && user !== "*") when.push({ key: "source.principal", values: [user] });
  if (group !== "") when.push({ key: groupsKey, values: [group] });
  if (groups.length > 0) when.push({ key: groupsKey, values: groups });
  if (notGroups.length > 0) when.push({ key: groupsKey, notValues: notGroups });
  for (const [key, value] of subject.properties) {
    if (key === "source.principal" && (value === "*" || value === "allUsers")) continue;
    const v1Key = key === "source.user" ? "source.principal" : key;
    when.push({ key: v1Key, values: [key === "source.principal" ? toPrincipal(value) : value] });
  }
  return { fields, when };
}

const groupsKey = "request.auth.claims[groups]";

function toPrincipal(name: string): string {
  return name === "allAuthenticatedUsers" ? "*" : name;
}

function toOperation(action: AccessRule, at: Path, out: Finding[]): Half {
  const { services, constraints } = action;
  if (services.length > 0 && !services.includes("*")) {
    const message =
      "`services` in an inline action, expected none: the policy's selector says where it applies";
    out.push(finding(codes.invalidValue, [...at, "services"], message));
  }
  const fields = given({
    hosts: action.hosts,
    notHosts: action.notHosts,
    methods: action.methods,
    notMethods: action.notMethods,
    paths: action.paths,
    notPaths: action.notPaths,
    ports: action.ports.map(String),
    notPorts: action.notPorts.map(String),
  });
  return { fields, when: constraints };
}

function given(lists: Lists): Lists {
  return Object.fromEntries(Object.entries(lists).filter(([, values]) => values.length > 0));
}

function isEmpty(lists: Lists): boolean {
  return Object.keys(lists).length === 0;
}
