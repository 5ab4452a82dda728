import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type Child, startChild } from "./child.js";

/** What `npm test` has built: it starts in a quarter of the time that the sources take. */
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A folder with a configuration that keeps records, and the files that they go to. */
export interface RecordFolder {
  readonly path: string;
  readonly config: string;
  readonly access: string;
  readonly decisions: string;
  readonly audit: string;
  remove(): void;
}

/** What the Mesh says beside its three files. */
export interface RecordMesh {
  /** In place of the file's own. */
  readonly access?: string;
  readonly decisions?: string;
  /** False: without an audit file. */
  readonly audits?: boolean;
  /** Further sinks of decisions, given the folder. */
  readonly sinksIn?: (path: string) => readonly object[];
  /** Headers that decisions are written with. */
  readonly headers?: readonly string[];
  readonly strict?: boolean;
}

/** Where a request is refused; all else is allowed. */
export const REFUSED = "/secret";

/** Makes the folder: an access log, decisions and an audit file, and a policy that refuses one path. */
export function makeRecordFolder(mesh: RecordMesh = {}): RecordFolder {
  const path = mkdtempSync(join(tmpdir(), "gatehouse-records-"));
  const config = join(path, "config.yaml");
  const access = mesh.access ?? join(path, "access.log");
  const decisions = mesh.decisions ?? join(path, "decisions.log");
  const audit = join(path, "audit.log");
  const strict = mesh.strict === true;
  const format = {
    decision_id: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:decision_id)%",
    code: "%RESPONSE_CODE%",
    path: "%PATH(NQ)%",
  };
  const spec = {
    accessLogFile: access,
    accessLogEncoding: "JSON",
    accessLogFormat: JSON.stringify(format),
    decisionLog: {
      sinks: [{ name: "file", file: { path: decisions }, strict }, ...(mesh.sinksIn?.(path) ?? [])],
      include: { requestHeaders: mesh.headers ?? [] },
    },
    ...(mesh.audits !== false && { audit: { path: audit, strict } }),
  };
  const documents = [
    {
      apiVersion: "gatehouse.dev/v1alpha1",
      kind: "Mesh",
      metadata: { name: "mesh" },
      spec,
    },
    {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "no-secrets", namespace: "istio-system" },
      spec: { action: "DENY", rules: [{ to: [{ operation: { paths: [REFUSED] } }] }] },
    },
  ];
  writeFileSync(config, documents.map((document) => stringify(document)).join("---\n"));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  return { path, config, access, decisions, audit, remove };
}

/** A `gatehouse serve` of its own process. */
export interface Gatehouse {
  readonly port: number;
  readonly admin: string;
  readonly child: Child;
  /** Sums over the series of a metric whose labels contain the text, by the value of one label; "" where it is missing. */
  sums(metric: string, label?: string, containing?: string): Promise<Readonly<Record<string, number>>>;
  /** Over all series whose labels contain the text. */
  total(metric: string, containing?: string): Promise<number>;
  /** What became of what was given to each sink, at one moment. */
  sinks(): Promise<Readonly<Record<string, SinkAccount>>>;
  /** Sends SIGTERM, and waits until the process has ended. */
  end(): Promise<void>;
  kill(): Promise<void>;
}

