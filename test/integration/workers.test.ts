import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Started, startCli } from "../support/cli.js";
import { checkOver, healthOf } from "../support/grpc-client.js";
import {
  allowOnly,
  type ConfigFolder,
  eventually,
  makeConfigFolder,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";

let folder: ConfigFolder;
let started: Started;
let grpc: string;
let admin: string;

beforeEach(async () => {
  folder = makeConfigFolder();
  folder.write("policy.yaml", allowOnly("/one"));
  started = startCli([
    "serve",
    "--workers",
    "2",
    "--config",
    folder.path,
    "--grpc-address",
    "127.0.0.1:0",
    "--admin-address",
    "127.0.0.1:0",
  ]);
  ({ grpc, admin } = await started.listening);
});

afterEach(async () => {
  started.process.kill("SIGKILL");
  await started.finished;
  folder.remove();
});

/** Each call has a connection of its own, and connections go to the workers in turn. */
const ask = async (path: string): Promise<number> => statusOf(await checkOver(grpc, requestFor(path)));
const both = async (path: string): Promise<string> => (await Promise.all([ask(path), ask(path)])).join(" ");
const page = async (path: string): Promise<string> => (await fetch(`http://${admin}${path}`)).text();

/** Worker processes that joined so far, dead ones too. */
function workerPids(): number[] {
  return started
    .logs()
    .filter(({ msg }) => msg === "worker joined")
    .map(({ worker }) => Number(worker));
}

describe("several workers", () => {
  it("answer on one port and are seen as one by metrics and decisions", async () => {
    expect(await both("/one")).toBe("200 200");
    expect(await both("/two")).toBe("403 403");
    const metrics = await page("/metrics");
    expect(metrics).toMatch(
      /gatehouse_checks_total\{allowed="true",code="OK",stage="authorize",protocol="http"\} 2/,
    );
    expect(metrics).toContain("gatehouse_workers_ready 2");
    expect(metrics).toContain("gatehouse_config_generation 1");
    const { decisions } = JSON.parse(await page("/decisions")) as { decisions: { path: string }[] };
    expect(decisions.map(({ path }) => path).sort()).toEqual(["/one", "/one", "/two", "/two"]);
  });

  it("take an edit together", async () => {
    folder.write("policy.yaml", allowOnly("/two"));
    await eventually(() => both("/two"), "200 200");
    expect(await both("/one")).toBe("403 403");
    expect(await page("/config")).toContain('"generation": 2');
  });

  it("are replaced when they die, with the configuration in force", async () => {
    folder.write("policy.yaml", allowOnly("/two"));
    await eventually(() => both("/two"), "200 200");
    const before = workerPids();
    expect(before).toHaveLength(2);
    process.kill(before[0] as number, "SIGKILL");
    await eventually(async () => (await page("/metrics")).includes("gatehouse_worker_deaths_total 1"), true);
    expect(await ask("/two")).toBe(200);
    await eventually(
      async () => (await page("/metrics")).includes("gatehouse_workers_ready 2"),
      true,
      15_000,
    );
    for (let i = 0; i < 4; i += 1) expect(await ask("/two")).toBe(200);
    folder.write("policy.yaml", allowOnly("/three"));
    await eventually(() => both("/three"), "200 200");
  });

  it("drain with the primary and leave nothing behind", async () => {
    expect(await healthOf(grpc, "")).toBe("SERVING");
    const pids = workerPids();
    started.process.kill("SIGTERM");
    const { code, stdout } = await started.finished;
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  });

  it("end when the primary is killed", async () => {
    const pids = workerPids();
    started.process.kill("SIGKILL");
    await started.finished;
    const alive = (): number => pids.filter((pid) => isAlive(pid)).length;
    await eventually(alive, 0);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
