import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askAdmin } from "../../src/cli/admin-client.js";
import { StoreError } from "../../src/quota/index.js";
import { type Finished, runCli } from "../support/cli.js";
import { type QuotaAdmin, startQuotaAdmin } from "../support/quota-admin.js";

let folder: string;
let admin: QuotaAdmin;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-quota-"));
  admin = await startQuotaAdmin();
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await admin.close();
  rmSync(folder, { recursive: true, force: true });
});

const quota = (...args: string[]): Promise<Finished> => {
  const [command = "", ...rest] = args;
  return runCli(["quota", command, "--admin-address", `127.0.0.1:${admin.port}`, ...rest]);
};
const ofAlice = ["shop/mapped", "--dimension", "user=alice"];

async function chargeAlice(cost: number): Promise<void> {
  const { key } = JSON.parse((await quota("get", ...ofAlice, "--output", "json")).stdout) as { key: string };
  const allowance = { algorithm: "fixedWindow", limit: 7, windowMs: 3_600_000, burst: 7 } as const;
  await admin.store.charge([{ ...allowance, key, group: "shop", cost, isTrial: false, id: undefined }]);
}

/** Something else than Gatehouse at an admin address. */
async function other(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("gatehouse quota get", () => {
  it("prints how a counter of a quota stands", async () => {
    await chargeAlice(7);
    const { code, stdout } = await quota("get", ...ofAlice);
    expect(code).toBe(0);
    expect(stdout).toBe(`quota shop/mapped
  counter       quota:4:shop6:mappedf3600000/5:alice
  limit         7 per 3600 s (fixedWindow)
  remaining     0
  next request  refused
  all free in   2800 s
  retry after   2800 s
`);
  });

  it("prints what the page says as JSON", async () => {
    const { stdout } = await quota("get", ...ofAlice, "--output", "json");
    expect(JSON.parse(stdout)).toMatchObject({ quota: "shop/mapped", limit: 7, remaining: 7, allowed: true });
  });

  it("says when the counter is the general one, a quota is on trial, or nothing is limited", async () => {
    expect((await quota("get", "shop/mapped")).stdout).toContain("name one by --dimension NAME=VALUE");
    expect((await quota("get", "shop/all")).stdout).toContain("100 per 10 s, 20 at once (tokenBucket)");
    const free = await quota("get", "--domain", "edge", "--descriptor", "path=/free");
    expect(free).toMatchObject({ code: 0, stdout: "domain edge: not limited\n" });
  });

  it("prints how a counter of the rate limit service stands", async () => {
    const { code, stdout } = await quota("get", "--domain", "edge", "--descriptor", "client=alice");
    expect(code).toBe(0);
    expect(stdout).toBe(`domain edge
  counter       edge_client_alice_1699999200
  name          per-client
  limit         5 per HOUR
  used          0
  remaining     5
  next request  passes
  all free in   2800 s
`);
  });

  it("takes several entries in order, and values that a query has to escape", async () => {
    const entries = ["--descriptor", "tenant=", "--descriptor", "user_id=a&b=c d+é%"];
    const { code, stdout } = await quota("get", "--domain", "edge", ...entries);
    expect(code).toBe(0);
    expect(stdout).toContain("a&b=c d+é%");
    expect(stdout).toContain("2 per MINUTE");
  });
});

describe("gatehouse quota reset", () => {
  it("forgets a counter, and says when nothing was counted", async () => {
    await chargeAlice(7);
    const first = await quota("reset", ...ofAlice);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toBe("quota shop/mapped: reset (counter quota:4:shop6:mappedf3600000/5:alice)\n");
    expect((await quota("get", ...ofAlice)).stdout).toContain("remaining     7");
    expect((await quota("reset", ...ofAlice)).stdout).toContain("nothing was counted");
  });
});

describe("gatehouse quota", () => {
  it.each([
    ["get", "shop/none"],
    ["get", "--domain", "nowhere", "--descriptor", "a=b"],
    ["reset", "shop/none"],
  ])("exits with 1 when there is no such counter: %s %s", async (...args) => {
    const { code, stdout, stderr } = await quota(...args);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: there is no (quota|domain) `.+` \(status 404\)\n$/);
  });

  it.each([
    [["get"], /no counter is named/],
    [["get", "shop/mapped", "--domain", "edge"], /no counter is named/],
    [["get", "--domain", "edge"], /no counter is named/],
    [["get", "--domain", "edge", "--descriptor", "a=b", "--dimension", "a=b"], /no counter is named/],
    [["get", "shop/mapped", "--dimension", "colour=red"], /no dimension `colour`/],
    [["reset", "shop/mapped", "--dimension", "user"], /expected NAME=VALUE/],
    [["get", "shop/mapped", "--output", "yaml"], /unknown output `yaml`/],
    [["get", "shop/mapped", "--admin-address", "nonsense"], /bad address `nonsense`/],
    [["get", "shop/mapped", "--admin-token-file", "/nonexistent/token"], /cannot read the admin token file/],
    [["get", "shop/mapped", "--what"], /unknown option/],
    [["forget", "shop/mapped"], /./],
  ])("exits with 2 when it is asked wrongly: %j", async (args, why) => {
    const { code, stderr } = await quota(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(why);
  });

  it("exits with 1 while the counters cannot be reached", async () => {
    admin.fault = new StoreError("unavailable", "redis is away");
    expect(await quota("get", ...ofAlice)).toMatchObject({
      code: 1,
      stderr: "error: the counters cannot be reached: redis is away (status 503)\n",
    });
  });

  it("brings the token, from a flag or the environment", async () => {
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "s3cret\n");
    const guarded = await startQuotaAdmin({ tokenFile });
    closers.push(guarded.close);
    const at = ["quota", "get", "shop/all", "--admin-address", `127.0.0.1:${guarded.port}`];
    expect((await runCli([...at, "--admin-token-file", tokenFile])).code).toBe(0);
    expect((await runCli(at, "", { GATEHOUSE_ADMIN_TOKEN_FILE: tokenFile })).code).toBe(0);
    const without = await runCli(at);
    expect(without).toMatchObject({ code: 1 });
    expect(without.stderr).toContain("expected --admin-token-file FILE");
  });

  it("finds the address in the environment, and speaks over a unix socket", async () => {
    const env = { GATEHOUSE_ADMIN_ADDRESS: `127.0.0.1:${admin.port}` };
    expect((await runCli(["quota", "get", "shop/all"], "", env)).code).toBe(0);
    const path = join(folder, "admin.sock");
    const guarded = await startQuotaAdmin({}, `unix:${path}`);
    closers.push(guarded.close);
    expect((await runCli(["quota", "get", "shop/all", "--admin-address", `unix:${path}`])).code).toBe(0);
  });

  it("says why it cannot connect", async () => {
    const { code, stderr } = await runCli(["quota", "get", "a/b", "--admin-address", "127.0.0.1:1"]);
    expect([code, stderr]).toEqual([
      1,
      "error: no answer from the admin address `127.0.0.1:1`: ECONNREFUSED\n",
    ]);
  });

  it("gives up on a server that never ends its answer", async () => {
    const address = await other((_, response) => void response.writeHead(200).write("{"));
    const asked = askAdmin({ address, tokenFile: undefined, deadlineMs: 100 }, "GET", "/quota");
    await expect(asked).rejects.toThrow(/^no answer from the admin address `.+`: it did not come in time$/);
  });

  it.each(["", "[]", "null", "<html>", `"${"x".repeat(2_000_000)}"`])(
    "does not take another server's answer for Gatehouse's",
    async (body) => {
      const address = await other((_, response) => void response.end(body));
      const { code, stdout, stderr } = await runCli(["quota", "get", "a/b", "--admin-address", address]);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/is no admin address of Gatehouse|more than 1048576 bytes/);
    },
  );

  it("lets no answer move the terminal's cursor", async () => {
    const address = await other((request, response) => {
      if (request.method === "POST") response.writeHead(404);
      response.end(JSON.stringify({ quota: "a\u001b[2J", key: "\u001b[1A", allowed: true }));
    });
    const got = await runCli(["quota", "get", "a/b", "--admin-address", address]);
    const failed = await runCli(["quota", "reset", "a/b", "--admin-address", address]);
    expect(got.code).toBe(0);
    expect(got.stdout + failed.stderr).not.toContain("\u001b");
  });
});
