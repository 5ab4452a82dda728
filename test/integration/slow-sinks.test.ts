import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type CheckClient, createCheckClient } from "../support/grpc-client.js";
import { freePort } from "../support/ports.js";
import { givenTo, makeRecordFolder, startGatehouse } from "../support/record-stage.js";
import { eventually, requestFor, statusOf } from "../support/server-fixture.js";

// A reader that is slow, one that never comes, and a receiver that is down: what each sink was given is what it
// delivered, dropped and holds, and no check waits for it.

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** More than the 8192 lines, and more than the 16 MiB of text, that a queue takes. */
const CHECKS = 9_000;
const WEIGHTS = Array.from({ length: 8 }, (_, i) => `x-weight-${i}`);

test("with slow and missing receivers every check is answered, and the counts of each sink add up", async () => {
  const down = await freePort();
  const folder = makeRecordFolder({
    headers: WEIGHTS,
    sinksIn: (path) => [
      { name: "slow", file: { path: join(path, "slow.fifo") } },
      { name: "nobody", file: { path: join(path, "nobody.fifo") } },
      { name: "down", otlp: { service: "127.0.0.1", port: down } },
    ],
    audits: false,
  });
  undo.push(folder.remove);
  const slow = join(folder.path, "slow.fifo");
  execFileSync("mkfifo", [slow, join(folder.path, "nobody.fifo")]);
  const reader = openSync(slow, constants.O_RDONLY | constants.O_NONBLOCK);
  const gatehouse = await startGatehouse(folder.config);
  undo.push(gatehouse.kill);

  // 64 KiB each 100 ms: a line takes 4 KB.
  let text = "";
  const chunk = Buffer.alloc(65_536);
  const read = (): void => {
    try {
      text += chunk.toString("utf8", 0, readSync(reader, chunk));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  };
  const reading = setInterval(read, 100);
  undo.push(() => {
    clearInterval(reading);
    closeSync(reader);
  });

  const address = `127.0.0.1:${gatehouse.port}`;
  const clients = Array.from({ length: 2 }, () => createCheckClient(address));
  for (const client of clients) undo.push(client.close);
  let left = CHECKS;
  const statuses: Record<number, number> = {};
  const ask = async ({ check }: CheckClient): Promise<void> => {
    const request = requestFor("/books");
    const http = request.attributes?.request?.http;
    if (http?.headers) for (const name of WEIGHTS) http.headers[name] = "x".repeat(500);
    while (left > 0) {
      left -= 1;
      const status = statusOf(await check(request));
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: 8 }, () => ask(client))));
  expect(statuses).toEqual({ 200: CHECKS });

  const given = async (): Promise<string> => {
    const accounts = Object.entries(await gatehouse.sinks());
    return accounts
      .map(([name, account]) => `${name} ${givenTo(account)}`)
      .sort()
      .join(", ");
  };
  const all = ["down", "file", "nobody", "slow"].map((name) => `decisions/${name} ${CHECKS}`).join(", ");
  await eventually(given, all, 20_000);
  await eventually(async () => (await gatehouse.sinks())["decisions/file"]?.delivered, CHECKS, 20_000);
  const sinks = await gatehouse.sinks();
  console.info(sinks);
  expect(sinks["decisions/file"]).toEqual({ delivered: CHECKS, queued: 0, dropped: {} });
  for (const name of ["decisions/nobody", "decisions/down"]) {
    expect(sinks[name]?.delivered).toBe(0);
    expect(sinks[name]?.queued).toBeGreaterThan(0);
    expect(sinks[name]?.dropped).toEqual({ queue_full: expect.any(Number) });
  }
  expect(sinks["decisions/slow"]?.delivered).toBeGreaterThan(0);
  expect(sinks["decisions/slow"]?.queued).toBeGreaterThan(0);
  await gatehouse.end();
  read();
  // What arrived is whole lines, but for the one in which the reader stopped.
  const lines = text.split("\n").slice(0, -1);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ allowed: true });
});
