import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { requestVocabulary, type Vocabulary } from "../../../src/expressions/index.js";
import { typeName } from "../../../src/expressions/type.js";
import { decisionVocabulary } from "../../../src/logs/decision-vocabulary.js";
import type { CheckOutcomeAtProxy } from "../../../src/report/index.js";
import { reportVocabulary } from "../../../src/report/vocabulary.js";

// docs/expressions.md lists the attributes that expressions know, each with its type; this holds it to the source.

const page = readFileSync(new URL("../../../docs/expressions.md", import.meta.url), "utf8");

/** What stands between a heading and the next one. */
function below(heading: string): string {
  const found = page.split(/^(?=##)/m).filter((section) => section.split("\n")[0] === heading);
  expect(found).toHaveLength(1);
  return found[0] ?? "";
}

/** `NAME: TYPE` of each name in the first cells of a section's rows. */
function listed(heading: string): string[] {
  const rows = [...below(heading).matchAll(/^\| (`[^|]+`) \| ([^|]+) \|[^|]*\| [^|]+ \|$/gm)];
  return rows
    .flatMap(([, names = "", type = ""]) =>
      [...names.matchAll(/`([a-z_.]+)`/g)].map(([, name]) => `${name}: ${type}`),
    )
    .sort();
}

/** The same of a vocabulary, without what it has from that of requests as it is there. */
function own<Input>({ attributes }: Vocabulary<Input>, isInherited: (name: string) => boolean): string[] {
  return [...attributes.values()]
    .filter(({ name, refused }) => refused === undefined && !isInherited(name))
    .map(({ name, type }) => `${name}: ${typeName(type)}`)
    .sort();
}

describe("docs/expressions.md lists with their types", () => {
  test("the attributes of requests", () => {
    expect(listed("## Attributes")).toEqual(own(requestVocabulary, () => false));
  });

  test("what reports have beside them, or otherwise", () => {
    const before: ReadonlyMap<string, unknown> = requestVocabulary.attributes;
    const isSame = (name: string): boolean =>
      before.has(name) && before.get(name) === reportVocabulary.attributes.get(name);
    expect(listed("## Attributes of reports")).toEqual(own(reportVocabulary, isSame));
  });

  test("what decisions have beside them", () => {
    const inherited = requestVocabulary.attributes;
    expect(listed("## Attributes of decisions")).toEqual(
      own(decisionVocabulary, (name) => inherited.has(name)),
    );
    expect([...inherited.keys()].filter((name) => !decisionVocabulary.attributes.has(name))).toEqual([]);
  });
});

/** One that is missing here or too many does not compile. */
const outcomes: Record<CheckOutcomeAtProxy, true> = {
  allowed: true,
  denied: true,
  shadow_denied: true,
  shadow_error: true,
  error: true,
  timeout: true,
  denied_but_served: true,
  none: true,
};

test("docs/expressions.md says what each outcome of a check means", () => {
  const rows = [...below("### Outcomes").matchAll(/^\| (`[a-z_`, ]+`) \| \S/gm)].map(([, cell = ""]) => cell);
  const names = rows.flatMap((cell) => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name));
  expect(names.sort()).toEqual(Object.keys(outcomes).sort());
});

/** GitHub's. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

test("docs/expressions.md links to headings that it has", () => {
  const anchors = new Set([...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading)));
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = ""]) => anchor);
  expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([]);
});
