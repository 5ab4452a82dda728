import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli, type Started, startCli } from "../support/cli.js";
import { checkOver } from "../support/grpc-client.js";
import {
  allowOnly,
  type ConfigFolder,
  eventually,
  makeConfigFolder,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";

const LIMIT = 7;

let folder: ConfigFolder;
let started: Started;
let grpc: string;
let admin: string;

beforeEach(async () => {
  folder = makeConfigFolder();
  folder.write("policy.yaml", allowOnly("/one"));
  folder.write(
    "quota.yaml",
    `apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: all, namespace: istio-system}
spec: {limit: ${LIMIT}, window: 8760h}
`,
  );
  const addresses = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"];
  started = startCli(["serve", "--workers", "2", "--config", folder.path, ...addresses]);
  ({ grpc, admin } = await started.listening);
});

afterEach(async () => {
  started.process.kill("SIGKILL");
  await started.finished;
  folder.remove();
});

/** Each call has a connection of its own, and connections go to the workers in turn. */
const ask = async (): Promise<number> => statusOf(await checkOver(grpc, requestFor("/one")));
const askOften = async (times: number): Promise<string> => {
  const answers = await Promise.all(Array.from({ length: times }, ask));
  return [200, 429].map((status) => answers.filter((answer) => answer === status).length).join(" ");
};
const quota = async (command: string): Promise<Record<string, unknown>> => {
  const args = ["quota", command, "istio-system/all", "--admin-address", admin, "--output", "json"];
  const { stdout, stderr } = await runCli(args);
  return stdout === "" ? { failed: stderr } : (JSON.parse(stdout) as Record<string, unknown>);
};

describe("several workers without Redis", () => {
  it("have one ledger together, which is looked at and reset from outside", async () => {
    expect(await askOften(20)).toBe(`${LIMIT} ${20 - LIMIT}`);
    expect(await quota("get")).toMatchObject({ limit: LIMIT, remaining: 0, allowed: false });
    expect(await quota("reset")).toMatchObject({ counters_reset: 1 });
    expect(await askOften(12)).toBe(`${LIMIT} ${12 - LIMIT}`);
  });

  it("keep it when one of them dies", async () => {
    expect(await askOften(4)).toBe("4 0");
    const [first] = started.logs().filter(({ msg }) => msg === "worker joined");
    process.kill(Number(first?.["worker"]), "SIGKILL");
    const isBack = async (): Promise<boolean> => {
      const metrics = await (await fetch(`http://${admin}/metrics`)).text();
      return /gatehouse_worker_deaths_total 1/.test(metrics) && /gatehouse_workers_ready 2/.test(metrics);
    };
    await eventually(isBack, true, 10_000);
    expect(await askOften(10)).toBe("3 7");
  });
});
