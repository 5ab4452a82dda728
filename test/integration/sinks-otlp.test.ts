import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createHttpClient,
  createSinks,
  createSpanExporters,
  type HttpClient,
  type SpanExporters,
} from "../../src/adapters/index.js";
import { exportLimits } from "../../src/adapters/otlp-queue.js";
import type { OtlpSinkSpec, Sinks } from "../../src/logs/index.js";
import type { Span } from "../../src/traces/index.js";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.js";
import { freePort } from "../support/ports.js";
import { aLine, createSinkLedger, type SinkLedger, until } from "../support/sink-ledger.js";

const quick = { ...exportLimits, lingerMs: 10, minMs: 20, maxMs: 50, maxBatch: 100 };

let client: HttpClient;
let ledger: SinkLedger;
let sinks: Sinks;
let exporters: SpanExporters;
const receivers: OtlpReceiver[] = [];

async function receive(protocol: "grpc" | "http", port?: number): Promise<OtlpReceiver> {
  const receiver = await startOtlpReceiver(protocol, port);
  receivers.push(receiver);
  return receiver;
}

const specOf = (protocol: "grpc" | "http", port: number): OtlpSinkSpec => ({
  kind: "otlp",
  name: "otlp",
  protocol,
  host: "127.0.0.1",
  port,
  path: "",
  tls: false,
  timeoutMs: 300,
  headers: [["X-Api-Key", "very-secret"]],
});

const aSpan = (n: number): Span => ({
  provider: "otlp",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: n.toString(16).padStart(16, "0"),
  parentSpanId: n === 0 ? "" : "0000000000000001",
  traceState: "",
  name: `span ${n}`,
  kind: "server",
  startMs: 1,
  endMs: 2,
  status: "unset",
  statusMessage: "",
  attributes: { n },
  resource: { "service.name": `service ${n % 2}` },
});

beforeEach(() => {
  ledger = createSinkLedger();
  client = createHttpClient();
  const ports = { ...ledger, http: () => client, now: Date.now, exportLimits: quick };
  sinks = createSinks(ports);
  exporters = createSpanExporters(ports);
});

afterEach(async () => {
  await sinks.close(100);
  await exporters.close(100);
  await client.close();
  for (const receiver of receivers.splice(0)) await receiver.close();
});

function write(from: number, to: number): void {
  for (let i = from; i < to; i += 1) sinks.write(aLine("otlp", `{"n":${i}}`, { fields: { n: i } }));
}

