import { codes, type Finding, finding, type Path } from "../diagnostics/index.js";
import { type Message, pathOf } from "../documents/index.js";

/** Reads one member of a oneof; undefined when it is wrong, with a finding. */
export type Reader<Value> = (message: Message, field: string, out: Finding[]) => Value | undefined;

/** What a check request cannot answer, with the reason. */
export type Unanswerable = Readonly<Record<string, string>>;

/** The one member that is set, by the readers' names; a member of `unanswerable` is a finding of its own. */
export function readOneof<Value>(
  message: Message,
  readers: Readonly<Record<string, Reader<Value>>>,
  unanswerable: Unanswerable,
  out: Finding[],
): Value | undefined {
  const names = [...Object.keys(readers), ...Object.keys(unanswerable)];
  const set = names.filter((name) => message.written.has(name));
  refuseUnanswerable(message, unanswerable, out);
  const [field] = set;
  if (field !== undefined && set.length === 1) return readers[field]?.(message, field, out);
  const given =
    set.length === 0 ? "nothing is set" : `${set.map((name) => `\`${name}\``).join(" and ")} are set`;
  const expected = Object.keys(readers).join(", ");
  out.push(finding(codes.oneofRequired, message.at, `${given}, expected exactly one of ${expected}`));
  return undefined;
}

/** Adds a finding for each field that is set and cannot be answered. */
export function refuseUnanswerable(message: Message, unanswerable: Unanswerable, out: Finding[]): void {
  for (const [name, why] of Object.entries(unanswerable)) {
    if (!message.written.has(name)) continue;
    const text = `\`${message.written.get(name)}\` cannot be answered from a check request: ${why}`;
    out.push(finding(codes.envoyUnanswerable, pathOf(message, name), text));
  }
}

/** Nesting that Envoy's own reader (100 messages deep) still takes. */
const maxDepth = 48;

/** Says when rules are nested too deep to be read, and whether they may be. */
export function mayNest(depth: number, at: Path, out: Finding[]): boolean {
  if (depth <= maxDepth) return true;
  out.push(finding(codes.tooMany, at, `rules are nested more than ${maxDepth} deep, expected fewer levels`));
  return false;
}
