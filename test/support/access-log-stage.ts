import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { Attributes } from "../../src/attributes/index.js";
import type { Report } from "../../src/report/index.js";
import { startServer } from "../../src/server/index.js";
import { loggingBootstrap } from "./access-log-envoy.js";
import { startCheckTap, startLogTap } from "./access-log-taps.js";
import { startUpstreams } from "./access-log-upstreams.js";
import { type KeyPair, makeAuthority, spiffe, writeServerCertificates } from "./certificates.js";
import { startEnvoy } from "./envoy.js";
import { checkOver } from "./grpc-client.js";
import { type OtlpReceiver, startOtlpReceiver } from "./otlp-receiver.js";
import { eventually, makeConfigFolder, requestFor } from "./server-fixture.js";

/** What one exchange left behind. */
export interface Observed {
  readonly reports: readonly Report[];
  readonly asked: readonly Attributes[];
  /** When it happened, milliseconds since the epoch. */
  readonly span: readonly [from: number, to: number];
}

/** A real Envoy, a Gatehouse that decides and is told what happened, and everything around them. */
export interface LogStage {
  /** Of Envoy's listeners, by name. */
  readonly port: (listener: string) => number;
  readonly ca: string;
  /** A certificate of an account: NAMESPACE/NAME. */
  readonly account: (name: string) => KeyPair;
  readonly collector: OtlpReceiver;
  /** Lets something happen and waits until so many entries tell of it. */
  readonly observe: (happen: () => Promise<unknown>, entries: number) => Promise<Observed>;
  /** All entries of both protocols so far. */
  readonly reports: readonly Report[];
  readonly faults: readonly unknown[];
  /** A page of Gatehouse's admin interface. */
  readonly page: (path: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

const policies = (collector: number): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
spec:
  # Their length goes by the clock.
  quotaHeaders: none
  extensionProviders:
    - name: collector
      opentelemetry: {service: 127.0.0.1, port: ${collector}}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: mesh, namespace: istio-system}
spec:
  tracing:
    - providers: [{name: collector}]
      randomSamplingPercentage: 0
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: everybody, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  rules: [{}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: secrets, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  action: DENY
  rules:
    - to: [{operation: {paths: ["/never-asked"]}}]
    - to: [{operation: {paths: ["/secret*"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ledger, namespace: shop}
spec:
  selector: {matchLabels: {app: ledger}}
  rules:
    - from: [{source: {principals: [cluster.local/ns/shop/sa/books]}}]
---
apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: visits, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  match: "request.url_path == '/counted'"
  limit: 100
  window: 1h
`;

/** The path of a check that nobody made for a test. */
export const WARM_UP = "/warm-up";

/** Starts it all. */
export async function startLogStage(): Promise<LogStage> {
  const undo: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const collector = await startOtlpReceiver("grpc");
    undo.push(collector.close);
    const folder = makeConfigFolder();
    undo.push(folder.remove);
    folder.write("policies.yaml", policies(collector.port));
    const gatehouse = await startServer(
      { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
      { logger: pino({ level: "silent" }), now: Date.now },
    );
    undo.push(gatehouse.close);
    const checks = await startCheckTap(gatehouse.grpcAddress);
    undo.push(checks.stop);
    // The first check loads what all others find there, and would be late.
    await checkOver(`127.0.0.1:${checks.port}`, requestFor(WARM_UP));
    const logs = await startLogTap();
    undo.push(logs.stop);
    const upstreams = await startUpstreams();
    undo.push(upstreams.stop);
    const cwd = mkdtempSync(join(tmpdir(), "gatehouse-logs-"));
    undo.push(() => rmSync(cwd, { recursive: true, force: true }));
    const authority = makeAuthority();
    await writeServerCertificates(cwd, authority, { ...spiffe("shop", "web"), dns: ["localhost"] });
    const envoy = await startEnvoy({
      bootstrap: loggingBootstrap(),
      cwd,
      clusters: {
        check: checks.port,
        tap: logs.port,
        gatehouse: Number(gatehouse.grpcAddress.split(":").at(-1)),
        collector: collector.port,
        grpc: upstreams.grpc,
        up: upstreams.http,
        "outbound|80||books.shop.svc.cluster.local": upstreams.http,
        echo: upstreams.echo,
      },
    });
    undo.push(envoy.stop);
    return {
      port: (listener) => envoy.ports[listener] ?? 0,
      ca: authority.cert,
      account: (name) => authority.issue(spiffe(name.split("/")[0] ?? "", name.split("/")[1] ?? "")),
      collector,
      async observe(happen, entries) {
        const [reported, asked, from] = [logs.reports.length, checks.asked.length, Date.now()];
        await happen();
        await eventually(() => logs.reports.length >= reported + entries, true, 10_000);
        return {
          reports: logs.reports.slice(reported),
          asked: checks.asked.slice(asked),
          span: [from, Date.now()],
        };
      },
      reports: logs.reports,
      faults: logs.faults,
      page: async (path) => {
        const response = await fetch(`http://${gatehouse.adminAddress}${path}`);
        return await response.text();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
