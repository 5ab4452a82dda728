import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOpaCompiler } from "../../src/adapters/index.js";
import { type NativeOpa, opaModuleFolder, startNativeOpa } from "../support/opa-native.js";
import { runCompliance, summaryOf } from "./compliance.js";
import { type ComplianceCase, readComplianceCases } from "./compliance-case.js";
import { complianceExceptions } from "./compliance-exceptions.js";

describe("OPA's own compliance cases", () => {
  let cases: readonly ComplianceCase[];
  let native: NativeOpa;
  // Fetches OPA's sources and compiles them, where nobody did before.
  beforeAll(async () => {
    cases = readComplianceCases(await opaModuleFolder());
    native = await startNativeOpa();
  }, 900_000);
  afterAll(() => native.close());

  test("are answered as by OPA, but for those of the table of exceptions", { timeout: 600_000 }, async () => {
    const report = await runCompliance(cases, complianceExceptions, native.build);
    console.log(summaryOf(report));
    expect(report.wrong).toEqual([]);
    expect(report.cases).toBeGreaterThanOrEqual(4_419);
  });

  test("are compiled by the shipped OPA to the same bytes", { timeout: 300_000 }, async () => {
    const shipped = createOpaCompiler();
    try {
      for (const { id, build } of cases.filter((_, i) => i % 220 === 7)) {
        const [ours, theirs] = [await shipped.build(build), await native.build(build)];
        expect(ours.wasm, id).toBeDefined();
        expect(Buffer.from(ours.wasm ?? []).equals(Buffer.from(theirs.wasm ?? [])), id).toBe(true);
      }
    } finally {
      await shipped.close();
    }
  });
});
