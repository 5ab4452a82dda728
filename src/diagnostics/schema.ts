import type { z } from "zod";
import { type Code, codes } from "./codes.js";
import { type Finding, finding, type Path } from "./diagnostic.js";
import type { Parsed } from "./document.js";

/**
 * Reads `value` by a zod schema and says what is wrong as findings with paths below `base`. Use `z.strictObject`, so
 * that unknown fields are errors, and no unions, whose issues name no place.
 */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, base: Path): Parsed<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { spec: result.data, findings: [] };
  return { spec: undefined, findings: result.error.issues.flatMap((issue) => toFindings(issue, base)) };
}

function toFindings(issue: z.core.$ZodIssue, base: Path): Finding[] {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  const name = path.at(-1) ?? "value";
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => finding(codes.unknownField, [...path, key], `unknown field \`${key}\``));
  }
  if (issue.code === "invalid_type") {
    return issue.input === undefined
      ? [finding(codes.missingField, path, `\`${name}\` is missing, expected ${issue.expected}`)]
      : [finding(codes.wrongType, path, `\`${name}\` is ${show(issue.input)}, expected ${issue.expected}`)];
  }
  if (issue.code === "invalid_value") {
    const expected = issue.values.map(String).join(", ");
    return [
      finding(codes.wrongEnum, path, `unknown value ${show(issue.input)}, expected one of ${expected}`),
    ];
  }
  if (issue.code === "too_big") {
    return [finding(codes.tooMany, path, `\`${name}\` is too large, expected at most ${issue.maximum}`)];
  }
  return [finding(customCode(issue), path, issue.message)];
}

/** A refinement names its code by `params: {code}`. */
function customCode(issue: z.core.$ZodIssue): Code {
  const params = issue.code === "custom" ? issue.params : undefined;
  const code = params?.["code"] as Code | undefined;
  return code ?? codes.invalidValue;
}

/** User input in backticks, short. */
function show(input: unknown): string {
  const text = typeof input === "string" ? input : JSON.stringify(input);
  const type = input === null ? "null" : Array.isArray(input) ? "list" : typeof input;
  return type === "string" ? `\`${text.slice(0, 80)}\`` : `${type} \`${(text ?? "").slice(0, 80)}\``;
}
