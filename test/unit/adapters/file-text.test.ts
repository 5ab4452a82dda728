import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeFile, type Found } from "../../../src/adapters/directory-scan.js";
import { type FileReading, type FileText, readFileText } from "../../../src/adapters/file-text.js";

let folder: string;
let path: string;
let found: Found;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-text-"));
  path = join(folder, "k.jwks");
  writeFileSync(path, "judged");
  found = describeFile(path, statSync(path));
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (reading: Partial<FileReading> = {}): FileText =>
  readFileText(found, undefined, { maxBytes: 100, ...reading });

describe("a file that was looked at", () => {
  it("is read", () => {
    expect(read()).toMatchObject({ text: "judged", fault: undefined });
    expect(read({ isResolved: true })).toMatchObject({ text: "judged", fault: undefined });
  });

  it("is not read when another has taken its place", () => {
    writeFileSync(join(folder, "other"), "secret");
    renameSync(join(folder, "other"), path);
    expect(read()).toMatchObject({ text: undefined, fault: { reason: "unreadable" }, young: true });
  });

  it("is not read when a link has taken its place", () => {
    writeFileSync(join(folder, "other"), "secret");
    rmSync(path);
    symlinkSync("other", path);
    for (const reading of [{}, { isResolved: true }] as const) {
      expect(read(reading)).toMatchObject({ text: undefined, fault: { reason: "unreadable" } });
    }
  });

  it("is not waited for when a pipe has taken its place", () => {
    rmSync(path);
    execFileSync("mkfifo", [path]);
    expect(read()).toMatchObject({ text: undefined, fault: { message: "was exchanged while it was read" } });
  });

  it("is not read when it has grown too large", () => {
    truncateSync(path, 101);
    expect(read().fault).toEqual({ reason: "too_large", message: "has 101 bytes, expected at most 100" });
  });
});
