import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { asFields, type Fields, nameOf, unknownField, wrongType } from "./fields.js";

/**
 * A protobuf message written in YAML: every field under its lowerCamel or its snake_case name, null as good
 * as absent (proto3 JSON). Fields are asked for by their lowerCamel name.
 */
export interface Message {
  readonly at: Path;
  readonly fields: Fields;
  /** The names as written, by lowerCamel name; only fields that are set. */
  readonly written: ReadonlyMap<string, string>;
}

/** The message at `at`; fields outside `known` and fields given under both names are findings. */
export function readMessage(
  value: unknown,
  at: Path,
  out: Finding[],
  known: ReadonlySet<string>,
): Message | undefined {
  const fields = asFields(value, at, out);
  if (fields === undefined) return undefined;
  const written = new Map<string, string>();
  for (const key of Object.keys(fields)) {
    const name = known.has(key) ? key : key.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
    if (!known.has(name)) out.push(unknownField(key, at, known));
    else if (written.has(name)) {
      const message = `\`${key}\` stands beside \`${written.get(name)}\`, expected only one of them: they are the same field`;
      out.push(finding(codes.conflictingFields, [...at, key], message));
    } else if (fields[key] !== null) written.set(name, key);
  }
  return { at, fields, written };
}

/** The value of a field; undefined when absent or null. */
export function fieldOf(message: Message, name: string): unknown {
  const key = message.written.get(name);
  return key === undefined ? undefined : message.fields[key];
}

/** Where a field stands, under its written name. */
export function pathOf(message: Message, name: string): Path {
  return [...message.at, message.written.get(name) ?? name];
}

/** A list, its items unread; empty when absent, as in proto3. */
export function messageList(message: Message, name: string, out: Finding[]): readonly unknown[] {
  const value = fieldOf(message, name) ?? [];
  if (Array.isArray(value)) return value;
  out.push(wrongType(value, pathOf(message, name), "a list"));
  return [];
}

/** A list of non-empty strings. */
export function messageTexts(message: Message, name: string, out: Finding[]): readonly string[] {
  const at = pathOf(message, name);
  return messageList(message, name, out).filter((item, i): item is string => {
    if (typeof item === "string" && item !== "") return true;
    out.push(
      item === ""
        ? finding(codes.emptyValue, [...at, i], "empty value, expected a non-empty string")
        : wrongType(item, [...at, i], "a string"),
    );
    return false;
  });
}

/** Empty when absent, as in proto3. */
export function messageText(message: Message, name: string, out: Finding[]): string {
  const value = fieldOf(message, name) ?? "";
  if (typeof value === "string") return value;
  out.push(wrongType(value, pathOf(message, name), "a string"));
  return "";
}

/** False when absent. Text `true` is accepted, as proto3 JSON parsers do for YAML. */
export function messageFlag(message: Message, name: string, out: Finding[]): boolean {
  const value = fieldOf(message, name) ?? false;
  if (value === true || value === "true") return true;
  if (value !== false && value !== "false")
    out.push(wrongType(value, pathOf(message, name), "true or false"));
  return false;
}

/** An integer as number or text, within bounds; 0 when absent. */
export function readInteger(
  value: unknown,
  at: Path,
  out: Finding[],
  [least, most]: readonly [least: number, most: number],
): number {
  const number = typeof value === "string" && /^-?[0-9]{1,19}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number)) {
    out.push(wrongType(value, at, "an integer"));
    return 0;
  }
  if (number >= least && number <= most) return number;
  const message = `${nameOf(at)} is ${number}, expected ${least} to ${most}`;
  out.push(finding(codes.invalidValue, at, message));
  return 0;
}

/** An enum by name or number; the first name when absent. */
export function messageEnum<Name extends string>(
  message: Message,
  field: string,
  names: readonly [Name, ...Name[]],
  out: Finding[],
): Name {
  const value = fieldOf(message, field);
  if (value === undefined) return names[0];
  const found = typeof value === "number" ? names[value] : names.find((name) => name === value);
  if (found !== undefined) return found;
  const text = `unknown ${nameOf([field])} ${show(value)}, expected one of ${names.join(", ")}`;
  out.push(finding(codes.wrongEnum, pathOf(message, field), text));
  return names[0];
}
