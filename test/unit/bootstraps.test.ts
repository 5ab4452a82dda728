import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { isSecretHeader } from "../../src/report/index.js";

const FOLDER = new URL("../../envoy/", import.meta.url);

/** A part of a bootstrap by its name, wherever it stands. */
function named(node: unknown, name: string): Record<string, never>[] {
  if (typeof node !== "object" || node === null) return [];
  const own = (node as { name?: unknown }).name === name ? [node as Record<string, never>] : [];
  return [...own, ...Object.values(node).flatMap((child) => named(child, name))];
}

interface Logger {
  typed_config: {
    common_config: {
      log_name: string;
      grpc_service: { envoy_grpc: { cluster_name: string }; timeout?: string };
      custom_tags: { tag: string; value: string }[];
      filter_state_objects_to_log?: string[];
    };
    additional_request_headers_to_log?: string[];
    additional_response_headers_to_log?: string[];
    additional_response_trailers_to_log?: string[];
  };
}
interface ExtAuthz {
  typed_config: { grpc_service: { timeout: string }; emit_filter_state_stats?: boolean };
}

describe.each(readdirSync(FOLDER).filter((file) => file.endsWith(".yaml")))("%s", (file) => {
  const bootstrap = parse(readFileSync(new URL(file, FOLDER), "utf8")) as {
    node: { id: string; metadata: Record<string, unknown> };
  };
  const [kind, filter] =
    file === "tcp.yaml"
      ? ["envoy.access_loggers.tcp_grpc", "envoy.filters.network.ext_authz"]
      : ["envoy.access_loggers.http_grpc", "envoy.filters.http.ext_authz"];
  const isHttp = file !== "tcp.yaml";
  // There ext_proc decides alone, and its timeout is one of messages.
  const isProcessed = file === "ext-proc.yaml";
  const loggers = named(bootstrap, kind) as unknown as Logger[];
  const authorizers = (named(bootstrap, filter) as unknown as ExtAuthz[]).filter(
    ({ typed_config }) => typed_config !== undefined,
  );
  const [logger] = loggers;
  const common = logger?.typed_config.common_config;
  const tags = new Map(common?.custom_tags.map(({ tag, value }) => [tag, value]));

  test("streams one access log to Gatehouse, without a timeout, which would end the stream", () => {
    expect(loggers).toHaveLength(1);
    expect(common?.grpc_service).toEqual({ envoy_grpc: { cluster_name: "gatehouse" } });
    expect(common?.log_name).toBe("gatehouse");
  });

  test("logs no header that is secret", () => {
    const { additional_request_headers_to_log: request = [] } = logger?.typed_config ?? {};
    expect(request.filter((name) => isSecretHeader(name))).toEqual([]);
    for (const name of request) expect(name).not.toMatch(/auth|cookie|key|secret|token/);
  });

  if (!isProcessed)
    test("says how long a check may take as the filter has it", () => {
      expect(authorizers).toHaveLength(1);
      const timeout = authorizers[0]?.typed_config.grpc_service.timeout ?? "";
      expect(timeout).toMatch(/^\d+s$/);
      expect(tags.get("check_timeout_ms")).toBe(String(Number.parseInt(timeout, 10) * 1000));
    });

  test("names the workload that it stands at", () => {
    const { NAMESPACE, WORKLOAD_NAME, LABELS } = bootstrap.node.metadata;
    expect(NAMESPACE).toBe("bookshop");
    expect(LABELS).toEqual({ app: WORKLOAD_NAME });
    expect(bootstrap.node.id).toBe(file.replace(".yaml", ""));
  });

  if (isHttp)
    test("tells of checks, gRPC and traces what entries do not have by themselves", () => {
      if (!isProcessed) {
        expect(authorizers[0]?.typed_config.emit_filter_state_stats).toBe(true);
        expect(tags.get("check_latency_us")).toBe(
          "%FILTER_STATE(envoy.filters.http.ext_authz:FIELD:latency_us)%",
        );
      }
      const rest: Partial<Logger["typed_config"]> = logger?.typed_config ?? {};
      const { additional_request_headers_to_log: request = [] } = rest;
      expect(request).toEqual(expect.arrayContaining(["content-type", "traceparent", "tracestate", "b3"]));
      expect(rest.additional_response_trailers_to_log).toEqual(["grpc-status"]);
      expect(rest.additional_response_headers_to_log).toEqual(["grpc-status"]);
      expect(common?.filter_state_objects_to_log).toEqual([
        ...(isProcessed ? [] : ["envoy.filters.http.ext_authz.shadow"]),
        "envoy.filters.http.grpc_stats",
      ]);
      const filters = (
        named(bootstrap, "envoy.filters.network.http_connection_manager")[0] as never as {
          typed_config: { http_filters: { name: string }[] };
        }
      ).typed_config.http_filters.map(({ name }) => name);
      const processor = ["envoy.filters.http.set_filter_state", "envoy.filters.http.ext_proc"];
      const first = isProcessed ? processor : ["envoy.filters.http.ext_authz"];
      expect(filters.slice(0, first.length)).toEqual(first);
      if (file === "bodies.yaml") expect(filters.slice(1, 3)).toEqual(processor);
      expect(filters.slice(-2)).toEqual(["envoy.filters.http.grpc_stats", "envoy.filters.http.router"]);
    });

  if (isHttp)
    test("names for each route the workload that its check names", () => {
      const routes = parse(readFileSync(new URL(file, FOLDER), "utf8")) as unknown;
      const found = JSON.stringify(routes).match(/"workload":"\w+"/g) ?? [];
      const names = (list: readonly string[]): string[] =>
        list.map((one) => one.split(":").at(-1) ?? "").sort();
      const inContext = /"destination.workload.name":"\w+"/g;
      const inMetadata = /"gatehouse-destination-workload-name","value":"\w+"/g;
      const text = JSON.stringify(routes);
      const checked = text.match(isProcessed ? inMetadata : inContext) ?? [];
      if (file === "bodies.yaml") expect(names(text.match(inMetadata) ?? [])).toEqual(names(checked));
      expect(names(found)).toEqual(names(checked));
      for (const [tag, key] of [
        ["destination_workload", "workload"],
        ["destination_workload_namespace", "namespace"],
        ["destination_app", "app"],
        ["destination_service", "service"],
      ] as const)
        expect(tags.get(tag)).toBe(`%METADATA(ROUTE:gatehouse:${key})%`);
    });
});
