import { describe, expect, it } from "vitest";
import type { HttpRequest } from "../../../src/attributes/index.js";
import { createMetrics, renderMetrics } from "../../../src/telemetry/index.js";

describe("the metrics", () => {
  it("count checks by outcome, code and stage, and their time", async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.checked({ allowed: true, code: 0, stage: "none" }, 0.00002, "http");
    metrics.checked({ allowed: false, code: 7, stage: "authorize" }, 0.003, "tcp");
    metrics.checked({ allowed: false, code: 99, stage: "custom" }, 3);
    const text = await renderMetrics([await metrics.values()]);
    expect(text).toContain('gatehouse_checks_total{allowed="true",code="OK",stage="none",protocol="http"} 1');
    expect(text).toContain(
      'gatehouse_checks_total{allowed="false",code="PERMISSION_DENIED",stage="authorize",protocol="tcp"} 1',
    );
    expect(text).toContain(
      'gatehouse_checks_total{allowed="false",code="UNKNOWN",stage="custom",protocol="unknown"} 1',
    );
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
    expect(text).toContain(
      'gatehouse_checks_total{allowed="true",code="OK",stage="none",protocol="unknown"} 2',
    );
    expect(text).toContain("gatehouse_config_generation 7");
    expect(text).toContain("process_cpu_user_seconds_total");
  });

  it("count what extension providers take, and how late timers come", async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.providerAsked("ext", "denied", 0.004);
    metrics.providerAsked("ext", "failed", 0.2);
    metrics.eventLoopLagged(0.03);
    metrics.rateLimited({ code: undefined, elapsedMs: 3 });
    const text = await renderMetrics([await metrics.values()]);
    expect(text).toContain('gatehouse_provider_requests_total{provider="ext",result="denied"} 1');
    expect(text).toContain('gatehouse_provider_duration_seconds_bucket{le="0.005",provider="ext"} 1');
    expect(text).toContain('gatehouse_provider_duration_seconds_count{provider="ext"} 2');
    expect(text).toContain('gatehouse_event_loop_lag_seconds_bucket{le="0.05"} 1');
    expect(text).toContain('gatehouse_ratelimit_calls_total{code="ERROR"} 1');
    expect(text).toContain('gatehouse_ratelimit_duration_seconds_bucket{le="0.0025"} 0');
    expect(text).toContain('gatehouse_ratelimit_duration_seconds_bucket{le="0.005"} 1');
  });

  it("forget the series of issuers that the configuration has no more", async () => {
    const metrics = createMetrics({ processMetrics: false });
    const source = { issuer: "a", ageSeconds: 3, keys: 2, lastSuccess: 7 };
    metrics.keysMeasured([source, { ...source, ageSeconds: 5 }, { ...source, issuer: "b" }]);
    metrics.keysFetched("a", "failed");
    const linesOf = async (): Promise<string[]> =>
      (await renderMetrics([await metrics.values()]))
        .split("\n")
        .filter((line) => /^gatehouse_jwks/.test(line));
    expect(await linesOf()).toEqual([
      'gatehouse_jwks_age_seconds{issuer="a"} 5',
      'gatehouse_jwks_age_seconds{issuer="b"} 3',
      'gatehouse_jwks_keys{issuer="a"} 4',
      'gatehouse_jwks_keys{issuer="b"} 2',
      'gatehouse_jwks_last_success_timestamp_seconds{issuer="a"} 7',
      'gatehouse_jwks_last_success_timestamp_seconds{issuer="b"} 7',
      'gatehouse_jwks_fetches_total{issuer="a",result="ok"} 0',
      'gatehouse_jwks_fetches_total{issuer="a",result="failed"} 1',
      'gatehouse_jwks_fetches_total{issuer="b",result="ok"} 0',
      'gatehouse_jwks_fetches_total{issuer="b",result="failed"} 0',
    ]);
    metrics.keysMeasured([{ ...source, issuer: "b", ageSeconds: undefined }]);
    expect(await linesOf()).toEqual([
      'gatehouse_jwks_keys{issuer="b"} 2',
      'gatehouse_jwks_last_success_timestamp_seconds{issuer="b"} 7',
      'gatehouse_jwks_fetches_total{issuer="b",result="ok"} 0',
      'gatehouse_jwks_fetches_total{issuer="b",result="failed"} 0',
    ]);
  });
});
