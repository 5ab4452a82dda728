import { describe, expect, it } from "vitest";
import { createFailures } from "../../../src/server/failures.js";

describe("what could not be answered", () => {
  it("is counted each time, and told once in ten seconds for each reason", () => {
    const counted: string[] = [];
    const told: unknown[] = [];
    let time = 0;
    const note = createFailures({
      metrics: { failed: (where) => void counted.push(where) },
      logger: { error: (fields: object) => void told.push({ ...fields }) },
      now: () => time,
    });
    const broken = (): Error => new Error("not on disk: EIO");
    for (let i = 0; i < 3; i += 1) note("check", broken());
    expect(counted).toEqual(["check", "check", "check"]);
    expect(told).toHaveLength(1);
    note("check", new Error("another"));
    note("rate_limit", broken());
    note("decode", undefined);
    expect(told).toHaveLength(4);
    time = 10_000;
    note("check", broken());
    expect(told).toHaveLength(5);
  });
});
