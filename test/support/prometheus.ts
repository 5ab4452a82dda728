import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { freePort } from "./ports.js";
import { findTool } from "./tools.js";

/** One series of an answer, without the metric's name. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What was scraped of one series. */
export interface Track {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly { readonly seconds: number; readonly value: number }[];
}

/** A real Prometheus on loopback. */
export interface PrometheusServer {
  /** The vector or scalar that an expression gives, now or at a time. Throws with Prometheus' words. */
  query(expression: string, atSeconds?: number): Promise<Sample[]>;
  /** The raw points of a range selector such as `up[30s]`. */
  points(selector: string, atSeconds?: number): Promise<Track[]>;
  /** What it knows of a metric's type and help, as scraped. */
  typeOf(metric: string): Promise<string | undefined>;
  /** Fulfilled after so many more scrapes of all targets that succeeded. */
  scrapes(count: number): Promise<void>;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly resultType: string;
    readonly result: unknown;
  };
}
interface Element {
  readonly metric: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

const START_MS = 30_000;

/** Starts it with one target, `HOST:PORT`, that it scrapes each second; fulfilled after the first scrape. */
export async function startPrometheus(target: string): Promise<PrometheusServer> {
  const tool = await findTool("prometheus");
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-prometheus-"));
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [{ job_name: "gatehouse", static_configs: [{ targets: [target] }] }],
  };
  await writeFile(join(folder, "prometheus.yaml"), stringify(config));
  const running = await tool.launch(
    [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    { cwd: folder, folders: [folder] },
  );
  const api = async (path: string, parameters: Record<string, string>): Promise<Answer["data"]> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, {
      method: "POST",
      body: new URLSearchParams(parameters),
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as Answer;
    if (answer.status !== "success") throw new Error(answer.error);
    return answer.data;
  };
  const at = (seconds: number | undefined): Record<string, string> =>
    seconds === undefined ? {} : { time: String(seconds) };
  const query = async (expression: string, seconds?: number): Promise<Sample[]> => {
    const { resultType, result } = await api("query", { query: expression, ...at(seconds) });
    if (resultType === "scalar") return [{ labels: {}, value: Number((result as [number, string])[1]) }];
    return (result as Element[]).map(({ metric, value }) => ({
      labels: withoutName(metric),
      value: Number(value?.[1]),
    }));
  };
  const lastScrape = async (): Promise<number> => (await query("timestamp(up) and up == 1"))[0]?.value ?? 0;
  const server: PrometheusServer = {
    query,
    points: async (selector, seconds) => {
      const { result } = await api("query", { query: selector, ...at(seconds) });
      return (result as Element[]).map(({ metric, values = [] }) => ({
        labels: withoutName(metric),
        points: values.map(([time, value]) => ({ seconds: time, value: Number(value) })),
      }));
    },
    typeOf: async (metric) => {
      const url = `http://127.0.0.1:${port}/api/v1/metadata?${new URLSearchParams({ metric })}`;
      const { data } = (await (await fetch(url)).json()) as { data: Record<string, { type: string }[]> };
      return data[metric]?.[0]?.type;
    },
    scrapes: async (count) => {
      let last = await lastScrape();
      for (let left = count; left > 0; ) {
        await sleep(50);
        const now = await lastScrape();
        if (now > last) left -= 1;
        last = now;
      }
    },
    stop: async () => {
      await running.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  const deadline = Date.now() + START_MS;
  while ((await lastScrape().catch(() => 0)) === 0) {
    if (Date.now() > deadline) {
      await server.stop();
      throw new Error(`prometheus has not scraped \`${target}\` after ${START_MS} ms:\n${running.output()}`);
    }
    await sleep(50);
  }
  return server;
}

/** What promtool says: `check rules FILE`, `test rules FILE`, `check metrics` of its `input`. */
export async function promtool(
  args: readonly string[],
  options: { readonly folders?: readonly string[]; readonly input?: string } = {},
): Promise<{ readonly ok: boolean; readonly output: string }> {
  const { folders = [], input } = options;
  const tool = await findTool("promtool");
  if (input === undefined) {
    const running = await tool.launch(args, { folders });
    const { code } = await running.exited;
    return { ok: code === 0, output: running.output() };
  }
  if (tool.source === "container")
    throw new Error(`${tool.where}: nothing can be fed to a program in a container`);
  const child = spawn(tool.where, args, { timeout: 30_000 });
  child.stdin.end(input);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { ok: code === 0, output: output + errors };
}

function withoutName(metric: Record<string, string>): Record<string, string> {
  const { __name__: _name, ...labels } = metric;
  return labels;
}
