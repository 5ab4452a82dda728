import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createChain, newChain, readChain } from "../../../src/audit/index.js";
import { auditFile, verify } from "./audit-file.js";

const records = ['{"decision_id":"a"}', '{"decision_id":"b","reason":"ü"}', '{"decision_id":"c"}'];
const key = Buffer.from("a key that nobody else has");

/** The file after a restart: what was there, and three more lines. */
function restarted(
  bytes: Buffer,
  withKey?: Uint8Array,
): { bytes: Buffer; head: string; fault: string | undefined } {
  const read = readChain(bytes, { whole: true, key: withKey });
  if (read === "more") throw new Error("a whole file has no more");
  const state = read === "none" ? newChain("c1", bytes) : read.state;
  const chain = createChain(state, withKey);
  const more = chain.begin(9_000) + chain.next(9_001, '{"decision_id":"later"}');
  return {
    bytes: Buffer.concat([bytes, Buffer.from(more)]),
    head: chain.head(),
    fault: read === "none" ? undefined : read.fault,
  };
}

describe("the audit chain", () => {
  it("writes one JSON object a line, with its number, its time, the hash before it and its own", () => {
    const lines = auditFile(records).text.trimEnd().split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed.map(({ seq }) => seq)).toEqual([0, 1, 2, 3]);
    expect(parsed[0]).toMatchObject({ start: { chain: "c0ffee", hash: "sha256" }, prev: "0".repeat(64) });
    expect(parsed[2]).toMatchObject({
      time: "1970-01-01T00:00:02.000Z",
      prev: parsed[1]?.["hash"],
      record: { decision_id: "b", reason: "ü" },
    });
  });

  it("is found whole, and says where it stands", () => {
    const { text, head } = auditFile(records);
    expect(verify([text])).toEqual({
      fault: undefined,
      notices: [],
      lines: 4,
      records: 3,
      firstSeq: 0,
      lastSeq: 3,
      head,
    });
  });

  it("of two chains with the same records no hash is the same", () => {
    const [one, other] = [createChain(newChain("1")), createChain(newChain("2"))];
    one.begin(0);
    other.begin(0);
    expect(one.next(1, "{}")).not.toBe(other.next(1, "{}"));
  });

  it("goes on after a restart", () => {
    const { bytes, head } = restarted(Buffer.from(auditFile(records).text));
    expect(verify([bytes], { head })).toMatchObject({ fault: undefined, notices: [], records: 4 });
  });

  it("goes on after a restart with a key", () => {
    const { bytes, head } = restarted(Buffer.from(auditFile(records, key).text), key);
    expect(verify([bytes], { head, key })).toMatchObject({ fault: undefined, notices: [], records: 4 });
  });

  it("is read from the end of a file alone", () => {
    const { text, head } = auditFile(records);
    const bytes = Buffer.from(text);
    const lastLine = bytes.lastIndexOf(10, bytes.length - 2) + 1;
    expect(readChain(bytes.subarray(lastLine - 1), { whole: false })).toMatchObject({
      state: { seq: 4, head },
    });
    expect(readChain(bytes.subarray(lastLine + 5), { whole: false })).toBe("more");
  });

  it("keeps what a crash cut off, wherever it cut, and chains over it", () => {
    const { text } = auditFile(records);
    const whole = Buffer.from(text);
    for (let length = 0; length <= whole.length; length += 1) {
      const cut = whole.subarray(0, length);
      const { bytes, head, fault } = restarted(cut);
      expect(fault).toBeUndefined();
      expect(bytes.subarray(0, length).equals(cut)).toBe(true);
      const verdict = verify([bytes], { head });
      expect(verdict.fault, `cut at ${length}`).toBeUndefined();
      const isLine = length === 0 || whole[length - 1] === 10 || whole[length] === 10;
      expect(verdict.notices.length, `cut at ${length}`).toBe(isLine ? 0 : 1);
    }
  });

  it("survives a second crash while the first one was mended", () => {
    const once = Buffer.from(auditFile(records).text).subarray(0, -20);
    const mended = restarted(once).bytes;
    for (let length = once.length; length <= mended.length; length += 1) {
      const { bytes, head } = restarted(mended.subarray(0, length));
      expect(verify([bytes], { head }).fault, `cut at ${length}`).toBeUndefined();
    }
  });

  it("goes on in a new file, which names the last line of the one before", () => {
    const chain = createChain(newChain("c0ffee"));
    const first = chain.begin(0) + chain.next(1, "{}");
    const second = chain.rotate(2) + chain.next(3, "{}");
    expect(verify([first, second], { head: chain.head() })).toMatchObject({ fault: undefined, notices: [] });
    expect(verify([second]).notices).toEqual([
      "file1: begins with seq 2; lines before it stand in older files",
    ]);
    expect(verify([second, first]).fault).toMatchObject({
      file: "file2",
      line: 1,
      message: "the chain begins anew here",
    });
  });

  it("names a missing file between two others", () => {
    const chain = createChain(newChain("c0ffee"));
    const files = [chain.begin(0), chain.rotate(1) + chain.next(2, "{}"), chain.rotate(3)];
    expect(verify([files[0] ?? "", files[2] ?? ""]).fault).toMatchObject({
      file: "file2",
      line: 1,
      message: "lines with seq 1 to 2 are missing before it",
    });
  });

  it("tells that the end is missing only by a hash from elsewhere", () => {
    const { text, head } = auditFile(records);
    const cut = `${text.trimEnd().split("\n").slice(0, -1).join("\n")}\n`;
    expect(verify([cut]).fault).toBeUndefined();
    expect(verify([cut], { head }).fault?.message).toMatch(/lines at the end are missing/);
  });

  it("cannot be forged without the key", () => {
    const { text } = auditFile(records, key);
    expect(verify([text], { key }).fault).toBeUndefined();
    expect(verify([text]).fault).toMatchObject({ line: 1 });
    expect(verify([auditFile(records).text], { key }).fault).toMatchObject({ line: 1 });
  });

  it("says at a restart that the last line was changed, and goes on", () => {
    const { text } = auditFile(records);
    const { bytes, fault } = restarted(Buffer.from(text.replace('"c"', '"x"')));
    expect(fault).toBe("line with seq 3 does not have its hash");
    expect(verify([bytes]).fault).toMatchObject({ line: 4, seq: 3 });
  });

  it("begins in a file that holds something else, which it names", () => {
    const { bytes } = restarted(Buffer.from("something else\nand more"));
    expect(verify([bytes])).toMatchObject({ fault: undefined, records: 1, lines: 3 });
    expect(verify([`something?else${bytes.toString().slice(14)}`]).fault).toMatchObject({ line: 1 });
  });

  it("does not take an empty file for a chain", () => {
    expect(verify([""]).fault?.message).toBe("holds no line of a chain");
  });
});

