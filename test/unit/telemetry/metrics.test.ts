import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { HttpRequest } from "../../../src/attributes/index.js";
import { createMetrics, renderMetrics } from "../../../src/telemetry/index.js";

describe("the metrics", () => {
  it("count checks by outcome, code and stage, and their time", async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.checked({ allowed: true, code: 0, stage: "none" }, 0.00002);
    metrics.checked({ allowed: false, code: 7, stage: "authorize" }, 0.003);
    metrics.checked({ allowed: false, code: 99, stage: "custom" }, 3);
    const text = await renderMetrics([await metrics.values()]);
    expect(text).toContain('gatehouse_checks_total{allowed="true",code="OK",stage="none"} 1');
    expect(text).toContain(
      'gatehouse_checks_total{allowed="false",code="PERMISSION_DENIED",stage="authorize"} 1',
    );
    expect(text).toContain('gatehouse_checks_total{allowed="false",code="UNKNOWN",stage="custom"} 1');
    expect(text).toContain('gatehouse_check_duration_seconds_bucket{le="0.000025"} 1');
    expect(text).toContain("gatehouse_check_duration_seconds_count 3");
  });

  it("count credentials by who judged them and what came of it, and remembered tokens", async () => {
    const metrics = createMetrics({ processMetrics: false });
    const nothing = { cacheHits: 0, cacheMisses: 0 };
    const anonymous = { refusal: undefined, auth: undefined, changes: undefined } as const;
    const request = {} as HttpRequest;
    const refused = [{ method: "jwt", issuer: 'https://b"\n', reason: "jwt_expired" }] as const;
    const record = { method: "api_key", issuer: "shop/keys", principal: "secret/ann", refused } as const;
    metrics.authenticated({ ...anonymous, request, record: undefined }, nothing);
    metrics.authenticated({ ...anonymous, request, record }, { cacheHits: 2, cacheMisses: 1 });
    metrics.authenticated({ ...anonymous, request, record: { ...record, method: undefined } }, nothing);
    const text = await renderMetrics([await metrics.values()]);
    expect(text.split("\n").filter((line) => /^gatehouse_(authn|token)/.test(line))).toEqual([
      'gatehouse_authn_credentials_total{method="api_key",issuer="shop/keys",result="ok"} 1',
      'gatehouse_authn_credentials_total{method="jwt",issuer="https://b\\"\\n",result="jwt_expired"} 2',
      'gatehouse_token_cache_total{result="hit"} 2',
      'gatehouse_token_cache_total{result="miss"} 1',
    ]);
    expect(text).not.toContain("secret");
  });

  it("of several processes are added up", async () => {
    const processes = [1, 2].map(() => createMetrics({ processMetrics: true }));
    for (const metrics of processes) metrics.checked({ allowed: true, code: 0, stage: "none" }, 0.1);
    processes[0]?.configured({
      generation: 7,
      lastReloadSuccess: true,
      diagnostics: { error: 0, warning: 1 },
      resources: new Map(),
    });
    const values = await Promise.all(processes.map((metrics) => metrics.values()));
    const text = await renderMetrics(structuredClone(values));
    expect(text).toContain('gatehouse_checks_total{allowed="true",code="OK",stage="none"} 2');
    expect(text).toContain("gatehouse_config_generation 7");
    expect(text).toContain("process_cpu_user_seconds_total");
  });

  it("each have a line in docs/operations.md", async () => {
    const docs = readFileSync(join(import.meta.dirname, "../../../docs/operations.md"), "utf8");
    const names = (await createMetrics({ processMetrics: false }).values()).map((metric) => metric.name);
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !docs.includes(`| \`${name}`))).toEqual([]);
  });
});
