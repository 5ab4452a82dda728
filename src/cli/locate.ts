import { readFileSync } from "node:fs";
import { lineOf, type Origin } from "../config/index.js";
import type { Path } from "../diagnostics/index.js";

/** Where a field stands: the document's own line when its file can no longer be read. */
export function locate(origin: Origin, path: Path): Origin {
  let text: string;
  try {
    text = readFileSync(origin.file, "utf8");
  } catch {
    return origin;
  }
  return { file: origin.file, line: lineOf(text, origin, path) };
}
