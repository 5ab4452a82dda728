import { type ByteString, toBytes } from "../attributes/index.js";
import type { Predicate } from "./logic.js";

/** Characters that Envoy 1.40 lets `*` stand for; `**` adds the slash. */
const segment = "a-zA-Z0-9\\-._~%!$&'()*+,;:@=";

/**
 * Envoy's `uri_template` path match: `*` stands for one non-empty segment, `**` for any rest, both possibly inside
 * `{name=…}`; all else is literal. Applied to the path without its query. Throws when Envoy would not load it.
 */
export function compilePathTemplate(template: string): Predicate<ByteString> {
  if (!template.startsWith("/")) throw new Error(`path template \`${template}\` must start with \`/\``);
  let source = "";
  let rests = 0;
  for (const token of toBytes(template).split(/(\{[A-Za-z][A-Za-z0-9_]*(?:=[^{}]*)?\}|\*\*|\*)/)) {
    const named = /^\{[A-Za-z][A-Za-z0-9_]*(?:=([^{}]*))?\}$/.exec(token);
    const pattern = named === null ? token : (named[1] ?? "*");
    for (const part of pattern.split(/(\*\*|\*)/)) {
      if (part === "**") {
        rests++;
        source += `[${segment}/]*`;
      } else {
        source += part === "*" ? `[${segment}]+` : part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
      }
    }
  }
  if (rests > 1) throw new Error(`path template \`${template}\` has more than one \`**\``);
  // One `**` and one class per segment: no two neighbours can trade characters, so backtracking stays linear.
  const regex = new RegExp(`^${source}$`);
  return (path) => regex.test(path);
}
