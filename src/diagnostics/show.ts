/** User input as messages show it: in backticks with its type unless it is a string, short, on one line. */
export function show(value: unknown): string {
  if (typeof value === "string") return `\`${oneLine(value)}\``;
  if (value === null) return "null";
  const type = Array.isArray(value) ? "list" : typeof value === "object" ? "mapping" : typeof value;
  return `${type} \`${oneLine(JSON.stringify(value) ?? "")}\``;
}

/** Control characters escaped, cut at 80 characters, no backtick that could end the quotation. */
function oneLine(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return cut.replace(/[\u0000-\u001f\u007f]/g, (c) => JSON.stringify(c).slice(1, -1)).replaceAll("`", "'");
}
