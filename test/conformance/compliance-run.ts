/**
 * `npm run conformance:rego-cases [-- TEXT]`: runs OPA's own compliance cases (those whose id contains the text) on
 * our engine, and prints every wrong one and the count. Exit code 1 when one is wrong.
 */
import { opaModuleFolder, startNativeOpa } from "../support/opa-native.js";
import { runCompliance, summaryOf } from "./compliance.js";
import { readComplianceCases } from "./compliance-case.js";
import { complianceExceptions } from "./compliance-exceptions.js";

const only = process.argv[2];
const cases = readComplianceCases(await opaModuleFolder()).filter(({ id }) => id.includes(only ?? ""));
const opa = await startNativeOpa();
try {
  const exceptions = only === undefined ? complianceExceptions : [];
  const report = await runCompliance(cases, exceptions, opa.build);
  for (const { id, why } of report.wrong) console.log(`wrong: ${id}\n  ${why}`);
  console.log(summaryOf(report));
  process.exitCode = report.wrong.length === 0 ? 0 : 1;
} finally {
  opa.close();
}
