import { maxTemplateLength, templateLiteral } from "../matchers/index.js";

const maxVariables = 5;

/**
 * Why Envoy would not load a `path_template`, in words that go behind "template `…`"; undefined when it
 * would. Segments are `*`, `**`, `{name}`, `{name=pattern}` or literals; one literal may follow the last of
 * the others as a suffix.
 */
export function checkUriTemplate(template: string): string | undefined {
  if (!template.startsWith("/")) return "does not start with `/`";
  if (template.length > maxTemplateLength) return `is longer than ${maxTemplateLength} characters`;
  const segments = splitSegments(template.slice(1));
  if (segments === undefined) return "has unmatched braces";
  if (segments.at(-1) === "") segments.pop();
  const names = new Set<string>();
  let rest = false;
  for (const [i, segment] of segments.entries()) {
    const [, operator = "", suffix = ""] = /^(\*\*|\*|\{[^}]*\})?(.*)$/s.exec(segment) ?? [];
    if (suffix !== "" && !templateLiteral.test(suffix)) return `has the malformed segment \`${segment}\``;
    if (operator === "" && suffix === "") return "has an empty segment";
    if (operator !== "" && suffix !== "" && i < segments.length - 1)
      return "has a suffix before its last segment";
    const wrong = operator.startsWith("{") ? checkVariable(operator.slice(1, -1), names) : undefined;
    if (wrong !== undefined) return wrong;
    for (const glob of globsOf(operator)) {
      if (rest) return "has a wildcard behind `**`";
      rest = glob === "**";
    }
  }
  return names.size > maxVariables ? `has more than ${maxVariables} variables` : undefined;
}

/** Slashes inside braces do not split. */
function splitSegments(text: string): string[] | undefined {
  const segments = [""];
  let inside = false;
  for (const c of text) {
    if (c === "{" && inside) return undefined;
    if (c === "}" && !inside) return undefined;
    if (c === "{") inside = true;
    if (c === "}") inside = false;
    if (c === "/" && !inside) segments.push("");
    else segments[segments.length - 1] += c;
  }
  return inside ? undefined : segments;
}

function checkVariable(text: string, names: Set<string>): string | undefined {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (!/^[a-zA-Z][a-zA-Z0-9_]{0,15}$/.test(name)) return `has the malformed variable name \`${name}\``;
  if (names.has(name)) return `has the variable \`${name}\` twice`;
  names.add(name);
  const pattern = equals < 0 ? ["*"] : text.slice(equals + 1).split("/");
  const good = pattern.every((part) => part === "*" || part === "**" || templateLiteral.test(part));
  return good ? undefined : `has a malformed pattern in variable \`${name}\``;
}

function globsOf(operator: string): readonly string[] {
  if (!operator.startsWith("{")) return operator === "" ? [] : [operator];
  const equals = operator.indexOf("=");
  if (equals < 0) return ["*"];
  return operator
    .slice(equals + 1, -1)
    .split("/")
    .filter((part) => part === "*" || part === "**");
}
