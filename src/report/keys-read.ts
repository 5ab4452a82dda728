import { type Attribute, checkExpression, type Vocabulary } from "../expressions/index.js";
import type { ReportInput } from "./plan.js";
import { reportVocabulary } from "./vocabulary.js";

/** What a good expression over reports reads of a request by a name that stands in it. */
export interface KeysRead {
  /** Of `request.headers`, lower-case. */
  readonly headers: readonly string[];
  /** Of `request.query_params`. */
  readonly params: readonly string[];
}

/** For use at load: compiles the expression. Names that only a request tells are not among them. */
export function keysRead(source: string): KeysRead {
  const headers: string[] = [];
  const params: string[] = [];
  checkExpression(
    source,
    "scalar",
    recording({ "request.headers": headers, "request.query_params": params }),
  );
  return { headers, params };
}

/** The vocabulary of reports, in which maps take note of the keys that stand in an expression. */
function recording(lists: Readonly<Record<string, string[]>>): Vocabulary<ReportInput> {
  const attributes = new Map(reportVocabulary.attributes);
  for (const [name, list] of Object.entries(lists)) {
    const attribute = attributes.get(name);
    if (attribute !== undefined) attributes.set(name, noting(attribute, list));
  }
  return { ...reportVocabulary, attributes };
}

function noting(attribute: Attribute<ReportInput>, list: string[]): Attribute<ReportInput> {
  return {
    ...attribute,
    checkKey: (key) => {
      list.push(key);
      return attribute.checkKey?.(key);
    },
  };
}
