import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { renderDiagnosticsPage } from "../../../tools/diagnostics-page.js";

it("docs/diagnostics.md says what the table of codes says (else: npm run docs)", () => {
  const page = readFileSync(new URL("../../../docs/diagnostics.md", import.meta.url), "utf8");
  expect(page).toBe(renderDiagnosticsPage());
});
