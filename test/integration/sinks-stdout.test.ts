import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHttpClient, createSinks } from "../../src/adapters/index.js";
import type { Sinks } from "../../src/logs/index.js";
import { aLine, createSinkLedger, type SinkLedger, until } from "../support/sink-ledger.js";

let folder: string;
let pipe: string;
let ledger: SinkLedger;
let sinks: Sinks | undefined;
const open: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-stdout-"));
  pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  ledger = createSinkLedger();
});

afterEach(async () => {
  await sinks?.close(100);
  sinks = undefined;
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

function openSinks(stdoutDescriptor: number): Sinks {
  sinks = createSinks({ ...ledger, http: createHttpClient, now: Date.now, stdoutDescriptor });
  sinks.configure([{ kind: "stdout", name: "out" }]);
  return sinks;
}

/** A pipe in place of stdout, and its end to read. */
function onPipe(): { readonly reader: number; readonly sinks: Sinks } {
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const stdoutDescriptor = openSync(pipe, constants.O_WRONLY);
  open.push(reader, stdoutDescriptor);
  return { reader, sinks: openSinks(stdoutDescriptor) };
}

function readAll(reader: number): string {
  const bytes = Buffer.alloc(1 << 20);
  try {
    return bytes.toString("utf8", 0, readSync(reader, bytes));
  } catch {
    return "";
  }
}

describe("the sink of standard output", () => {
  it("writes lines to a pipe", async () => {
    const { reader, sinks } = onPipe();
    sinks.write(aLine("out", "1"));
    await sinks.store(aLine("out", "2"));
    await sinks.close(1000);
    expect(readAll(reader)).toBe("1\n2\n");
  });

  it("neither waits for a pipe that nobody reads nor grows, and tears no line when somebody reads", async () => {
    const { reader, sinks } = onPipe();
    const text = "x".repeat(1000);
    const many = 40_000;
    for (let i = 0; i < many; i += 1) sinks.write(aLine("out", `${i} ${text}`));
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 1);
    await until(() => turns > 20);
    clearInterval(turning);
    expect(ledger.sum()).toBe(many);
    expect(ledger.dropped("queue_full")).toBeGreaterThan(many / 2);
    const kept = many - ledger.dropped();
    let got = "";
    await until(() => {
      got += readAll(reader);
      return ledger.queued() === 0;
    });
    got += readAll(reader);
    const lines = got.split("\n").slice(0, -1);
    expect(lines).toEqual(Array.from({ length: kept }, (_, i) => `${i} ${text}`));
  });

  it("tears no line where several sinks share the pipe", async () => {
    const { reader, sinks } = onPipe();
    sinks.configure([
      { kind: "stdout", name: "out" },
      { kind: "stdout", name: "other" },
    ]);
    const many = 2000;
    for (const name of ["out", "other"]) {
      for (let i = 0; i < many; i += 1) sinks.write(aLine(name, `${name} ${i} ${"x".repeat(i % 300)}.`));
    }
    let got = "";
    await until(() => {
      got += readAll(reader);
      return ledger.queued() === 0;
    });
    got += readAll(reader);
    const lines = got.split("\n").slice(0, -1);
    expect(lines.filter((line) => !/^(?:out|other) \d+ x*\.$/.test(line))).toEqual([]);
    expect(lines).toHaveLength(2 * many);
  });

  it("counts what is left as lost when the process has to end, and the process can end", async () => {
    const program = `
      const { createSinks, createHttpClient } = await import("./src/adapters/index.ts");
      let lost = 0;
      const observer = { queued() {}, delivered() {}, retried() {}, dropped(sink, loss, count) { lost += count; } };
      const logger = { info() {}, warn() {} };
      const sinks = createSinks({ observer, logger, http: createHttpClient, now: Date.now });
      sinks.configure([{ kind: "stdout", name: "out" }]);
      const line = { sink: "out", time: 0, severity: "info", text: "x".repeat(1000) };
      for (let i = 0; i < 1000; i += 1) sinks.write(line);
      setTimeout(async () => {
        await sinks.close(50);
        process.stderr.write(String(lost > 800 && lost < 1000));
        process.exit(3);
      }, 100);
    `;
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const stdout = openSync(pipe, constants.O_WRONLY);
    open.push(reader, stdout);
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", stdout, "pipe"],
    });
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
    const [code] = await once(child, "close");
    expect([said, code]).toEqual(["true", 3]);
  });

  it("goes to a file when that is what stdout is", async () => {
    const file = join(folder, "out");
    const stdoutDescriptor = openSync(file, "w");
    open.push(stdoutDescriptor);
    const sinks = openSinks(stdoutDescriptor);
    sinks.write(aLine("out", "1"));
    sinks.reopen();
    sinks.write(aLine("out", "2"));
    await sinks.close(1000);
    expect(readFileSync(file, "utf8")).toBe("1\n2\n");
  });
});
