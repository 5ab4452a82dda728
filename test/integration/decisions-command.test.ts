import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DecisionsOptions, showDecisionsWith } from "../../src/cli/decisions.js";
import { createDecisionRing, type DecisionRing } from "../../src/telemetry/index.js";
import type { Finished } from "../support/cli.js";
import { type QuotaAdmin, startQuotaAdmin } from "../support/quota-admin.js";
import { aDecision, aServed } from "../support/served.js";
import { nothingDone } from "../unit/traces/reports.js";

let ring: DecisionRing;
let admin: QuotaAdmin;
let fault: Error | undefined;

beforeEach(async () => {
  ring = createDecisionRing(100);
  fault = undefined;
  admin = await startQuotaAdmin({
    decisions: async (filter) => {
      if (fault !== undefined) throw fault;
      return ring.list(filter);
    },
  });
});
afterEach(async () => admin.close());

type Step = () => unknown;

/** Runs the command; each step is what happens before a poll, and after the last one it is interrupted. */
async function decisions(
  id: string | undefined,
  options: Partial<DecisionsOptions> = {},
  steps: readonly Step[] = [],
): Promise<Finished> {
  let [stdout, stderr, time, step] = ["", "", 0, 0];
  const controller = new AbortController();
  const code = await showDecisionsWith(
    id,
    { output: "text", adminAddress: `127.0.0.1:${admin.port}`, ...options },
    {
      signal: controller.signal,
      now: () => time,
      sleep: async (ms) => {
        time += ms;
        if (step === steps.length) controller.abort();
        steps[step]?.();
        step += 1;
      },
      streams: {
        out: (text) => {
          stdout += text;
        },
        err: (text) => {
          stderr += text;
        },
        stdin: async () => "",
        env: {},
      },
    },
  );
  return { code, stdout, stderr };
}

const paths = ({ stdout }: Finished): string[] =>
  [...stdout.matchAll(/example\.com\/(\w+)/g)].map(([, p]) => p ?? "");

function decide(path: string, allowed = true): void {
  ring.push(aDecision({ decision_id: `id-${path}`, path: `/${path}`, allowed }));
}

function respond(path: string, event: "open" | "close" = "close"): void {
  ring.served(aServed({ event, check: { decisionId: `id-${path}` } }));
}

