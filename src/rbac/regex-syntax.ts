import { RE2JS } from "re2js";
import { toBytes } from "../attributes/index.js";
import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";

/** Envoy's default of `re2.max_program_size.error_level`. */
export const maxProgramSize = 100;

/** What a program of RE2 has beyond that of re2js, at the least. */
const overhead = 2;

/**
 * Says when a regex is not RE2's or when its program, as far as can be told here, is larger than Envoy loads.
 * Envoy reads it byte by byte, so that `é` counts as two.
 */
export function checkRegex(regex: string, at: Path, out: Finding[], most: number = maxProgramSize): void {
  try {
    const size = RE2JS.compile(toBytes(regex)).programSize() + overhead;
    if (size <= most) return;
    const message = `regex ${show(regex)} has RE2 program size ${size}, expected at most ${most}`;
    out.push(finding(codes.invalidRegex, at, message));
  } catch (error) {
    const why =
      error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "not RE2 syntax";
    const message = `regex ${show(regex)} is not valid, expected RE2 syntax: ${why.replace(/\s+/g, " ").slice(0, 120)}`;
    out.push(finding(codes.invalidRegex, at, message));
  }
}
