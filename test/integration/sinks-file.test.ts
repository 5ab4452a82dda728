import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Disk, nodeDisk } from "../../src/adapters/file-disk.js";
import { fileSinkLimits } from "../../src/adapters/file-sink.js";
import { createHttpClient, createSinks, type SinkPorts } from "../../src/adapters/index.js";
import type { Sinks } from "../../src/logs/index.js";
import { aLine, createSinkLedger, type SinkLedger, until } from "../support/sink-ledger.js";

let folder: string;
let path: string;
let ledger: SinkLedger;
let sinks: Sinks;

const quick = { ...fileSinkLimits, lingerMs: 1, minPauseMs: 5, maxPauseMs: 20, lookMs: 5 };

function openSinks(more: Partial<SinkPorts> = {}): Sinks {
  sinks = createSinks({ ...ledger, http: createHttpClient, now: Date.now, fileLimits: quick, ...more });
  return sinks;
}

const linesOf = (file: string): string[] => readFileSync(file, "utf8").split("\n").slice(0, -1);
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}`);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-sinks-"));
  path = join(folder, "access.log");
  ledger = createSinkLedger();
});

afterEach(async () => {
  await sinks.close(1000);
  rmSync(folder, { recursive: true, force: true });
});

describe("a file sink", () => {
  it("appends lines in their order, to a file that others than its group cannot read", async () => {
    appendFileSync(path, "before\n", { mode: 0o600 });
    rmSync(path);
    openSinks().configure([{ kind: "file", name: "log", path }]);
    for (const text of numbers(0, 1000)) sinks.write(aLine("log", text));
    await sinks.close(1000);
    expect(linesOf(path)).toEqual(numbers(0, 1000));
    expect(statSync(path).mode & 0o777 & ~0o640).toBe(0);
    expect([ledger.delivered(), ledger.sum()]).toEqual([1000, 1000]);
  });

  it("makes one line of a text with line breaks", async () => {
    openSinks().configure([{ kind: "file", name: "log", path }]);
    sinks.write(aLine("log", 'a\n{"forged":true}\r\n'));
    await sinks.close(1000);
    expect(linesOf(path)).toEqual(['a {"forged":true} ']);
  });

  it("counts a line for a sink that nobody knows, a line that is too long, and a line after the end", async () => {
    openSinks().configure([{ kind: "file", name: "log", path }]);
    sinks.write(aLine("__proto__", "x"));
    sinks.write(aLine("log", "x".repeat(300_000)));
    await sinks.close(1000);
    sinks.write(aLine("log", "x"));
    expect([ledger.dropped("unknown_sink"), ledger.dropped("too_long"), ledger.dropped("closed")]).toEqual([
      1, 1, 1,
    ]);
    expect(ledger.sum()).toBe(3);
  });

  it("loses and tears no line over many rotations by rename", async () => {
    openSinks().configure([{ kind: "file", name: "log", path }]);
    const files = [path];
    for (let round = 0; round < 20; round += 1) {
      for (const text of numbers(round * 100, round * 100 + 100)) sinks.write(aLine("log", text));
      await until(() => existsSync(path));
      renameSync(path, `${path}.${round}`);
      files.splice(files.length - 1, 0, `${path}.${round}`);
      // What comes between the rename and the signal goes to the old file.
      sinks.write(aLine("log", `between ${round}`));
      sinks.reopen();
    }
    await sinks.close(2000);
    const found = files.filter(existsSync).flatMap(linesOf);
    const expected = Array.from({ length: 20 }, (_, round) => [
      ...numbers(round * 100, round * 100 + 100),
      `between ${round}`,
    ]).flat();
    expect(found).toEqual(expected);
  });

  it("goes on at the beginning of a file that was copied and truncated", async () => {
    openSinks().configure([{ kind: "file", name: "log", path }]);
    for (const text of numbers(0, 100)) sinks.write(aLine("log", text));
    await until(() => ledger.delivered() === 100);
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    for (const text of numbers(100, 200)) sinks.write(aLine("log", text));
    await sinks.close(1000);
    expect([...linesOf(`${path}.1`), ...linesOf(path)]).toEqual(numbers(0, 200));
  });

  it("makes the file again when it or its folder was removed, and keeps the lines until it can", async () => {
    const inner = join(folder, "logs");
    mkdirSync(inner);
    openSinks().configure([{ kind: "file", name: "log", path: join(inner, "a.log") }]);
    sinks.write(aLine("log", "lost with the folder"));
    await until(() => ledger.delivered() === 1);
    rmSync(inner, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    sinks.write(aLine("log", "kept"));
    await until(() => ledger.retried() > 1);
    expect(ledger.sum()).toBe(2);
    mkdirSync(inner);
    await until(() => ledger.delivered() === 2);
    expect(linesOf(join(inner, "a.log"))).toEqual(["kept"]);
    expect(ledger.logged.map(({ message }) => message)).toEqual([
      "sink cannot be opened",
      "sink is written to again",
    ]);
  });

  it("tries again to open what is a folder, says so once, and drops what does not fit meanwhile", async () => {
    mkdirSync(path);
    openSinks({ fileLimits: { ...quick, queue: { lines: 10, length: 1000 } } });
    sinks.configure([{ kind: "file", name: "log", path }]);
    for (const text of numbers(0, 25)) sinks.write(aLine("log", text));
    await until(() => ledger.retried() > 2);
    expect([ledger.queued(), ledger.dropped("queue_full"), ledger.sum()]).toEqual([10, 15, 25]);
    expect(ledger.logged).toEqual([
      {
        level: "warn",
        message: "sink cannot be opened",
        fields: { sink: "log", file: path, code: "EISDIR" },
      },
    ]);
    rmSync(path, { recursive: true });
    await until(() => ledger.delivered() === 10);
    expect(linesOf(path)).toEqual(numbers(0, 10));
  });

  it("survives a full disk: stored lines are refused at once, and others wait", async () => {
    openSinks().configure([{ kind: "file", name: "log", path: "/dev/full" }]);
    sinks.write(aLine("log", "waits"));
    await expect(sinks.store(aLine("log", "must be there"))).rejects.toThrow("not_stored");
    await until(() => ledger.retried() > 2);
    expect([ledger.queued(), ledger.dropped("not_stored"), ledger.sum()]).toEqual([1, 1, 2]);
    await sinks.close(10);
    expect([ledger.dropped("closed"), ledger.queued(), ledger.sum()]).toEqual([1, 0, 2]);
  });

  it("keeps its file when another one is configured beside it, and empties one that goes", async () => {
    openSinks().configure([{ kind: "file", name: "a", path }]);
    sinks.write(aLine("a", "1"));
    sinks.configure([
      { kind: "file", name: "a", path },
      { kind: "file", name: "b", path: `${path}.b` },
    ]);
    sinks.write(aLine("a", "2"));
    sinks.write(aLine("b", "3"));
    sinks.configure([{ kind: "file", name: "b", path: `${path}.b` }]);
    sinks.write(aLine("a", "4"));
    await sinks.close(1000);
    expect([linesOf(path), linesOf(`${path}.b`), ledger.dropped("unknown_sink")]).toEqual([
      ["1", "2"],
      ["3"],
      1,
    ]);
  });
});

describe("a line that has to be on disk", () => {
  /** Keeps an account of what a crash of the machine would leave. */
  function syncingDisk(): {
    readonly disk: Disk;
    readonly synced: () => number;
    readonly syncs: () => number;
  } {
    let written = 0;
    let safe = 0;
    let syncs = 0;
    return {
      disk: {
        ...nodeDisk,
        async write(fd, bytes) {
          const count = await nodeDisk.write(fd, bytes);
          written += count;
          return count;
        },
        async sync(fd) {
          const before = written;
          await nodeDisk.sync(fd);
          safe = before;
          syncs += 1;
        },
      },
      synced: () => safe,
      syncs: () => syncs,
    };
  }

  it("is there once the promise resolves, and many share one fsync", async () => {
    const { disk, synced, syncs } = syncingDisk();
    openSinks({ disk }).configure([{ kind: "file", name: "log", path }]);
    const stored = numbers(0, 500).map(async (text, i) => {
      await sinks.store(aLine("log", text));
      const needed = numbers(0, i + 1).join("\n").length + 1;
      expect(synced()).toBeGreaterThanOrEqual(needed);
    });
    await Promise.all(stored);
    expect(linesOf(path)).toEqual(numbers(0, 500));
    expect(syncs()).toBeLessThan(20);
  });

  it("is refused when the disk cannot say that it has it", async () => {
    const failing = {
      ...nodeDisk,
      sync: () => Promise.reject(Object.assign(new Error("x"), { code: "EIO" })),
    };
    openSinks({ disk: failing }).configure([{ kind: "file", name: "log", path }]);
    await expect(sinks.store(aLine("log", "x"))).rejects.toThrow("not_stored");
    expect([ledger.dropped("not_stored"), ledger.sum()]).toEqual([1, 1]);
  });

  it("is refused when the disk hangs, and the line is still counted", async () => {
    let goOn = (): void => {};
    const hangs = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const disk: Disk = {
      ...nodeDisk,
      async write(fd, bytes) {
        await hangs;
        return nodeDisk.write(fd, bytes);
      },
    };
    openSinks({ disk, storeTimeoutMs: 20 }).configure([{ kind: "file", name: "log", path }]);
    await expect(sinks.store(aLine("log", "x"))).rejects.toThrow("not on disk in time");
    expect([ledger.queued(), ledger.sum()]).toEqual([1, 1]);
    goOn();
    await until(() => ledger.delivered() === 1);
  });

  it("is stored again once a disk that was full has room", async () => {
    let isFull = true;
    const disk: Disk = {
      ...nodeDisk,
      write: (fd, bytes) =>
        isFull
          ? Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }))
          : nodeDisk.write(fd, bytes),
    };
    openSinks({ disk }).configure([{ kind: "file", name: "log", path }]);
    await expect(sinks.store(aLine("log", "1"))).rejects.toThrow("not_stored");
    isFull = false;
    await until(() => ledger.retried() > 0);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await sinks.store(aLine("log", "2"));
    expect(linesOf(path)).toEqual(["2"]);
    expect(ledger.logged.map(({ level }) => level)).toEqual(["warn", "info"]);
  });
});

/** A disk that is slow, writes less than it was given, and is full now and then. */
function badDisk(faults: readonly number[]): Disk {
  let at = 0;
  const next = (): number => faults[at++ % faults.length] ?? 0;
  return {
    ...nodeDisk,
    async write(fd, bytes) {
      const fault = next();
      if (fault % 3 === 1) await new Promise((resolve) => setTimeout(resolve, fault % 7));
      if (fault % 5 === 2) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      return nodeDisk.write(fd, fault % 4 === 3 ? bytes.subarray(0, 1 + (fault % bytes.byteLength)) : bytes);
    },
  };
}

describe("counts of a file sink", () => {
  it("add up at any time, on a disk that is slow, short and full, and every line is whole and there once", async () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({
            kind: fc.constant("write" as const),
            many: fc.integer({ min: 1, max: 40 }),
          }),
        },
        {
          weight: 2,
          arbitrary: fc.record({ kind: fc.constant("store" as const), many: fc.integer({ min: 1, max: 5 }) }),
        },
        {
          weight: 2,
          arbitrary: fc.record({ kind: fc.constant("wait" as const), many: fc.integer({ min: 0, max: 8 }) }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("rotate" as const), many: fc.constant(0) }) },
      ),
      { maxLength: 25 },
    );
    const faults = fc.array(fc.nat(10_000), { minLength: 3, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(steps, faults, async (plan, diskFaults) => {
        ledger = createSinkLedger();
        const own = mkdtempSync(join(folder, "run-"));
        const file = join(own, "a.log");
        let moved = 0;
        openSinks({
          disk: badDisk([...diskFaults, 0]),
          fileLimits: { ...quick, minPauseMs: 1, maxPauseMs: 4, queue: { lines: 100, length: 10_000 } },
        });
        sinks.configure([{ kind: "file", name: "log", path: file }]);
        let given = 0;
        let stored = 0;
        const waiting: Promise<void>[] = [];
        for (const { kind, many } of plan) {
          if (kind === "wait") await new Promise((resolve) => setTimeout(resolve, many));
          if (kind === "rotate" && existsSync(file)) {
            renameSync(file, `${file}.${moved}`);
            moved += 1;
            sinks.reopen();
          }
          for (let i = 0; kind === "write" && i < many; i += 1) sinks.write(aLine("log", `${given++} é`));
          for (let i = 0; kind === "store" && i < many; i += 1) {
            const line = sinks.store(aLine("log", `${given++} é`));
            const count = (): void => {
              stored += 1;
            };
            waiting.push(line.then(count).catch(() => {}));
          }
          expect(ledger.sum()).toBe(given);
        }
        await sinks.close(3000);
        await Promise.all(waiting);
        expect([ledger.queued(), ledger.sum()]).toEqual([0, given]);
        const files = [...Array.from({ length: moved }, (_, i) => `${file}.${i}`), file].filter(existsSync);
        const found = files.flatMap(linesOf);
        expect(found.every((line) => /^\d+ é$/.test(line))).toBe(true);
        const ids = found.map(Number.parseFloat);
        expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
        expect(found.length).toBe(ledger.delivered());
        expect(stored).toBeLessThanOrEqual(ledger.delivered());
      }),
      { numRuns: 40 },
    );
  });
});
