import { describe, expect, it } from "vitest";
import type { LogLine } from "../../../src/logs/index.js";
import { createOutletLink, type OutletBatch, type StoreQuestion } from "../../../src/server/outlet.js";

interface Setup {
  readonly link: ReturnType<typeof createOutletLink>;
  readonly batches: OutletBatch[];
  readonly asked: (readonly StoreQuestion[])[];
  readonly dropped: string[];
  /** The message that was sent last is on its way. */
  readonly sent: () => void;
  /** Lets what was put off happen. */
  readonly run: () => void;
  /** All deadlines are over. */
  readonly expire: () => void;
}

function setup(): Setup {
  const batches: OutletBatch[] = [];
  const asked: (readonly StoreQuestion[])[] = [];
  const dropped: string[] = [];
  let sent: () => void = () => {};
  let waiting: (() => void)[] = [];
  const deadlines = new Set<() => void>();
  const put = (callback: () => void): void => void waiting.push(callback);
  const link = createOutletLink({
    send: (batch, done) => {
      batches.push(batch);
      sent = done;
    },
    ask: (questions) => void asked.push(questions),
    later: put,
    soon: put,
    schedule: (_, callback) => {
      deadlines.add(callback);
      return () => void deadlines.delete(callback);
    },
    onDropped: (name) => void dropped.push(name),
  });
  const run = (): void => {
    const now = waiting;
    waiting = [];
    for (const callback of now) callback();
  };
  const expire = (): void => {
    for (const callback of [...deadlines]) callback();
  };
  return { link, batches, asked, dropped, sent: () => sent(), run, expire };
}

const line = (text: string): LogLine => ({ sink: "log", time: 0, severity: "info", text });

describe("a worker's way to the sinks", () => {
  it("sends lines together", () => {
    const { link, batches, run } = setup();
    link.write(line("a"));
    link.write(line("b"));
    expect(batches).toEqual([]);
    run();
    expect(batches.map(({ lines }) => lines.map(({ text }) => text))).toEqual([["a", "b"]]);
  });

  it("has one message under way, and sends the next when it is gone", () => {
    const { link, batches, run, sent } = setup();
    link.write(line("a"));
    run();
    link.write(line("b"));
    run();
    expect(batches.length).toBe(1);
    sent();
    expect(batches.map(({ lines }) => lines.length)).toEqual([1, 1]);
  });

  it("drops and tells what the primary does not take for too long", () => {
    const { link, batches, dropped, run } = setup();
    link.write(line("first"));
    run();
    for (let i = 0; i < 10_003; i++) link.write(line(String(i)));
    expect([dropped.length, dropped[0]]).toEqual([3, "log"]);
    link.flush();
    expect(batches.flatMap(({ lines }) => lines).length).toBe(10_001);
  });

  it("is bounded by the length of what waits, and of a message", () => {
    const { link, batches, dropped, run, sent } = setup();
    const long = "x".repeat(1_048_576);
    for (let i = 0; i < 40; i++) link.write(line(long));
    expect(dropped.length).toBe(8);
    run();
    expect(batches[0]?.lines.length).toBe(4);
    sent();
    expect(batches[1]?.lines.length).toBe(4);
    for (let i = 0; i < 10; i++) link.write({ ...line(""), fields: { path: long } });
    expect(dropped.length).toBe(10);
    link.flush();
    expect(batches.flatMap(({ lines }) => lines).length).toBe(40);
  });

  it("sends a line that is longer than a message alone", () => {
    const { link, batches, run, sent } = setup();
    for (const length of [5_000_000, 1, 1]) link.write(line("x".repeat(length)));
    run();
    sent();
    expect(batches.map(({ lines }) => lines.length)).toEqual([1, 2]);
  });

  it("refuses to hold more characters for the disk than fit, until some are there", async () => {
    const { link, dropped, run } = setup();
    const long = line("x".repeat(16 * 1_048_576));
    const first = [link.store(long), link.store(long)];
    await expect(link.store(line("y"))).rejects.toThrow("too many");
    expect(dropped).toEqual(["log"]);
    run();
    link.stored([0, 1], []);
    await Promise.all(first);
    const next = link.store(line("y"));
    run();
    link.stored([2], []);
    await next;
  });

  it("tells whoever waits for the disk what became of the line", async () => {
    const { link, asked, run } = setup();
    const outcomes = Promise.allSettled(["a", "b"].map((text) => link.store(line(text))));
    run();
    expect(asked.map((questions) => questions.map((one) => one.line.text))).toEqual([["a", "b"]]);
    link.stored([0, 1], [1]);
    expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });

  it("waits for the disk no longer than its deadline", async () => {
    const { link, run, expire } = setup();
    const stored = link.store(line("a"));
    run();
    expire();
    await expect(stored).rejects.toThrow("in time");
    link.stored([0], []);
  });
});
