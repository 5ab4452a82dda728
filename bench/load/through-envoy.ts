import { startEnvoy } from "../../test/support/envoy.js";
import { requestHeaders } from "../request.js";
import { table } from "../results.js";
import type { Effort } from "./direct.js";
import { benchBootstrap } from "./envoy-bootstrap.js";
import type { Generator } from "./job.js";
import { type Line, type Measured, measure } from "./measure.js";
import { startBuiltGatehouse, startEcho, type Target } from "./targets.js";

const POLICIES = { applicable: 10, loaded: 10 };

/** One Envoy with one thread: alone, with its own RBAC filter, and asking authorizers. */
export async function measureThroughEnvoy(generator: Generator, effort: Effort): Promise<Measured[]> {
  const targets: Record<string, Target> = {};
  try {
    targets["echo"] = await startEcho(false);
    targets["gatehouse"] = await startBuiltGatehouse(POLICIES);
    targets["workers"] = await startBuiltGatehouse(POLICIES, { flags: ["--workers", "2"] });
    const ports = Object.fromEntries(Object.entries(targets).map(([name, { port }]) => [name, port]));
    const envoy = await startEnvoy({ bootstrap: await benchBootstrap(POLICIES, ports) });
    try {
      const line = (name: string, listener: string): Line => {
        const server = targets[listener]?.pid;
        const port = envoy.ports[listener];
        if (port === undefined || envoy.pid === undefined) throw new Error(`no listener \`${listener}\``);
        return {
          name,
          job: { kind: "http", port, count: effort.count, parallel: 32, head: head() },
          pids: { envoy: envoy.pid, ...(server === undefined ? {} : { server }) },
        };
      };
      const lines = [
        line("Envoy alone", "alone"),
        line("Envoy, native RBAC filter, 10 policies", "native"),
        line("Envoy + echo", "echo"),
        line("Envoy + gatehouse, 10 policies", "gatehouse"),
        line("Envoy + gatehouse --workers 2, 10 policies", "workers"),
      ];
      return await measure(generator, lines, effort.rounds);
    } finally {
      await envoy.stop();
    }
  } finally {
    await Promise.all(Object.values(targets).map((target) => target.stop()));
  }
}

/** The benchmark's request as HTTP/1.1. */
function head(): string {
  const headers = new Map(requestHeaders);
  const lines = requestHeaders
    .filter(([name]) => !name.startsWith(":"))
    .map(([name, value]) => `${name}: ${value}`);
  const start = `GET ${headers.get(":path")} HTTP/1.1`;
  return `${[start, `host: ${headers.get(":authority")}`, ...lines].join("\r\n")}\r\n\r\n`;
}

/** CPU by process, and how the workers shared it. */
export function describeThroughEnvoy(results: readonly Measured[]): string {
  const rows = results.map(({ name, cpuMicros, requestsPerSecond, shares }) => {
    const server = cpuMicros["server"];
    // The first process of `--workers` is the primary, which answers no checks.
    const [primary, ...workers] = shares["server"] ?? [];
    const split =
      workers.length === 0
        ? ""
        : [...workers, primary ?? 0].map((one) => `${Math.round(one * 100)} %`).join(" : ");
    return [
      name,
      cpuMicros["envoy"]?.toFixed(1) ?? "",
      server?.toFixed(1) ?? "",
      requestsPerSecond.toFixed(0),
      split,
    ];
  });
  return table(
    [
      "setup",
      "Envoy CPU µs",
      "server CPU µs",
      "requests/s",
      "worker : worker : primary, of the server's CPU",
    ],
    rows,
  );
}
