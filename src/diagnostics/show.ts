/** Texts that are secrets wherever they stand: API keys of ours and JWTs. */
const secret = /gh_[0-9A-Za-z]{1,16}_[0-9A-Za-z]{8,}|eyJ[\w-]{8,}\.[\w-]{8,}/;
const secrets = new RegExp(secret, "g");

/** A slip that a person sees at once is short; a longer text in a wrong place may be a secret. */
const MAX_NAME = 40;

/**
 * User input as messages show it: in backticks with its type unless it is a string, short, on one line. Of mappings
 * and lists only the type, and of API keys and JWTs only that there is one: messages are logged.
 */
export function show(value: unknown): string {
  if (typeof value === "string") return `\`${oneLine(value)}\``;
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  return `${typeof value} \`${oneLine(JSON.stringify(value) ?? "")}\``;
}

/** What is not meant to stand where it does: shown like other input if it is short, else only how long it is. */
export function showMisplaced(value: unknown): string {
  if (typeof value !== "string" || isShort(value)) return show(value);
  return `a text of ${value.length} characters`;
}

/** A name that nobody knows, behind what it is a name of. */
export function showNamed(what: string, name: string): string {
  return isShort(name) ? `${what} ${show(name)}` : `${what} of ${name.length} characters`;
}

function isShort(text: string): boolean {
  return text.length <= MAX_NAME && !secret.test(text);
}

/** Control characters escaped, cut at 80 characters, no backtick that could end the quotation. */
function oneLine(text: string): string {
  const open = text.replace(secrets, "…");
  const cut = open.length > 80 ? `${open.slice(0, 80)}…` : open;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return cut.replace(/[\u0000-\u001f\u007f]/g, (c) => JSON.stringify(c).slice(1, -1)).replaceAll("`", "'");
}