const received = ({ logs }: OtlpReceiver): unknown[] => logs.map(({ attributes }) => attributes.get("n"));
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe.each(["grpc", "http"] as const)("otlp over %s", (protocol) => {
  it("delivers log records in batches, with the headers, of which no log shows the values", async () => {
    const receiver = await receive(protocol);
    sinks.configure([specOf(protocol, receiver.port)]);
    write(0, 250);
    await sinks.store(aLine("otlp", "stored", { fields: { n: 250 } }));
    await until(() => ledger.delivered() === 251);
    expect(received(receiver)).toEqual(range(0, 251));
    expect(receiver.batches).toEqual([100, 100, 51]);
    expect(receiver.logs[0]).toMatchObject({
      body: '{"n":0}',
      severityText: "INFO",
      time: "1763769600123000000",
    });
    expect(receiver.logs[0]?.resource.get("service.name")).toBe("gatehouse");
    expect(receiver.headers[0]?.get("x-api-key")).toBe("very-secret");
    await receiver.close();
    write(0, 1);
    await until(() => ledger.logged.length > 0);
    expect(JSON.stringify(ledger.logged)).not.toContain("very-secret");
  });

  it("delivers spans with their parents and resources", async () => {
    const receiver = await receive(protocol);
    exporters.configure([specOf(protocol, receiver.port)]);
    for (let i = 0; i < 4; i += 1) exporters.export(aSpan(i));
    exporters.export({ ...aSpan(1), provider: "nobody" });
    await exporters.close(1000);
    expect(receiver.spans.map(({ name }) => name)).toEqual(["span 0", "span 2", "span 1", "span 3"]);
    expect(receiver.spans[1]).toMatchObject({ parentSpanId: "0000000000000001", traceId: aSpan(0).traceId });
    expect(receiver.spans[2]?.resource.get("service.name")).toBe("service 1");
    expect([ledger.delivered(), ledger.dropped("unknown_sink"), ledger.sum()]).toEqual([4, 1, 5]);
  });

  it("waits for a receiver that is down and comes back, and loses nothing that fits", async () => {
    const port = await freePort();
    sinks.configure([specOf(protocol, port)]);
    write(0, 150);
    await until(() => ledger.retried() > 1);
    expect([ledger.queued(), ledger.sum()]).toEqual([150, 150]);
    const receiver = await receive(protocol, port);
    await until(() => ledger.delivered() === 150);
    expect(received(receiver)).toEqual(range(0, 150));
    await receiver.close();
    write(150, 200);
    await until(() => ledger.retried() > 6);
    const again = await receive(protocol, port);
    await until(() => ledger.delivered() === 200);
    expect(received(again)).toEqual(range(150, 200));
    expect(ledger.logged.map(({ message }) => message)).toEqual([
      "otlp receiver fails",
      "otlp receiver takes again",
      "otlp receiver fails",
      "otlp receiver takes again",
    ]);
  });

  it("gives up a request that hangs, and sends it again", async () => {
    const receiver = await receive(protocol);
    receiver.once({ kind: "hang" });
    sinks.configure([specOf(protocol, receiver.port)]);
    write(0, 10);
    await until(() => ledger.delivered() === 10);
    expect([receiver.requests(), received(receiver)]).toEqual([2, range(0, 10)]);
  });

  it("sends again what the receiver says is to come later, when it says so", async () => {
    const receiver = await receive(protocol);
    if (protocol === "http") {
      receiver.once({ kind: "http", status: 503 }, { kind: "http", status: 429, retryAfter: "1" });
    } else {
      receiver.once({ kind: "grpc", code: 14 }, { kind: "grpc", code: 8, retryDelayMs: 1250 });
    }
    sinks.configure([specOf(protocol, receiver.port)]);
    const start = Date.now();
    write(0, 10);
    await until(() => ledger.delivered() === 10);
    expect(Date.now() - start).toBeGreaterThanOrEqual(1000);
    expect([receiver.requests(), ledger.retried()]).toEqual([3, 2]);
  });

  it("drops a batch that is refused, and counts the records that are rejected", async () => {
    const receiver = await receive(protocol);
    // RESOURCE_EXHAUSTED without a delay is final, too.
    const refusal =
      protocol === "http" ? ({ kind: "http", status: 400 } as const) : ({ kind: "grpc", code: 8 } as const);
    receiver.once(refusal, { kind: "ok", rejected: 3 });
    sinks.configure([specOf(protocol, receiver.port)]);
    write(0, 110);
    await until(() => ledger.sum() === 110 && ledger.queued() === 0);
    expect([ledger.delivered(), ledger.dropped("refused"), receiver.requests()]).toEqual([7, 103, 2]);
    expect(JSON.stringify(ledger.logged)).not.toContain("secret");
  });

  it("keeps counts that add up while the receiver is slow and the queue is full", async () => {
    const receiver = await receive(protocol);
    receiver.answer({ kind: "ok", delayMs: 20 });
    const ports = { ...ledger, http: () => client, now: Date.now };
    sinks = createSinks({ ...ports, exportLimits: { ...quick, maxQueued: 300 } });
    sinks.configure([specOf(protocol, receiver.port)]);
    for (let round = 0; round < 20; round += 1) {
      write(round * 100, round * 100 + 100);
      expect(ledger.sum()).toBe(round * 100 + 100);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await sinks.close(5000);
    expect([ledger.queued(), ledger.sum()]).toEqual([0, 2000]);
    expect(ledger.dropped("queue_full")).toBeGreaterThan(0);
    expect(receiver.logs.length).toBe(ledger.delivered());
  });

  it("ends at its deadline while the receiver hangs", async () => {
    const receiver = await receive(protocol);
    receiver.answer({ kind: "hang" });
    sinks.configure([specOf(protocol, receiver.port)]);
    write(0, 10);
    await until(() => receiver.requests() > 0);
    await sinks.close(50);
    expect([ledger.dropped("closed"), ledger.queued(), ledger.sum()]).toEqual([10, 0, 10]);
  });
});
