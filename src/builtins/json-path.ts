import { BuiltinError } from "./builtin.js";
import { isArray, isSet, typeOf, type Value } from "./value.js";

/** The segments of a path: a JSON pointer (leading slashes count once), or an array of keys of any type. */
export function parsePath(path: Value): readonly Value[] {
  if (path === "") return [];
  if (typeof path === "string") {
    return path.replace(/^\/+/, "").split("/").map(unescaped);
  }
  if (isArray(path)) return path;
  throw new BuiltinError(
    `operand 2 must be one of {set, array} containing string paths or array of path segments but got ${typeOf(path)}`,
  );
}

function unescaped(segment: string): string {
  return segment.includes("~") ? segment.replaceAll("~1", "/").replaceAll("~0", "~") : segment;
}

/** The paths of an array or a set. */
export function parsePaths(paths: Value | undefined): readonly (readonly Value[])[] {
  if (paths === undefined || !(isArray(paths) || isSet(paths))) {
    throw new BuiltinError(`operand 2 must be one of {set, array} but got ${typeOf(paths ?? null)}`);
  }
  return [...paths].map(parsePath);
}
