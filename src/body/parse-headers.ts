import { isEditableHeader } from "../attributes/index.js";
import { codes, finding, show } from "../diagnostics/index.js";
import { asFields, type Fields, readList, readText, wrongType } from "../documents/index.js";
import { readExpression, type Vocabulary } from "../expressions/index.js";
import { below, type Place, readEnum } from "./parse-fields.js";
import type { HeaderRule } from "./policy.js";
import type { MessageInput } from "./vocabulary.js";

const fields: ReadonlySet<string> = new Set(["operation", "name", "value", "when"]);

/** `headers` of a request or response. */
export function readHeaderRules(
  owner: Fields,
  place: Place,
  vocabulary: Vocabulary<MessageInput>,
): readonly HeaderRule[] {
  const list = readList(owner, "headers", place.at, place.out) ?? [];
  return list.flatMap((item, i) => {
    const rule = readHeaderRule(item, below(place, "headers", i), vocabulary);
    return rule === undefined ? [] : [rule];
  });
}

function readHeaderRule(
  item: unknown,
  place: Place,
  vocabulary: Vocabulary<MessageInput>,
): HeaderRule | undefined {
  const { at, out } = place;
  const given = asFields(item, at, out, fields);
  if (given === undefined) return undefined;
  const operation = readEnum(given, "operation", place, ["set", "append", "remove"]);
  if (given["operation"] === undefined) {
    out.push(wrongType(undefined, [...at, "operation"], "one of set, append, remove"));
  }
  const name = readText(given, "name", at, out);
  if (given["name"] === undefined) out.push(wrongType(undefined, [...at, "name"], "a string"));
  if (name !== undefined) checkName(name, operation === "remove", below(place, "name"));
  const when = readCondition(given, "when", place, vocabulary);
  if (operation === "remove" && given["value"] !== undefined) {
    const message = "`value` stands beside operation `remove`, expected none";
    out.push(finding(codes.conflictingFields, [...at, "value"], message));
  }
  const value =
    operation === "remove"
      ? undefined
      : readExpression(given["value"], { type: "scalar", at: [...at, "value"], vocabulary }, out);
  if (operation === undefined || name === undefined) return undefined;
  if (operation !== "remove" && value === undefined) return undefined;
  return { operation, name, value, when };
}

/** CEL that gives a boolean; undefined when absent. */
export function readCondition(
  owner: Fields,
  key: string,
  { at, out }: Place,
  vocabulary: Vocabulary<MessageInput>,
): string | undefined {
  if (owner[key] === undefined) return undefined;
  return readExpression(owner[key], { type: "bool", at: [...at, key], vocabulary }, out);
}

function checkName(name: string, mayEndOpen: boolean, { at, out }: Place): void {
  const plain = mayEndOpen && name.endsWith("*") ? name.slice(0, -1) : name;
  if (plain !== "" && plain === plain.toLowerCase() && !plain.includes("*") && isEditableHeader(plain))
    return;
  const message =
    name.includes("*") && !mayEndOpen
      ? `header name ${show(name)} has a wildcard, expected one with operation \`remove\` only`
      : `header ${show(name)} may not be changed, expected a lower-case name that is no pseudo-header, \`host\` or header of the connection`;
  out.push(finding(codes.badBodyHeader, at, message));
}
