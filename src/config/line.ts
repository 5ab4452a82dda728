import type { Path } from "../diagnostics/index.js";
import { splitDocuments } from "./documents.js";
import type { Origin } from "./resource.js";
import { locator } from "./yaml-nodes.js";

/**
 * The 1-based line of a field of the document at `origin`, in the `text` of its file; of the nearest field
 * around it when the document has no such field, and of the document itself when that is an item of a `v1
 * List`.
 */
export function lineOf(text: string, { line }: Origin, path: Path): number {
  const chunk = splitDocuments(text).findLast((one) => one.line <= line);
  return chunk === undefined ? line : Math.max(line, chunk.line + locator(chunk.text)(path, "key").line - 1);
}
