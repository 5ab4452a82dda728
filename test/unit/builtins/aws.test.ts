import { expect, it } from "vitest";
import { awsBuiltins } from "../../../src/builtins/aws.js";
import { replay } from "./replay.js";

it("signs every recorded request for AWS as OPA does", () => {
  const { calls, deviations } = replay(awsBuiltins, "aws.jsonl.gz");
  expect(deviations).toEqual([]);
  expect(calls).toBeGreaterThan(150);
});
