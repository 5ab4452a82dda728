import { describe, expect, it } from "vitest";
import { createCatalog } from "../../../src/config/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";

async function said(...documents: string[]): Promise<string[]> {
  const catalog = createCatalog({ pause: async () => {} });
  const files = [{ path: "a.yaml", text: documents.join("---\n") }];
  return (await catalog.update({ files, diagnostics: [] })).diagnostics.map(formatDiagnostic);
}

const bodyPolicy = (name: string, spec: string): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: BodyPolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: {${spec}}\n`;
const remove = "response: {headers: [{operation: remove, name: server}]}";

const asking = (names: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: readers\n  namespace: shop\n` +
  `  annotations:\n    gatehouse.dev/obligations: ${names}\nspec:\n  rules: [{}]\n`;

const quota = (name: string, cost: string): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: Quota\nmetadata: {name: ${name}, namespace: shop}\n` +
  `spec: {limit: 9, window: 1m, cost: ${cost}}\n`;

describe("an obligation", () => {
  it("that names a BodyPolicy on trial is warned of, where it stands", async () => {
    expect(
      await said(
        asking("mask, scan"),
        bodyPolicy("mask", `dryRun: true, ${remove}`),
        bodyPolicy("scan", remove),
      ),
    ).toEqual([
      "a.yaml:7:32: warning GH1113 BodyPolicy `shop/mask` has `dryRun`, so that it is asked for and never acts (AuthorizationPolicy shop/readers)",
    ]);
  });

  it("that names one that acts is not", async () => {
    expect(await said(asking("scan"), bodyPolicy("scan", `dryRun: false, ${remove}`))).toEqual([]);
  });
});

describe("a Quota that costs nothing", () => {
  const usage = (name: string): string => bodyPolicy("count", `usage: {quota: ${name}, field: $.tokens}`);

  it.each(["0", '"0"'])("(%s) is fine where a BodyPolicy charges it afterwards", async (cost) => {
    expect(await said(quota("tokens", cost), usage("tokens"))).toEqual([]);
  });

  it("never counts where none does", async () => {
    expect(await said(quota("tokens", '"0"'))).toEqual([expect.stringContaining("warning GH0703 ")]);
    expect(await said(quota("tokens", '"0"'), quota("other", '"5"'), usage("other"))).toEqual([
      expect.stringContaining("warning GH0703 "),
    ]);
  });
});
