import { isJson } from "./json-text.js";

/** Where the object or array that a text begins with ends, undefined when it does not. */
function endOfFirst(text: string): number | undefined {
  let [depth, quoted] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char === "\\") i++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && --depth === 0) return i + 1;
  }
  return undefined;
}

/**
 * A text without what follows the document that it begins with, where Go's decoder does not look at that: at all for
 * a JWK; for a part of a token only when it begins with `null`.
 */
export function firstDocument(text: string, ignored: "anything" | "null"): string {
  if (isJson(text)) return text;
  const end = endOfFirst(text) ?? text.length;
  return ignored === "anything" || /^[ \t\r\n]*null/.test(text.slice(end)) ? text.slice(0, end) : text;
}