describe("gatehouse decisions", () => {
  it("prints the last ones, oldest first, with the time, the sentence and the id", async () => {
    decide("a");
    decide("b");
    respond("b");
    expect(await decisions(undefined)).toEqual({
      code: 0,
      stderr: "",
      stdout:
        "2023-11-14T22:13:20.000Z GET example.com/a from 10.0.0.1: allowed by policy shop/only rule 2 in 0.41 ms (id-a)\n" +
        "2023-11-14T22:13:20.000Z GET example.com/b from 10.0.0.1: allowed by policy shop/only rule 2 in 0.41 ms," +
        " upstream answered 200 in 82 ms, 14 KB (id-b)\n",
    });
  });

  it("says what body policies did and what nobody carried out, and finds it", async () => {
    decide("a");
    const check = { decisionId: "id-b", obligations: ["shop/mask"] };
    ring.served(aServed({ check: { ...check, unmet: ["shop/mask"] } }));
    const changes = new Map([["shop/mask/card", 3]]);
    const body = { ...nothingDone, policies: ["shop/mask"], fulfilled: ["shop/mask"], changes, changed: 3 };
    ring.served(aServed({ check: { ...check, decisionId: "id-c", body } }));
    const found = await decisions(undefined, { bodyPolicy: "shop/mask" });
    expect(
      found.stdout.match(/ALARM, body policy shop\/mask was asked for|3 values changed by shop\/mask/g),
    ).toHaveLength(2);
    const unmet = await decisions(undefined, { unmet: true, output: "json" });
    expect(JSON.parse(unmet.stdout)).toMatchObject({ decision_id: "id-b", unmet: ["shop/mask"], body: null });
    expect((await decisions("id-b")).stdout).toContain("has the ext_proc filter, behind ext_authz");
  });

  it("prints 10 unless it is told how many", async () => {
    for (let i = 0; i < 20; i += 1) decide(`p${i}`);
    expect(paths(await decisions(undefined))).toHaveLength(10);
    expect(paths(await decisions(undefined, { limit: "2" }))).toEqual(["p18", "p19"]);
  });

  it("hands its filters to the server", async () => {
    decide("a");
    decide("b", false);
    expect(paths(await decisions(undefined, { denied: true }))).toEqual(["b"]);
    respond("a");
    expect(paths(await decisions(undefined, { requestId: "s-1" }))).toEqual(["a"]);
    expect(paths(await decisions(undefined, { policy: "shop/other" }))).toEqual([]);
    expect(
      paths(await decisions(undefined, { outcome: "allowed", path: "/a", host: "example.com" })),
    ).toEqual(["a"]);
    expect(paths(await decisions(undefined, { since: "2h", principal: "x", reason: "y" }))).toEqual([]);
  });

  it("prints one JSON record per line, in which nothing moves a terminal's cursor", async () => {
    ring.push(aDecision({ path: "/\u009b31m\u001b[2J\u202e\u{e0001}" }));
    const { stdout } = await decisions(undefined, { output: "json" });
    expect(stdout.trimEnd()).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(stdout)).toMatchObject({
      decision_id: "d-1",
      outcome: "allowed",
      path: "/\u009b31m\u001b[2J\u202e\u{e0001}",
      response: null,
    });
  });

  it("prints one decision by its id, and what would help", async () => {
    ring.push(aDecision({ allowed: false, reason: "denied_by_policy", policy: "shop/deny" }));
    const { code, stdout } = await decisions("d-1");
    expect(code).toBe(0);
    expect(stdout).toContain("refused by policy shop/deny rule 2");
    expect(stdout).toContain("\n  rule 2 (counted from 0) of policy shop/deny matched");
    const { stdout: json } = await decisions("d-1", { output: "json" });
    expect(JSON.parse(json)).toMatchObject({ decision_id: "d-1" });
  });

  it("ends with 1 when nobody remembers the id", async () => {
    expect(await decisions("gone\u001b[2J")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "error: no decision `gone\\u{1b}[2J` is remembered there: another replica decided it, it was overwritten," +
        " or it is no decision_id\n",
    });
  });

  it.each([
    [undefined, { output: "yaml" }, "unknown output `yaml`, expected text or json"],
    [undefined, { limit: "many" }, "bad limit `many`, expected a number"],
    ["d-1", { follow: true }, "an id names one decision"],
    ["d-1", { denied: true }, "an id names one decision"],
    [undefined, { outcome: "fine" }, "bad `outcome`, expected allowed, denied"],
    [undefined, { since: "yesterday" }, "bad `since`, expected a time"],
  ] as const)("refuses wrong usage: %s %o", async (id, options, message) => {
    await expect(decisions(id, options)).rejects.toThrow(message);
  });

  it("says when nothing answers, or something else", async () => {
    await expect(decisions(undefined, { adminAddress: "127.0.0.1:1" })).rejects.toThrow("no answer from");
    fault = new Error("broken");
    await expect(decisions(undefined)).rejects.toThrow("internal error (status 500)");
  });
});

