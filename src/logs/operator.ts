import type { Ip, JsonValue } from "../attributes/index.js";
import type { Report } from "../report/index.js";
import type { Masks } from "./mask.js";

/** Reads what an operator stands for; undefined where it is not known. */
export type Read = (report: Report) => JsonValue | undefined;

/** What is wrong with what stands in an operator's parentheses: what was expected. */
export interface OperatorProblem {
  readonly expected: string;
}

/** Makes the reader of an operator by what stands in its parentheses. */
export type Operator = (argument: string | undefined, masks: Masks) => Read | OperatorProblem;

/** An operator that takes nothing in parentheses. */
export function plain(read: Read): Operator {
  return (argument) => (argument === undefined ? read : { expected: "nothing in parentheses" });
}

/** A text that is not known where it is empty. */
export function known(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** `IP:PORT`, `[IP]:PORT` of IPv6. */
export function socketOf(ip: Ip | undefined, port: number): string | undefined {
  if (ip === undefined) return undefined;
  return ip.family === 4 ? `${ip.text}:${port}` : `[${ip.text}]:${port}`;
}

/** Envoy writes some texts with `_` in place of spaces, so that they are one word. */
export function oneWord(text: string | undefined): string | undefined {
  return known(text)?.replaceAll(" ", "_");
}
