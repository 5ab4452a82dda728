import { expect, it } from "vitest";
import { createMetrics, renderMetrics } from "../../../src/telemetry/index.js";

it("counts questions to introspection endpoints apart from those that were saved, over all processes", async () => {
  const processes = [1, 2].map(() => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.introspected("shop/opaque", "active");
    metrics.introspected("shop/opaque", "timeout");
    metrics.introspected("shop/opaque", "cache_hit");
    metrics.introspected("shop/opaque", "cache_hit");
    metrics.introspected("shop/other", "cache_joined");
    return metrics.values();
  });
  const lines = (await renderMetrics(await Promise.all(processes)))
    .split("\n")
    .filter((line) => line.startsWith("gatehouse_introspection"));
  expect(lines.sort()).toEqual([
    'gatehouse_introspection_requests_total{resource="shop/opaque",result="active"} 2',
    'gatehouse_introspection_requests_total{resource="shop/opaque",result="timeout"} 2',
    'gatehouse_introspection_saved_total{resource="shop/opaque",result="hit"} 4',
    'gatehouse_introspection_saved_total{resource="shop/other",result="joined"} 2',
  ]);
});
