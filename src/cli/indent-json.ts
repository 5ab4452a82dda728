/** One token of JSON; what lies between is space. */
const token = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s"[\]{},:]+/g;

/** The same JSON over several lines, with numbers as they are written: `JSON.parse` would round them. */
export function indentJson(json: string): string {
  let text = "";
  let depth = 0;
  let last = "";
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (const [part] of json.matchAll(token)) {
    const isFirst = last === "[" || last === "{";
    if (part === "]" || part === "}") {
      depth--;
      if (!isFirst) text += line();
    } else if (isFirst) text += line();
    text += part;
    if (part === "[" || part === "{") depth++;
    else if (part === ",") text += line();
    else if (part === ":") text += " ";
    last = part;
  }
  return text;
}
