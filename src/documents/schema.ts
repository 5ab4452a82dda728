import type { z } from "zod";
import { type Code, codes, type Finding, finding, type Path, showMisplaced } from "../diagnostics/index.js";
import type { Parsed } from "./document.js";
import { nameOf, unknownField, wrongType } from "./fields.js";

/**
 * Reads `value` by a zod schema and says what is wrong as findings with paths below `base`. Use
 * `z.strictObject`, so that unknown fields are errors, and no unions, whose issues name no place.
 */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, base: Path): Parsed<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { spec: result.data, findings: [] };
  return { spec: undefined, findings: result.error.issues.flatMap((issue) => toFindings(issue, base)) };
}

function toFindings(issue: z.core.$ZodIssue, base: Path): Finding[] {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownField(key, path));
    case "invalid_type":
      return [wrongType(issue.input, path, words.get(issue.expected) ?? issue.expected)];
    case "invalid_value": {
      const message = `unknown value ${showMisplaced(issue.input)}, expected one of ${issue.values.map(String).join(", ")}`;
      return [finding(codes.wrongEnum, path, message)];
    }
    case "too_big":
      return [
        finding(codes.tooMany, path, `${nameOf(path)} is too large, expected at most ${issue.maximum}`),
      ];
    default:
      return [finding(customCode(issue), path, issue.message)];
  }
}

/** zod's names of types, in the words of all other findings. */
const words: ReadonlyMap<string, string> = new Map([
  ["string", "a string"],
  ["boolean", "true or false"],
  ["number", "a number"],
  ["int", "an integer"],
  ["array", "a list"],
  ["object", "a mapping"],
  ["record", "a mapping"],
]);

/** A refinement names its code by `params: {code}`. */
function customCode(issue: z.core.$ZodIssue): Code {
  const params = issue.code === "custom" ? issue.params : undefined;
  const code = params?.["code"] as Code | undefined;
  return code ?? codes.invalidValue;
}