describe("a change of an audit file", () => {
  const { text, head } = auditFile(records);
  const whole = Buffer.from(text);
  const lineOf = (offset: number): number =>
    whole.subarray(0, offset).filter((byte) => byte === 10).length + 1;

  it("of one bit is named with its line, its place and what was written there", () => {
    for (let offset = 0; offset < whole.length; offset += 1) {
      const changed = Buffer.from(whole);
      const was = changed[offset] ?? 0;
      changed[offset] = was ^ (1 << (offset % 8));
      const { fault } = verify([changed]);
      expect(fault, `offset ${offset}`).toMatchObject({
        line: lineOf(offset),
        offset,
        byte: { offset, found: changed[offset], expected: was },
      });
    }
  });

  it("of any one byte is found at its line", () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (offset, difference) => {
        const changed = Buffer.from(whole);
        changed[offset] = (changed[offset] ?? 0) ^ difference;
        expect(verify([changed]).fault).toMatchObject({ line: lineOf(offset) });
      }),
      { numRuns: 60 },
    );
  });

  it("by a byte that is put in is found at its line", () => {
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(255), (offset, byte) => {
        const changed = Buffer.concat([
          whole.subarray(0, offset),
          Buffer.from([byte]),
          whole.subarray(offset),
        ]);
        expect(verify([changed]).fault).toMatchObject({ line: lineOf(offset) });
      }),
      { numRuns: 200 },
    );
  });

  it("by a byte that is taken out is found at its line", () => {
    for (let offset = 0; offset < whole.length; offset += 41) {
      const changed = Buffer.concat([whole.subarray(0, offset), whole.subarray(offset + 1)]);
      expect(verify([changed]).fault, `offset ${offset}`).toMatchObject({ line: lineOf(offset) });
    }
    expect(verify([whole.subarray(0, -1)]).fault).toMatchObject({
      line: 4,
      message: "the line feed behind it is missing",
    });
  });

  const many = auditFile(Array.from({ length: 12 }, (_, i) => `{"decision_id":"${i}"}`));
  const lines = many.text.trimEnd().split("\n");
  const file = (changed: readonly string[]): string => `${changed.join("\n")}\n`;
  const line = fc.nat(lines.length - 1);

  it("by a line that is taken out is found where it stood", () => {
    fc.assert(
      fc.property(fc.nat(lines.length - 2), fc.boolean(), (at, headKnown) => {
        const { fault } = verify([file(lines.toSpliced(at, 1))], headKnown ? { head: many.head } : {});
        expect(fault).toMatchObject({
          line: at + 1,
          message: `line with seq ${at} is missing before it`,
        });
      }),
    );
    expect(verify([file(lines.slice(0, -1))], { head: many.head }).fault).toBeDefined();
  });

  it("by a line that stands twice is found at the second one", () => {
    fc.assert(
      fc.property(line, line, (from, to) => {
        const place = Math.max(from, to) + 1;
        const { fault } = verify([file(lines.toSpliced(place, 0, lines[from] ?? ""))]);
        expect(fault).toMatchObject({ line: place + 1, seq: from });
      }),
    );
  });

  it("by two lines that are swapped is found at the first one", () => {
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(lines.length - 1), (a, b) => {
        fc.pre(a !== b);
        const changed = lines.with(a, lines[b] ?? "").with(b, lines[a] ?? "");
        const { fault } = verify([file(changed)]);
        const first = Math.min(a, b);
        expect(fault).toMatchObject({ line: first + 1 });
      }),
    );
  });

  it("by a line of another chain is found", () => {
    const foreign = auditFile(["{}", "{}", "{}"]).text.split("\n")[2] ?? "";
    expect(verify([file(lines.with(2, foreign))]).fault).toMatchObject({ line: 3, seq: 2 });
  });

  it("of the piece that a crash left is found too", () => {
    const cut = whole.subarray(0, -30);
    const { bytes } = restarted(cut);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (offset, bit) => {
        const changed = Buffer.from(bytes);
        changed[offset] = (changed[offset] ?? 0) ^ (1 << bit);
        const { fault } = verify([changed]);
        const at = bytes.subarray(0, offset).filter((byte) => byte === 10).length + 1;
        expect(fault).toMatchObject({ line: at });
      }),
      { numRuns: 200 },
    );
  });

  it("is bounded in what it takes to find", () => {
    const long = auditFile([JSON.stringify({ text: "x".repeat(100_000) })]).text;
    expect(verify([long.replace("xxx", "xyx")]).fault).toMatchObject({ line: 2, byte: undefined });
  });

  it("of a whole file is named by its last hash", () => {
    expect(verify([auditFile(["{}"]).text], { head }).fault).toBeDefined();
  });
});
