import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { compileDetectors } from "../../../src/redaction/index.js";
import { everything, jwt, through } from "./detect-samples.js";

const size = 4_000_000;

function filled(piece: string): Buffer {
  return Buffer.alloc(size, piece, "latin1");
}

function inChunksOf(bytes: Buffer, length: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += length) chunks.push(bytes.subarray(at, at + length));
  return chunks;
}

const header = jwt.slice(0, jwt.indexOf("."));

/** Were any of it quadratic, it would take hours: the time limit of the test is the assertion. */
describe("four megabytes that are made to be slow", { timeout: 60_000 }, () => {
  it.each([
    ["4"],
    ["4111 "],
    ["41111-1111 "],
    ["a@"],
    ["a@a."],
    ["a@a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"],
    ["@"],
    ["a.a-a_"],
    ["A"],
    ["GB82"],
    ["GB82 "],
    ["eyJ"],
    ["eyJ."],
    ["-eyJ"],
    [`${header}.`],
    [`${header}.${"a".repeat(6000)} `],
    ["sk-"],
    ["sk-aaaaaaaaaaaa "],
    ["bearer "],
    [`bearer ${"a".repeat(8000)}`],
    ["-----BEGIN "],
    ["-----BEGIN A A A "],
    ["-----BEGIN PRIVATE KEY-----"],
    ["-----BEGIN PRIVATE KEY-----".padEnd(9000, "-----END ")],
    ["ACME-1234567"],
  ])("of %j end, and little of them is held", (piece) => {
    const { out, mostHeld } = through(everything, inChunksOf(filled(piece), 65_536));
    expect(out.length).toBeGreaterThan(0);
    expect(mostHeld).toBeLessThanOrEqual(everything.mostHeld);
  });

  it("end in one piece too", () => {
    const { findings } = through(everything, [filled("-----BEGIN PRIVATE KEY-----")]);
    expect(findings).toEqual({ key: Math.ceil(size / 16_384) });
  });

  it.each(["-----BEGIN PRIVATE KEY-----", `bearer ${"a".repeat(8000)}`, "4111 "])(
    "of %j end byte by byte",
    (piece) => {
      const bytes = filled(piece).subarray(0, size / 20);
      const { out, mostHeld } = through(everything, inChunksOf(bytes, 1));
      expect(out.equals(through(everything, [bytes]).out)).toBe(true);
      expect(mostHeld).toBeLessThanOrEqual(everything.mostHeld);
    },
  );

  it.each([
    ["a.*b", "a"],
    ["key=.*;", "key="],
    ["(?:a|aa)+b", "aa"],
    ["[a-z]{1,200}=", "a"],
    ["(?:x[a-y]*!|y=)", "xy"],
  ])("end under the own pattern %s", (pattern, piece) => {
    const what = { pattern, maxLength: 4096 };
    const detectors = compileDetectors([{ name: "own", what, action: "redact", replacement: "#" }]);
    const bytes = filled(piece).subarray(0, size / 16);
    const { out } = through(detectors, inChunksOf(bytes, 65_536));
    expect(out.equals(bytes)).toBe(true);
  });
});
