import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { operators } from "../../../src/logs/operators.js";

test("docs/logs.md lists every command operator that an access log can write, and no other", () => {
  const page = readFileSync(new URL("../../../docs/logs.md", import.meta.url), "utf8");
  const section = page.split(/^(?=##)/m).find((text) => text.startsWith("### Operators\n")) ?? "";
  const cells = [...section.matchAll(/^\| (`.+?`) \| /gm)].map(([, cell = ""]) => cell);
  const listed = cells.flatMap((cell) => [...cell.matchAll(/`([A-Z_]+)[(`]/g)].map(([, name]) => name));
  expect(listed.sort()).toEqual([...operators.keys()].sort());
});
