import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Disk, nodeDisk } from "../../src/adapters/file-disk.js";
import { fileSinkLimits } from "../../src/adapters/file-sink.js";
import { createHttpClient, createSinks, type SinkPorts } from "../../src/adapters/index.js";
import { type ChainVerdict, createVerifier } from "../../src/audit/index.js";
import type { Sinks } from "../../src/logs/index.js";
import { aLine, createSinkLedger, type SinkLedger, until } from "../support/sink-ledger.js";

let folder: string;
let path: string;
let ledger: SinkLedger;
const opened: Sinks[] = [];

const quick = { ...fileSinkLimits, lingerMs: 1, minPauseMs: 5, maxPauseMs: 20, lookMs: 5 };

function open(more: Partial<SinkPorts> = {}, keyFile?: string): Sinks {
  const sinks = createSinks({ ...ledger, http: createHttpClient, now: Date.now, fileLimits: quick, ...more });
  sinks.configure([{ kind: "audit", name: "audit", path, ...(keyFile !== undefined && { keyFile }) }]);
  opened.push(sinks);
  return sinks;
}

const record = (i: number): string => JSON.stringify({ i });
const store = (sinks: Sinks, i: number): Promise<void> => sinks.store(aLine("audit", record(i)));

function verify(files: readonly string[] = [path], key?: Uint8Array): ChainVerdict {
  const verifier = createVerifier({ key });
  for (const file of files) {
    verifier.file(file);
    const bytes = readFileSync(file);
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(10, start);
      verifier.line(bytes.subarray(start, end === -1 ? bytes.length : end), end !== -1);
      start = end === -1 ? bytes.length : end + 1;
    }
  }
  return verifier.end();
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-audit-"));
  path = join(folder, "audit.jsonl");
  ledger = createSinkLedger();
});

afterEach(async () => {
  for (const sinks of opened.splice(0)) await sinks.close(100);
  rmSync(folder, { recursive: true, force: true });
});

