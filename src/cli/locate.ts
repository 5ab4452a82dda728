import { readFileSync } from "node:fs";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import type { Origin } from "../config/index.js";
import type { Path } from "../diagnostics/index.js";

/** The 1-based line of a field in its file; of the nearest field around it when the document has no such field. */
export function lineOf(origin: Origin, path: Path): number {
  let text: string;
  try {
    text = readFileSync(origin.file, "utf8");
  } catch {
    return origin.line;
  }
  const rest = text
    .split("\n")
    .slice(origin.line - 1)
    .join("\n");
  const counter = new LineCounter();
  const documents = parseAllDocuments(rest, { lineCounter: counter });
  const [document] = Array.isArray(documents) ? documents : [];
  if (document === undefined) return origin.line;
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === "number" && step < node.items.length) {
      node = node.items[step];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return origin.line + counter.linePos(offset).line - 1;
}

function startOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null)?.range?.[0];
}
