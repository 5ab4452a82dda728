import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { type Load, makeLoad, sendLoad } from "../support/mesh-load.js";
import { startOtlpReceiver } from "../support/otlp-receiver.js";
import { allowOnly, type ConfigFolder, eventually, makeConfigFolder } from "../support/server-fixture.js";

const load: Load = makeLoad(40);

let folder: ConfigFolder;
let server: RunningServer | undefined;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  await server?.close();
  server = undefined;
  for (const close of closers.splice(0)) await close();
  folder.remove();
});

const mesh = (spec: unknown): string =>
  JSON.stringify({ apiVersion: "gatehouse.dev/v1alpha1", kind: "Mesh", metadata: { name: "mesh" }, spec });

const metric = (name: string, spec: unknown): string =>
  JSON.stringify({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "Metric",
    metadata: { name: name.replaceAll("_", "-"), namespace: "istio-system" },
    spec: { name, ...(spec as object) },
  });

async function serve(documents: readonly string[]): Promise<RunningServer> {
  folder = makeConfigFolder();
  folder.write("policy.yaml", [allowOnly("/open"), ...documents].join("\n---\n"));
  const addresses = { grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" };
  server = await startServer(
    { configPaths: [folder.path], ...addresses },
    { logger: pino({ level: "silent" }), now: Date.now, environment: { REGION: "north" } },
  );
  return server;
}

/** The sum of a metric's series whose text holds `part`. */
async function sumOf(name: string, part = ""): Promise<number> {
  const text = await (await fetch(`http://${server?.adminAddress}/metrics`)).text();
  const lines = text
    .split("\n")
    .filter((line) => new RegExp(`^${name}[{ ]`).test(line) && line.includes(part));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

const linesOf = (path: string): readonly string[] =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];

describe("telemetry of a server", () => {
  it("keeps what was counted when the configuration changes", async () => {
    const { grpcAddress } = await serve([]);
    await sendLoad(grpcAddress, load);
    await eventually(() => sumOf("istio_requests_total"), 80);
    folder.write(
      "metric.yaml",
      metric("calls_total", {
        type: "COUNTER",
        match: "context.protocol == 'http'",
        labels: { code: "response.code" },
      }),
    );
    await eventually(() => server?.configuration().generation, 2);
    await sendLoad(grpcAddress, load);
    await eventually(() => sumOf("istio_requests_total"), 160);
    expect([await sumOf("calls_total"), await sumOf("calls_total", 'code="403"')]).toEqual([
      80,
      2 * load.calls.filter(({ code }) => code === 403).length,
    ]);
  });

  it("does what Telemetry says: metrics disabled, labels removed and added", async () => {
    const telemetry = {
      apiVersion: "telemetry.istio.io/v1",
      kind: "Telemetry",
      metadata: { name: "mesh", namespace: "istio-system" },
      spec: {
        metrics: [
          {
            overrides: [
              { match: { metric: "REQUEST_SIZE" }, disabled: true },
              {
                match: { metric: "REQUEST_COUNT" },
                tagOverrides: {
                  response_flags: { operation: "REMOVE" },
                  kind: { value: "response.code >= 400 ? 'bad' : 'good'" },
                },
              },
            ],
          },
        ],
      },
    };
    const { grpcAddress } = await serve([JSON.stringify(telemetry)]);
    await sendLoad(grpcAddress, load);
    await eventually(() => sumOf("istio_requests_total"), 80);
    expect(await sumOf("istio_requests_total", 'kind="bad"')).toBe(
      2 * load.calls.filter(({ code }) => code >= 400).length,
    );
    expect([
      await sumOf("istio_requests_total", "response_flags"),
      await sumOf("istio_request_bytes_count"),
      await sumOf("istio_response_bytes_count"),
    ]).toEqual([0, 0, 80]);
  });

  it("writes access logs, and opens files again on reload", async () => {
    const logs = makeConfigFolder();
    closers.push(logs.remove);
    const path = join(logs.path, "access.log");
    const spec = {
      extensionProviders: [
        { name: "json", envoyFileAccessLog: { path, logFormat: { labels: { code: "%RESPONSE_CODE%" } } } },
      ],
      defaultProviders: { accessLogging: ["json"] },
    };
    const { grpcAddress, reload } = await serve([mesh(spec)]);
    const lines = 2 * load.calls.length + 2 * load.connections.filter(({ isClosed }) => isClosed).length;
    await sendLoad(grpcAddress, load);
    await eventually(() => linesOf(path).length, lines);
    renameSync(path, `${path}.1`);
    reload();
    await sendLoad(grpcAddress, load);
    await eventually(() => linesOf(path).length + linesOf(`${path}.1`).length, 2 * lines);
    expect(linesOf(path).length).toBeGreaterThan(0);
    const codes = linesOf(path).map((line) => (JSON.parse(line) as { code: number }).code);
    expect(codes.filter((code) => code === 403).length).toBeGreaterThan(0);
    expect(await sumOf("gatehouse_sink_delivered_total", 'sink="access/json"')).toBe(2 * lines);
  });

  it("sends spans and logs to a receiver of OTLP", async () => {
    const receiver = await startOtlpReceiver("http");
    closers.push(() => receiver.close());
    const at = { service: "127.0.0.1", port: receiver.port, http: { path: "/v1/logs" } };
    const { grpcAddress } = await serve([
      mesh({
        extensionProviders: [
          { name: "traces", opentelemetry: { ...at, http: { path: "/v1/traces" } } },
          { name: "logs", envoyOtelAls: at },
        ],
        defaultProviders: { accessLogging: ["logs"], tracing: ["traces"] },
        tracing: { sampling: 100 },
      }),
    ]);
    await sendLoad(grpcAddress, load);
    await eventually(() => receiver.spans.length, 80);
    const lines = 80 + 2 * load.connections.filter(({ isClosed }) => isClosed).length;
    await eventually(() => receiver.logs.length, lines);
  });
});