describe("an audit file", () => {
  it("is one chain over restarts, with a key or without", async () => {
    for (const auditKey of [undefined, Buffer.from("key")]) {
      path = join(folder, `audit-${auditKey === undefined}.jsonl`);
      for (let run = 0; run < 3; run += 1) {
        const sinks = open({ readFile: async () => Buffer.from("key") }, auditKey && "key.bin");
        await Promise.all([store(sinks, 1), store(sinks, 2)]);
        await sinks.close(1000);
      }
      const { fault, records, notices } = verify([path], auditKey);
      expect({ fault, records, notices }).toEqual({ fault: undefined, records: 6, notices: [] });
    }
  });

  it("is not written with a key of no bytes, which anybody has", async () => {
    const sinks = open({ readFile: async () => Buffer.alloc(0) }, "key.bin");
    await expect(store(sinks, 1)).rejects.toThrow("not_stored");
    await until(() => ledger.retried() > 0);
  });

  it("goes on in a new file when the old one was moved away, and no line is lost", async () => {
    const sinks = open();
    const files: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (let i = 0; i < 20; i += 1) sinks.write(aLine("audit", record(i)));
      await until(() => existsSync(path));
      renameSync(path, `${path}.${round}`);
      files.push(`${path}.${round}`);
      sinks.reopen();
      // Not moved: the same file.
      sinks.reopen();
    }
    await sinks.close(1000);
    const { fault, records, notices } = verify([...files, path]);
    expect({ fault, records, notices }).toEqual({ fault: undefined, records: 100, notices: [] });
  });

  it("goes on after a crash that cut the last line off, whose bytes stay", async () => {
    const sinks = open();
    await store(sinks, 1);
    await store(sinks, 2);
    await sinks.close(1000);
    truncateSync(path, readFileSync(path).length - 20);
    const again = open();
    await store(again, 3);
    const { fault, records, notices } = verify();
    expect([fault, records, notices.length]).toEqual([undefined, 2, 1]);
  });

  it("goes on after a last line without its line feed, and after one of 100 KiB", async () => {
    const sinks = open();
    await sinks.store(aLine("audit", JSON.stringify({ long: "x".repeat(100_000) })));
    await sinks.close(1000);
    truncateSync(path, readFileSync(path).length - 1);
    await store(open(), 3);
    expect([verify().fault, verify().records]).toEqual([undefined, 2]);
  });

  it("stays a chain on a disk that is full in the middle of lines", async () => {
    let writes = 0;
    const disk: Disk = {
      ...nodeDisk,
      async write(fd, bytes) {
        writes += 1;
        if (writes % 5 === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
        return nodeDisk.write(fd, bytes.subarray(0, Math.max(bytes.byteLength * 0.7, 150)));
      },
    };
    const sinks = open({ disk });
    for (let i = 0; i < 200; i += 1) {
      sinks.write(aLine("audit", record(i)));
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until(() => ledger.delivered() === 200);
    const { fault, records, notices } = verify();
    expect({ fault, records, notices }).toEqual({ fault: undefined, records: 200, notices: [] });
  });

  it("goes on when the disk neither writes nor takes back, with the piece named by the next line", async () => {
    let isBroken = false;
    const broken = (): Promise<never> => Promise.reject(Object.assign(new Error("io"), { code: "EIO" }));
    const disk: Disk = {
      ...nodeDisk,
      write: async (fd, bytes) => {
        if (!isBroken) return nodeDisk.write(fd, bytes);
        if (bytes.byteLength < 50) return broken();
        return nodeDisk.write(fd, bytes.subarray(0, bytes.byteLength - 40));
      },
      truncate: (fd, size) => (isBroken ? broken() : nodeDisk.truncate(fd, size)),
    };
    const sinks = open({ disk });
    await store(sinks, 1);
    isBroken = true;
    sinks.write(aLine("audit", record(2)));
    await until(() => ledger.retried() > 1);
    isBroken = false;
    await until(() => ledger.delivered() === 2);
    const { fault, records, notices } = verify();
    expect(fault).toBeUndefined();
    expect([records, notices.length > 0]).toEqual([2, true]);
  });

  it("says when the file that it goes on with is not intact, and writes on", async () => {
    const sinks = open();
    await store(sinks, 1);
    await sinks.close(1000);
    writeFileSync(path, readFileSync(path, "utf8").replace('"i":1', '"i":2'));
    await store(open(), 3);
    expect(ledger.logged.map(({ message }) => message)).toEqual(["audit file is not intact"]);
    expect(verify().fault).toMatchObject({ line: 2 });
  });
});

describe("the lock of an audit file", () => {
  it("lets one of two write, and the other when the first has ended", async () => {
    const first = open();
    await store(first, 1);
    const second = open();
    second.write(aLine("audit", record(2)));
    await until(() => ledger.retried() > 1);
    expect(ledger.queued()).toBe(1);
    expect(ledger.logged[0]).toMatchObject({
      message: "sink cannot be opened",
      fields: { code: `locked by process ${process.pid} on ${hostname()}` },
    });
    await first.close(1000);
    await until(() => ledger.delivered() === 2);
    expect([verify().fault, verify().records]).toEqual([undefined, 2]);
  });

  it("is let go at the end", async () => {
    const sinks = open();
    await store(sinks, 1);
    await sinks.close(1000);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it("is taken from a process that was killed, and from one whose id has another process now", async () => {
    const child = spawn("sleep", ["60"]);
    await once(child, "spawn");
    const dead = child.pid;
    child.kill("SIGKILL");
    await once(child, "exit");
    for (const holder of [
      { host: hostname(), pid: dead, started: "1", token: "a" },
      { host: hostname(), pid: process.pid, started: "1", token: "b" },
    ]) {
      writeFileSync(`${path}.lock`, JSON.stringify(holder));
      const sinks = open();
      await store(sinks, 1);
      await sinks.close(1000);
    }
    writeFileSync(`${path}.lock`, '{"torn');
    await store(open(), 1);
    expect([verify().fault, verify().records]).toEqual([undefined, 3]);
  });

  it("is respected on another host while it is fresh", async () => {
    writeFileSync(`${path}.lock`, JSON.stringify({ host: "elsewhere", pid: 1, started: "1", token: "a" }));
    const sinks = open();
    await expect(store(sinks, 1)).rejects.toThrow("not_stored");
    expect(existsSync(path)).toBe(false);
  });

  it("lets one of ten through that find it stale at once", async () => {
    writeFileSync(
      `${path}.lock`,
      JSON.stringify({ host: hostname(), pid: 2 ** 22 + 1, started: "", token: "a" }),
    );
    const all = Array.from({ length: 10 }, () => open());
    const results = await Promise.allSettled(all.map((sinks, i) => store(sinks, i)));
    expect(results.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
    await until(() => ledger.logged.length > 8);
    appendFileSync(path, "");
    const held = JSON.parse(readFileSync(`${path}.lock`, "utf8"));
    expect(held).toMatchObject({ pid: process.pid });
    expect(verify().fault?.message).not.toBe("the chain begins anew here");
  });
});
