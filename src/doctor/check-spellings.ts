import { codes, show } from "../diagnostics/index.js";
import type { Tell } from "./tell.js";
import { camelOf, entries, type Tree } from "./tree.js";

/** No configuration is deeper. */
const MAX_DEPTH = 64;
/** Maps and Structs, whose keys are no fields. */
const maps = /^(?:context_?extensions|filter_?metadata|metadata|fields|static_?layer|value)$/i;

/** A field under both of its names, `failure_mode_allow` and `failureModeAllow`: Envoy takes either (measured). */
export function checkSpellings(tree: Tree, tell: Tell, depth = 0): void {
  if (depth > MAX_DEPTH) return;
  if (Array.isArray(tree.value)) {
    for (const [i, value] of tree.value.entries()) {
      checkSpellings({ value, path: [...tree.path, i] }, tell, depth + 1);
    }
    return;
  }
  const fields = entries(tree);
  const keys = new Set(fields.map(([key]) => key));
  for (const [key, inner] of fields) {
    const other = camelOf(key);
    if (other !== key && keys.has(other)) {
      const message = `${show(key)} stands here as ${show(other)} too, of which Envoy takes either, expected one`;
      tell(codes.doctorReadOtherwise, inner.path, message);
    }
    if (!maps.test(key)) checkSpellings(inner, tell, depth + 1);
  }
}
