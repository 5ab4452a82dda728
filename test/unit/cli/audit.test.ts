import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyAudit } from "../../../src/cli/audit.js";
import { exportAudit, tailAudit } from "../../../src/cli/audit-read.js";
import type { Streams } from "../../../src/cli/streams.js";
import { auditFile } from "../audit/audit-file.js";

let folder: string;
let file: string;
let said: string;
let complained: string;
const streams: Streams = {
  out: (text) => {
    said += text;
  },
  err: (text) => {
    complained += text;
  },
  stdin: () => Promise.resolve(""),
  env: {},
};

function record(id: string, more: object = {}): string {
  return JSON.stringify({
    decision_id: id,
    allowed: false,
    reason: "denied_by_policy",
    policy: "shop/deny",
    rule: 0,
    method: "GET",
    host: "shop.example",
    path: "/cart",
    source_ip: "10.0.0.1",
    ...more,
  });
}

const records = [
  record("a"),
  record("b", { allowed: true, policy: null }),
  record("c", { path: '=cmd,"\u009b' }),
];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-audit-"));
  file = join(folder, "audit.jsonl");
  said = "";
  complained = "";
  await writeFile(file, auditFile(records).text);
});

afterEach(() => rm(folder, { recursive: true }));

describe("gatehouse audit verify", () => {
  it("says that a file is whole, and its head", async () => {
    expect(await verifyAudit([file], { output: "text" }, streams)).toBe(0);
    expect(said).toBe(`whole: 3 records in 4 lines, seq 0 to 3\nhead ${auditFile(records).head}\n`);
  });

  it("names the flipped byte: its line, its record, its place, what stands there and what was written", async () => {
    const bytes = await readFile(file);
    const offset = bytes.indexOf('"b"') + 1;
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    await writeFile(file, bytes);
    expect(await verifyAudit([file], { output: "text" }, streams)).toBe(1);
    expect(said).toBe(
      `${file}:3: seq 2: byte 0x63 stands where 0x62 was written; at byte ${offset}\n` +
        "1 records in 2 lines, seq 0 to 1 before it are whole\n",
    );
  });

  it("says the same as JSON", async () => {
    await appendFile(file, "x\n");
    expect(await verifyAudit([file], { output: "json" }, streams)).toBe(1);
    expect(JSON.parse(said)).toMatchObject({
      whole: false,
      records: 3,
      fault: { file, line: 5, message: "is no line of the chain" },
    });
  });

  it("takes a key from a file", async () => {
    const key = join(folder, "key");
    await writeFile(key, "secret");
    await writeFile(file, auditFile(records, Buffer.from("secret")).text);
    expect(await verifyAudit([file], { output: "text", keyFile: key }, streams)).toBe(0);
  });

  it("notices by a hash from elsewhere that the end is missing", async () => {
    const { text, head } = auditFile(records);
    await writeFile(file, text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1));
    expect(await verifyAudit([file], { output: "text" }, streams)).toBe(0);
    expect(await verifyAudit([file], { output: "text", head }, streams)).toBe(1);
  });

  it("refuses flags that it cannot use, and names a file that it cannot read", async () => {
    await expect(verifyAudit([file], { output: "xml" }, streams)).rejects.toMatchObject({ code: "bad_flag" });
    await expect(verifyAudit([file], { output: "text", head: "ab" }, streams)).rejects.toMatchObject({
      code: "bad_flag",
    });
    await expect(verifyAudit([`${file}.none`], { output: "text" }, streams)).rejects.toThrow(
      /\.none` cannot be read: ENOENT/,
    );
  });

  it("reads lines across the pieces in which a file is read", async () => {
    const long = Array.from({ length: 40 }, (_, i) => record(`${i}`, { path: "x".repeat(20_011) }));
    await writeFile(file, auditFile(long).text);
    expect(await verifyAudit([file], { output: "text" }, streams)).toBe(0);
    expect(said).toContain("40 records in 41 lines");
  });
});

describe("gatehouse audit tail", () => {
  it("prints the last records as sentences, without what moves a cursor", async () => {
    expect(await tailAudit(file, { lines: "2", output: "text" }, streams)).toBe(0);
    expect(said).toBe(
      "2 1970-01-01T00:00:02.000Z allowed GET shop.example/cart from 10.0.0.1: denied_by_policy rule 0 (b)\n".replace(
        " rule 0",
        "",
      ) +
        '3 1970-01-01T00:00:03.000Z DENIED GET shop.example=cmd,"? from 10.0.0.1: denied_by_policy by shop/deny rule 0 (c)\n',
    );
  });

  it("prints lines as they are in the file", async () => {
    const lines = auditFile(records).text.split("\n");
    await tailAudit(file, { lines: "2", output: "json" }, streams);
    expect(said.split("\n")[0]).toBe(lines[2]);
  });

  it("escapes what moves a cursor in the file's lines", async () => {
    const hostile = { path: "\u009b2J\u202egpj\u2028" };
    await writeFile(file, auditFile([record("a", hostile)]).text);
    await tailAudit(file, { lines: "1", output: "json" }, streams);
    expect(said).toContain('"path":"\\u009b2J\\u202egpj\\u2028"');
    expect(JSON.parse(said)).toMatchObject({ record: hostile });
    said = "";
    await writeFile(file, "\u001b[2J\r\n");
    await tailAudit(file, { lines: "1", output: "json" }, streams);
    expect(said).toBe("\\u001b[2J\\u000d\n");
  });

  it.each([
    ["0", 0],
    ["3", 3],
    ["4", 4],
    ["100", 4],
  ])("prints %s lines at most", async (lines, count) => {
    await tailAudit(file, { lines, output: "json" }, streams);
    expect(said.split("\n").length - 1).toBe(count);
  });

  it("refuses what is no number", async () => {
    await expect(tailAudit(file, { lines: "-1", output: "text" }, streams)).rejects.toMatchObject({
      code: "bad_flag",
    });
  });

  it("follows a file, and the next one after it was moved away", async () => {
    const stop = new AbortController();
    const done = tailAudit(file, { lines: "0", follow: true, output: "json" }, streams, stop.signal);
    const until = async (text: string): Promise<void> => {
      for (let i = 0; i < 100 && !said.includes(text); i += 1) await pause(50);
      expect(said).toContain(text);
    };
    await appendFile(file, '{"later":1}\n{"half":');
    await until('{"later":1}\n');
    expect(said).not.toContain("half");
    await appendFile(file, "2}\n");
    await until('{"half":2}\n');
    await rename(file, `${file}.1`);
    await writeFile(file, '{"new":1}\n');
    await until('{"new":1}\n');
    stop.abort();
    expect(await done).toBe(0);
  });
});

describe("gatehouse audit export", () => {
  const ids = (): unknown[] =>
    said
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as Record<string, unknown>)["decision_id"]);

  it.each([
    [{}, ["a", "b", "c"]],
    [{ denied: true }, ["a", "c"]],
    [{ policy: "shop/deny" }, ["a", "c"]],
    [{ from: "1970-01-01T00:00:02Z" }, ["b", "c"]],
    [{ from: "1970-01-01T00:00:02Z", to: "1970-01-01T00:00:03Z" }, ["b"]],
  ])("writes the records that are asked for: %j", async (options, expected) => {
    expect(await exportAudit([file], { ...options, output: "jsonl" }, streams)).toBe(0);
    expect(ids()).toEqual(expected);
  });

  it("writes JSON that moves no cursor", async () => {
    expect(await exportAudit([file], { output: "jsonl" }, streams)).toBe(0);
    expect(said).toContain("\\u009b");
    expect(said).not.toMatch(/[\u007f-\u009f\p{Cf}]/u);
    expect(ids()).toEqual(["a", "b", "c"]);
  });

  it("writes CSV that no spreadsheet takes for a formula", async () => {
    expect(await exportAudit([file], { output: "csv" }, streams)).toBe(0);
    const rows = said.split("\r\n");
    expect(rows).toHaveLength(5);
    expect(rows[0]).toMatch(/^seq,time,decision_id,allowed/);
    expect(rows[3]).toContain(`"'=cmd,""\u009b"`);
  });

  it("says that there are lines which are none", async () => {
    await appendFile(file, "nonsense\n");
    expect(await exportAudit([file], { output: "jsonl" }, streams)).toBe(1);
    expect(ids()).toEqual(["a", "b", "c"]);
    expect(complained).toContain("1 lines are no lines of an audit file");
  });

  it("refuses times and outputs that it cannot read", async () => {
    await expect(exportAudit([file], { from: "yesterday", output: "csv" }, streams)).rejects.toMatchObject({
      code: "bad_flag",
    });
    await expect(exportAudit([file], { output: "xml" }, streams)).rejects.toMatchObject({ code: "bad_flag" });
  });
});
