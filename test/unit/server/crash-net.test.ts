import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { survive } from "../../../src/server/crash-net.js";
import { createMetrics } from "../../../src/telemetry/index.js";

const before = (["uncaughtException", "unhandledRejection"] as const).map(
  (event) => [event, process.listeners(event as "uncaughtException")] as const,
);

afterEach(() => {
  for (const [event, listeners] of before) {
    process.removeAllListeners(event);
    for (const listener of listeners) process.on(event, listener);
  }
});

describe("the net under the process", () => {
  it("logs and counts what nobody caught, and the process goes on", async () => {
    // The test runner's own listeners would fail the test.
    for (const [event] of before) process.removeAllListeners(event);
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
    const metrics = createMetrics({ processMetrics: false });
    const remove = survive({ logger, metrics });
    setImmediate(() => {
      throw new Error("thrown in a callback");
    });
    void Promise.reject(new Error("rejected and forgotten"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    remove();
    expect(lines.map((line) => (JSON.parse(line) as { level: number }).level)).toEqual([60, 60]);
    expect(lines.join()).toContain("thrown in a callback");
    const errors = (await metrics.values()).find(({ name }) => name === "gatehouse_internal_errors_total");
    expect(errors).toMatchObject({ values: [{ labels: { where: "process" }, value: 2 }] });
    expect(process.listenerCount("uncaughtException")).toBe(0);
  });
});