describe("gatehouse decisions --follow", () => {
  const follow = { follow: true } as const;

  it("prints a decision once, when its response is known", async () => {
    decide("before");
    const done = await decisions(undefined, follow, [
      () => decide("a"),
      () => respond("a", "open"),
      () => {
        respond("a");
        decide("b");
        respond("b");
      },
      () => respond("before"),
    ]);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(paths(done)).toEqual(["before", "a", "b"]);
    expect(done.stdout).toMatch(/\/a .*upstream answered 200/);
  });

  it("prints a decision without a response after five seconds, and not again when it comes", async () => {
    const nothing: Step = () => {};
    const { stdout } = await decisions(undefined, follow, [
      () => decide("slow"),
      ...Array.from({ length: 4 }, () => nothing),
      () => decide("marker"),
      () => respond("marker"),
      () => respond("slow"),
      nothing,
    ]);
    expect(paths({ code: 0, stdout, stderr: "" })).toEqual(["slow", "marker"]);
    expect(stdout).not.toMatch(/\/slow .*upstream/);
  });

  it("prints what still waits when it is interrupted", async () => {
    expect(paths(await decisions(undefined, follow, [() => decide("a")]))).toEqual(["a"]);
  });

  it("begins behind what is there when it is to print none of it", async () => {
    for (const path of ["a", "b"]) decide(path);
    expect(paths(await decisions(undefined, { ...follow, limit: "0" }, [() => decide("c")]))).toEqual(["c"]);
  });

  it("shows only what is asked for", async () => {
    const step = (): void => {
      decide("fine");
      decide("bad", false);
    };
    expect(paths(await decisions(undefined, { ...follow, denied: true }, [step]))).toEqual(["bad"]);
  });

  it("says how many it could not read in time", async () => {
    decide("a");
    const { stderr, stdout } = await decisions(undefined, follow, [
      () => {
        for (let i = 0; i < 250; i += 1) decide(`p${i}`);
      },
    ]);
    expect(stderr).toBe("warning: 150 decisions were overwritten before they could be read\n");
    expect(paths({ code: 0, stdout, stderr })).toHaveLength(101);
  });

  it("goes on when the server cannot be asked for a while, and says so once", async () => {
    const { stderr, code } = await decisions(undefined, follow, [
      () => {
        fault = new Error("broken");
      },
      () => {},
      () => {
        fault = undefined;
      },
    ]);
    expect(code).toBe(0);
    expect(stderr).toBe("warning: internal error (status 500); trying again\n");
  });

  it("begins anew with a server that began anew", async () => {
    for (const path of ["a", "b", "c", "d"]) decide(path);
    const done = await decisions(undefined, follow, [
      () => {
        ring = createDecisionRing(100);
        decide("e");
        respond("e");
      },
    ]);
    expect(paths(done)).toEqual(["a", "b", "c", "d", "e"]);
    expect(done.stderr).toBe("");
  });
});

describe("the process of gatehouse decisions", () => {
  const source = (path: string): string => pathToFileURL(join(import.meta.dirname, "../../src", path)).href;
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

  /** As cli/main.ts runs it. */
  const start = (options: object): ReturnType<typeof spawn> => {
    const program = `
      import { showDecisions } from ${JSON.stringify(source("cli/decisions.ts"))};
      process.exit(await showDecisions(undefined, ${JSON.stringify({ output: "text", ...options })}, {
        out: (text) => void process.stdout.write(text),
        err: (text) => void process.stderr.write(text),
        stdin: async () => "",
        env: { GATEHOUSE_ADMIN_ADDRESS: "127.0.0.1:${admin.port}" },
      }));`;
    return spawn(process.execPath, ["--import", tsx, "--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
  };

  it("ends with 0 by SIGINT", async () => {
    decide("a");
    const child = start({ follow: true });
    const errors: string[] = [];
    child.stderr?.on("data", (text) => errors.push(String(text)));
    if (child.stdout === null) throw new Error("no standard output");
    await once(createInterface(child.stdout), "line");
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([0, null]);
    expect(errors).toEqual([]);
  });

  it("ends quietly when nobody reads on", async () => {
    decide("a");
    const child = start({ follow: true });
    const errors: string[] = [];
    child.stderr?.on("data", (text) => errors.push(String(text)));
    if (child.stdout === null) throw new Error("no standard output");
    await once(createInterface(child.stdout), "line");
    child.stdout.destroy();
    decide("b");
    respond("b");
    expect(await once(child, "close")).toEqual([0, null]);
    expect(errors).toEqual([]);
  });
});
