import { afterEach, beforeEach, expect, onTestFailed, test } from "vitest";
import {
  bodyIn,
  openProcessingClient,
  type ProcessingClient,
  type ProcessingStream,
  requestHeaders,
  responseBody,
  responseHeaders,
} from "../support/processing-stream.js";
import { type Gatehouse, startGatehouse } from "../support/record-stage.js";
import { type ConfigFolder, eventually, makeConfigFolder } from "../support/server-fixture.js";

// What streams of ext_proc leave behind in `gatehouse serve`, and what a long body holds, by its process's own memory.

/** At SIGUSR2 collects garbage and writes its memory to standard error. In the main thread only: others inherit it. */
const reporter = `data:text/javascript,${encodeURIComponent(`
import { isMainThread } from "node:worker_threads";
if (isMainThread) process.on("SIGUSR2", () => {
  gc();
  // What finalizers let go is collected by the second turn.
  setTimeout(() => {
    gc();
    process.stderr.write(JSON.stringify({ memory: process.memoryUsage() }) + "\\n");
  }, 200);
});`)}`;
const [KiB, MiB] = [1024, 1024 * 1024];

const policies = `
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: text, namespace: bookshop}
spec:
  match: request.url_path == '/text'
  response: {body: {delivery: streamed, detect: [{detector: paymentCard, action: redact}]}}
---
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: json, namespace: bookshop}
spec:
  match: request.url_path == '/json'
  response: {body: {delivery: streamed, fields: [{path: "$[*].card", action: mask, keepLast: 4}]}}
`;

let folder: ConfigFolder;
let gatehouse: Gatehouse;
let client: ProcessingClient;

beforeEach(async () => {
  folder = makeConfigFolder();
  folder.write("policies.yaml", policies);
  gatehouse = await startGatehouse(folder.path, { nodeFlags: ["--expose-gc", "--import", reporter] });
  onTestFailed(() => console.log(gatehouse.child.output()));
  client = await openProcessingClient(gatehouse.port, 16);
});
afterEach(async () => {
  client?.close();
  await gatehouse?.kill();
  folder?.remove();
});

interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

/** After a collection of garbage. */
async function memory(): Promise<Memory> {
  const reports = (): string[] => gatehouse.child.output().match(/^\{"memory":.*\}$/gm) ?? [];
  const { length } = reports();
  gatehouse.child.kill("SIGUSR2");
  await eventually(() => reports().length, length + 1, 20_000);
  return (JSON.parse(reports().at(-1) ?? "") as { memory: Memory }).memory;
}

const used = ({ heapUsed, external }: Memory): number => heapUsed + external;
const streamsOpen = (): Promise<number> => gatehouse.total("gatehouse_ext_proc_streams_open");

test("10,000 streams at one time leave nothing behind, however they end", { timeout: 180_000 }, async () => {
  const streams = 10_000;
  const head = requestHeaders("/text");
  const answer = responseHeaders("text/plain");
  // The card may go on: some of it is held back.
  const first = responseBody(Buffer.from(`${"nothing to see ".repeat(60)}4111 1111`));
  const last = responseBody(Buffer.from(" 1111 1111 end"), true);

  const round = async (): Promise<Memory> => {
    // Each on connections of its own: Node ends one on which more than 1,000 streams are given up at once.
    client.close();
    client = await openProcessingClient(gatehouse.port, 16);
    const open: ProcessingStream[] = [];
    for (let at = 0; at < streams; at += 500) {
      const some = Array.from({ length: 500 }, () => client.open());
      for (const stream of some) stream.send(head);
      await Promise.all(some.map((stream) => stream.answered(1)));
      for (const stream of some) {
        stream.send(answer);
        stream.send(first);
      }
      await Promise.all(some.map((stream) => stream.answered(3)));
      open.push(...some);
    }
    expect(await streamsOpen()).toBe(streams);
    const held = await memory();
    // One in two comes to its end, the others are given up in the middle.
    open.forEach((stream, i) => {
      if (i % 2 === 0) stream.send(last);
      else stream.cancel();
    });
    for (const stream of open.filter((_, i) => i % 2 === 0)) {
      await stream.answered(4);
      stream.end();
    }
    const statuses = await Promise.all(open.map(({ ended }) => ended));
    expect(statuses.filter((status) => status === "0")).toHaveLength(streams / 2);
    await eventually(streamsOpen, 0, 20_000);
    return held;
  };

  const held = await round();
  const before = await memory();
  await round();
  const after = await memory();
  const perStream = (used(held) - used(before)) / streams;
  const left = used(after) - used(before);
  console.info({
    "KiB of an open stream": +(perStream / KiB).toFixed(1),
    "bytes left of each": Math.round(left / streams),
    "MiB of RSS": [held.rss, before.rss, after.rss].map((bytes) => Math.round(bytes / MiB)),
  });
  // 200 bytes of each stream would be 2 MB.
  expect(left).toBeLessThan(2 * MiB);
  expect(after.rss - held.rss).toBeLessThan(96 * MiB);
  expect(await gatehouse.total("gatehouse_ext_proc_streams_total", 'result="finished"')).toBe(2 * streams);
});