/** Of one sink: what it was given is the sum of all these. */
export interface SinkAccount {
  readonly delivered: number;
  readonly queued: number;
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** All that was given to a sink. */
export function givenTo({ delivered, queued, dropped }: SinkAccount): number {
  return Object.values(dropped).reduce((sum, count) => sum + count, delivered + queued);
}

/** How a Gatehouse is started. */
export interface GatehouseStart {
  readonly flags?: readonly string[];
  /** Any free one by default. */
  readonly port?: number;
  /** No file of its can grow beyond that, as on a disk that is full. */
  readonly fileKiB?: number | undefined;
  /** Of Node. */
  readonly nodeFlags?: readonly string[];
}

/** Starts it and waits until it listens. */
export async function startGatehouse(
  config: string,
  { flags = [], port = 0, fileKiB, nodeFlags = [] }: GatehouseStart = {},
): Promise<Gatehouse> {
  const addresses = ["--grpc-address", `127.0.0.1:${port}`, "--admin-address", "127.0.0.1:0"];
  const command = [process.execPath, ...nodeFlags, main, "serve", "--config", config, ...addresses, ...flags];
  const [file = "", ...args] =
    fileKiB === undefined
      ? command
      : // Units of 512 bytes. Node ignores SIGXFSZ, so a write fails with EFBIG.
        ["sh", "-c", `ulimit -f ${fileKiB * 2}; exec "$0" "$@"`, ...command];
  return gatehouseOf(await startChild(file, args));
}

/** A `gatehouse serve` that was started. */
async function gatehouseOf(child: Child): Promise<Gatehouse> {
  const { grpc, admin } = await new Promise<{ readonly grpc: string; readonly admin: string }>(
    (resolve, reject) => {
      child.onLine((line) => {
        if (line.startsWith("{")) resolve(JSON.parse(line) as never);
      });
      void child.exited.then(() =>
        reject(new Error(`gatehouse ended before it listened: ${child.output()}`)),
      );
    },
  );
  const page = async (): Promise<string> => (await fetch(`http://${admin}/metrics`)).text();
  const series = async (metric: string): Promise<readonly Series[]> => seriesOf(await page(), metric);
  const send = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await child.exited;
  };
  return {
    port: Number(grpc.split(":").at(-1)),
    admin,
    child,
    async sums(metric, label, containing = "") {
      const sums: Record<string, number> = {};
      for (const [labels, value] of await series(metric)) {
        if (!labels.includes(containing)) continue;
        const key = labelIn(labels, label ?? "-");
        sums[key] = (sums[key] ?? 0) + value;
      }
      return sums;
    },
    async sinks() {
      const text = await page();
      const accounts: Record<string, { delivered: number; queued: number; dropped: Record<string, number> }> =
        {};
      const accountOf = (labels: string): (typeof accounts)[string] => {
        const sink = labelIn(labels, "sink");
        accounts[sink] ??= { delivered: 0, queued: 0, dropped: {} };
        return accounts[sink];
      };
      for (const [labels, value] of seriesOf(text, "gatehouse_sink_delivered_total"))
        accountOf(labels).delivered += value;
      for (const [labels, value] of seriesOf(text, "gatehouse_sink_queue_entries"))
        accountOf(labels).queued += value;
      for (const [labels, value] of seriesOf(text, "gatehouse_sink_dropped_total"))
        accountOf(labels).dropped[labelIn(labels, "reason")] = value;
      return accounts;
    },
    async total(metric, containing = "") {
      const found = (await series(metric)).filter(([labels]) => labels.includes(containing));
      return found.reduce((sum, [, value]) => sum + value, 0);
    },
    end: () => send("SIGTERM"),
    kill: () => send("SIGKILL"),
  };
}

type Series = readonly [labels: string, value: number];

function seriesOf(page: string, metric: string): readonly Series[] {
  const pattern = new RegExp(`^${metric}(?:\\{(.*)\\})? (\\S+)$`, "gm");
  return [...page.matchAll(pattern)].map(([, labels = "", value]) => [labels, Number(value)] as const);
}

function labelIn(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
}

/** Gives each line of a file, parsed. */
export async function eachLine(file: string, take: (line: Record<string, unknown>) => void): Promise<void> {
  if (!existsSync(file)) return;
  for await (const line of createInterface({ input: createReadStream(file) }))
    take(JSON.parse(line) as never);
}

/** How often each value of a field stands in a file of JSON lines, and how many lines there are. */
export async function countBy(
  file: string,
  field: string,
): Promise<{ readonly lines: number; readonly values: ReadonlyMap<string, number> }> {
  const values = new Map<string, number>();
  let lines = 0;
  await eachLine(file, (line) => {
    lines += 1;
    const value = String(line[field]);
    values.set(value, (values.get(value) ?? 0) + 1);
  });
  return { lines, values };
}
