import type { Code, Path } from "../diagnostics/index.js";
import type { Tree } from "./tree.js";
import { at, placeOf } from "./tree.js";

/** Takes what a check finds. */
export type Tell = (code: Code, path: Path, message: string) => void;

/** Says something about a field, or about the message that lacks it. */
export function tellOf(tell: Tell, code: Code, tree: Tree, field: string, message: string): void {
  tell(code, placeOf(tree, ...field.split(".")), message);
}

/** Whether a field is written at all. */
export function isSet(tree: Tree | undefined, ...names: readonly string[]): boolean {
  return at(tree, ...names) !== undefined;
}