test.each([
  ["text", "text/plain", `${"Lorem ipsum dolor 12345 sit amet, ".repeat(60)}4111111111111111 `],
  [
    "json",
    "application/json",
    `${JSON.stringify({ text: "lorem ipsum ".repeat(170), card: "4111111111111111" })},`,
  ],
])("a body of 10 MB, %s, holds at most 256 KiB", { timeout: 120_000 }, async (kind, type, unit) => {
  const streams = 8;
  const piece = Buffer.from(unit.repeat(Math.floor((64 * KiB) / unit.length)));
  const pieces = Math.ceil((10 * MiB) / piece.length);
  let isHalfway = (): void => {};
  let waiting = streams;
  const goOn = { open: (): void => {}, opened: Promise.resolve() };
  goOn.opened = new Promise((resolve) => {
    goOn.open = resolve;
  });
  const halfway = new Promise<void>((resolve) => {
    isHalfway = () => {
      waiting -= 1;
      if (waiting === 0) resolve();
    };
  });
  /** The most that had been sent and had not come back when the next piece was sent. */
  let mostBehind = 0;

  const one = async (): Promise<void> => {
    let [sent, released, cards] = [0, 0, 0];
    let wake = (): void => {};
    const stream = client.open((answer) => {
      const body = bodyIn(answer);
      released += body.length;
      cards += body.includes("4111111111111111") ? 1 : 0;
      wake();
    });
    const caughtUp = async (): Promise<void> => {
      // Nothing more comes until more is sent: what is behind is held back.
      while (sent - released > 96 * KiB) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    stream.send(requestHeaders(`/${kind}`));
    await stream.answered(1);
    // Their answer waits for the first piece of the body.
    stream.send(responseHeaders(type));
    if (kind === "json") stream.send(responseBody(Buffer.from("[")));
    for (let i = 0; i < pieces; i += 1) {
      stream.send(responseBody(piece));
      sent += piece.length;
      await caughtUp();
      mostBehind = Math.max(mostBehind, sent - released);
      if (i === pieces >> 1) {
        isHalfway();
        await goOn.opened;
      }
    }
    const before = stream.answers;
    stream.send(responseBody(Buffer.from(kind === "json" ? "0]" : "."), true));
    await stream.answered(before + 1);
    stream.end();
    expect(await stream.ended).toBe("0");
    expect(cards).toBe(0);
  };

  const all = Promise.all(Array.from({ length: streams }, one));
  await Promise.race([halfway, all]);
  const during = await memory();
  goOn.open();
  await all;
  await eventually(streamsOpen, 0);
  const held = (used(during) - used(await memory())) / streams;
  console.info({
    kind,
    "KiB held in memory": Math.round(held / KiB),
    "KiB behind": Math.round(mostBehind / KiB),
  });
  expect(held).toBeLessThan(256 * KiB);
  expect(mostBehind).toBeLessThan(256 * KiB);
});
