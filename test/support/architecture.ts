import { posix } from "node:path";

/** One row of the table. */
export interface ModuleRow {
  readonly mayImport: ReadonlySet<string>;
  /** No I/O, no clock, no environment. */
  readonly pure: boolean;
}

/** The table, in its order. */
export type Modules = ReadonlyMap<string, ModuleRow>;

/** A file of `src/`; `path` is relative to it. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** Reads the first Markdown table whose heading is `module | what it is | may import | Node`. */
export function readModuleTable(markdown: string): Modules {
  const lines = markdown.split("\n");
  const start = lines.findIndex((line) => /^\|\s*module\s*\|.*\|\s*may import\s*\|\s*Node\s*\|/.test(line));
  const modules = new Map<string, ModuleRow>();
  if (start < 0) return modules;
  for (const line of lines.slice(start + 2)) {
    const cells = line.split("|").map((cell) => cell.trim());
    const [, name, , mayImport, node] = cells;
    if (name === undefined || mayImport === undefined || !line.startsWith("|")) break;
    modules.set(name, { mayImport: readArrows(mayImport, [...modules.keys()]), pure: node === "pure" });
  }
  return modules;
}

/** `–`, names with commas, or `every module above [but NAMES]`. */
function readArrows(cell: string, above: readonly string[]): ReadonlySet<string> {
  if (cell === "–") return new Set();
  const names = (text: string): string[] => text.split(",").map((name) => name.trim());
  if (!cell.startsWith("every module above")) return new Set(names(cell));
  const but = names(cell.split(" but ")[1] ?? "");
  return new Set(above.filter((name) => !but.includes(name)));
}

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

const PURE_NODE = new Set(["node:crypto", "node:zlib", "node:buffer"]);
const NODE =
  /^(node:|(?:fs|path|os|http|https|net|tls|crypto|util|process|worker_threads|child_process)(?:\/|$))/;
const IMPURE =
  /\bprocess\.|\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(|\bset(?:Timeout|Interval)\(/;
const ENVIRONMENT_READER = "cli/main.ts";

/** Everything in `files` that the table or the rules of the core forbid; empty when all is well. */
export function violations(files: readonly SourceText[], modules: Modules): string[] {
  const found = files.flatMap((file) => fileViolations(file, modules));
  return [...found, ...cycles(files)];
}

function fileViolations({ path, text }: SourceText, modules: Modules): string[] {
  const [name = ""] = path.split("/");
  const row = path.includes("/") ? modules.get(name) : undefined;
  if (row === undefined) return [`${path}: is in no module of the table`];
  const code = withoutComments(text);
  const found = importsOf(code).flatMap((one) => {
    const why = importViolation(path, name, row, one);
    return why === undefined ? [] : [`${path}: imports ${one.from}, ${why}`];
  });
  if (row.pure && IMPURE.test(code))
    found.push(`${path}: a pure module uses the clock, chance, a timer or the process`);
  if (!row.pure && /\bprocess\.env\b/.test(code) && path !== ENVIRONMENT_READER) {
    found.push(`${path}: reads the environment, expected only in ${ENVIRONMENT_READER}`);
  }
  return found;
}

function importViolation(
  path: string,
  name: string,
  row: ModuleRow,
  { from, typeOnly }: Import,
): string | undefined {
  if (!from.startsWith(".")) {
    return row.pure && NODE.test(from) && !PURE_NODE.has(from) ? "a pure module does no I/O" : undefined;
  }
  const target = posix.normalize(posix.join(posix.dirname(path), from));
  const [other = ""] = target.split("/");
  if (other === name) return undefined;
  if (!row.mayImport.has(other)) return "an arrow that is not in the table";
  if (target !== `${other}/index.js`) return "expected a module's index";
  if (other === "adapters" && !typeOnly && name !== "server" && name !== "cli") {
    return "adapters are constructed only in server and cli";
  }
  return undefined;
}

/** Relies on the formatter: statements begin lines. */
function importsOf(code: string): Import[] {
  const statics = code.matchAll(/^(?:import|export)\b(?!\s*\()([^;"'`]*?)\s*["']([^"'\n]+)["'](?=;)/gm);
  const dynamics = code.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g);
  return [
    ...[...statics]
      .filter(([, clause = ""]) => clause.trim() === "" || /\bfrom$/.test(clause))
      .map(([, clause = "", from = ""]) => ({ from, typeOnly: /^\s*type\b/.test(clause) })),
    ...[...dynamics].map(([, from = ""]) => ({ from, typeOnly: false })),
  ];
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** Each cycle once, found by walking from every file; imports of types alone leave no trace at run time. */
function cycles(files: readonly SourceText[]): string[] {
  const graph = new Map(files.map(({ path, text }) => [path, localImports(path, text)]));
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      found.push(`${[...trail.slice(start), path].join(" → ")}: files import each other`);
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  return found;
}

function localImports(path: string, text: string): string[] {
  return importsOf(withoutComments(text))
    .filter(({ from, typeOnly }) => !typeOnly && from.startsWith("."))
    .map(({ from }) => posix.normalize(posix.join(posix.dirname(path), from)).replace(/\.js$/, ".ts"));
}
