import { readdirSync, readFileSync } from "node:fs";

/** A query of Grafana, and where it stands. */
export interface DashboardQuery {
  /** `mesh.json: Requests by workload`. */
  readonly where: string;
  readonly expression: string;
}

/** As far as tests read it. */
export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr?: string }[] };
  readonly links: readonly { readonly url?: string }[];
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource?: { readonly uid: string };
  }[];
}
interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
  readonly regex?: string;
}

const FOLDER = new URL("../../deploy/grafana/dashboards/", import.meta.url);

/** The dashboards of `deploy/`. */
export function readDashboards(): Dashboard[] {
  return readdirSync(FOLDER).map((file) => ({
    ...(JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as Dashboard),
    file,
  }));
}

/** All that a dashboard asks Prometheus: panels, variables and annotations. */
export function queriesOf({ file, panels, templating, annotations }: Dashboard): DashboardQuery[] {
  const ofPanels = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ where: `${file}: ${title}`, expression: expr })),
  );
  const ofVariables = templating.list
    .filter(({ type }) => type === "query")
    .map(({ name, query }) => ({
      where: `${file}: $${name}`,
      expression: selectorOf(typeof query === "string" ? query : query.query),
    }));
  const ofAnnotations = annotations.list.flatMap(({ name, expr }) =>
    expr === undefined ? [] : [{ where: `${file}: ${name}`, expression: expr }],
  );
  return [...ofPanels, ...ofVariables, ...ofAnnotations];
}

/** `label_values(SELECTOR, LABEL)` and `query_result(EXPRESSION)` are Grafana's own. */
function selectorOf(query: string): string {
  return (
    /^label_values\((.*),\s*\w+\)$/s.exec(query)?.[1] ?? /^query_result\((.*)\)$/s.exec(query)?.[1] ?? query
  );
}

/** The expression with what Grafana puts in for its variables: a range of a minute, all values of everything else. */
export function substitute(expression: string): string {
  return expression
    .replace(/\$__(rate_)?(interval|range)\b/g, "1m")
    .replace(/="\$(\w+)"/g, '="destination"')
    .replace(/\$\w+/g, ".*");
}

/** Words of PromQL in places where names of metrics stand. */
const keywords = new Set(
  ["and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool"].concat([
    "group_left",
    "group_right",
  ]),
);

/** Names of metrics in an expression. */
export function metricNames(expression: string): string[] {
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\{[^}]*\}/g, " ")
    .replace(/\[[^\]]*\]/g, " ")
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ");
  const words = bare.matchAll(/(?<![\w.])([a-zA-Z_:][\w:]*)(?!\w)(?!\s*\()/g);
  return [...new Set([...words].map(([, word = ""]) => word).filter((word) => !keywords.has(word)))];
}

/** Names of labels in an expression: matched, and grouped by. */
export function labelNames(expression: string): string[] {
  const bare = expression.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const matched = [...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = ""]) =>
    list.split(",").map((matcher) => /^\s*(\w+)/.exec(matcher)?.[1] ?? ""),
  );
  const grouped = [...bare.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) =>
    list.split(","),
  );
  return [...new Set([...matched, ...grouped].map((name) => name.trim()).filter((name) => name !== ""))];
}
