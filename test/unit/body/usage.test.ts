import { Buffer } from "node:buffer";
import { beforeEach, describe, expect, it } from "vitest";
import { compileUsage, type UsageMeter, usageFindings } from "../../../src/body/usage.js";
import {
  type Charge,
  chargeFor,
  createLedger,
  createMemoryStore,
  type MemoryStore,
} from "../../../src/quota/index.js";
import type { PathStep } from "../../../src/redaction/index.js";
import { aRequest, aWorkload } from "../../support/request.js";
import { compiled, fakeStore, recording, unavailable } from "../quota/quota-kit.js";

const tokens = compiled({ limit: 1000, algorithm: "fixedWindow", window: "1h", cost: "100" }, "tokens", "ai");
const path: PathStep[] = [
  { kind: "member", name: "usage" },
  { kind: "member", name: "total_tokens" },
];
const field = { quota: "ai/tokens", units: { kind: "field", path } } as const;
const bytes = { quota: "ai/tokens", units: { kind: "bytes" } } as const;

let store: MemoryStore;
let told: string[];
let now: number;

beforeEach(() => {
  now = Date.UTC(2026, 10, 21, 12, 30);
  store = createMemoryStore({ now: () => now });
  store.charge([{ ...(chargeFor(tokens, new Map()) as Charge), cost: 100 }]);
  told = [];
});

function open(
  rule: Parameters<typeof compileUsage>[0],
  counters: Parameters<typeof createLedger>[0]["store"] = store,
): UsageMeter {
  const { open: start } = compileUsage(rule, {
    ledger: createLedger({ store: counters, local: fakeStore(), observer: recording() }),
    quotas: new Map([["ai/tokens", tokens]]),
    observer: (quota, outcome, units) => void told.push(`${quota} ${outcome} ${units}`),
    now: () => now,
  });
  const charged = new Map([["ai/tokens", 100]]);
  return start({ attributes: aRequest().build(), workload: aWorkload(), charged });
}

const left = (): number | undefined =>
  store.look([{ ...(chargeFor(tokens, new Map()) as Charge), cost: 0 }])[0]?.remaining;
const show = (meter: UsageMeter, text: string): void => {
  const chunk = Buffer.from(text);
  meter.received(chunk);
  meter.delivered(chunk.length);
};

describe("usage by a field of the response", () => {
  it("is charged when the response is over, in place of what was reserved", () => {
    const meter = open(field);
    meter.begin("application/json", true);
    show(meter, '{"usage":{"total_');
    show(meter, 'tokens":250}}');
    meter.end();
    expect(left()).toBe(900);
    expect(meter.commit()).toEqual({ quota: "ai/tokens", units: 250 });
    expect(left()).toBe(750);
    expect(told).toEqual(["ai/tokens taken 250"]);
  });

  it("is that of the last event, also when the client has gone before the end", () => {
    const meter = open(field);
    meter.begin("text/event-stream", true);
    show(
      meter,
      'data: {"usage":{"total_tokens":20}}\n\ndata: {"usage":null}\n\ndata: {"usage":{"total_tokens":9',
    );
    now += 5_000;
    expect(meter.commit()).toEqual({ quota: "ai/tokens", units: 20 });
    expect([left(), told]).toEqual([980, ["ai/tokens given_back 20"]]);
  });

  it.each(["application/x-ndjson", "application/jsonl", "application/stream+json"])(
    "is that of the last of several lines of %s",
    (type) => {
      const meter = open(field);
      meter.begin(type, true);
      show(meter, '{"usage":{"total_tokens":20}}\n{"usage":{"total_tokens":1700}}\n');
      meter.commit();
      expect([left(), told]).toEqual([0, ["ai/tokens overdrawn 1700"]]);
    },
  );

  it("leaves what was reserved where nobody can tell it", () => {
    const unknown = [
      ["application/json", true, '{"usage":{"total_tokens":"7"}}'],
      ["application/json", true, '{"usage":{"total_tokens":-7}}'],
      ["application/json", true, '{"usage":{"total_tokens":1e999}}'],
      ["application/json", true, '{"error":"busy"}'],
      ["application/json", false, '{"usage":{"total_tokens":7}}'],
      ["text/html", true, "<p>sorry"],
    ] as const;
    for (const [type, isReadable, body] of unknown) {
      const meter = open(field);
      meter.begin(type, isReadable);
      show(meter, body);
      meter.end();
      expect(meter.commit()).toBeUndefined();
    }
    expect(left()).toBe(900);
    expect(told).toEqual(unknown.map(() => "ai/tokens unknown 0"));
  });
});

describe("usage by bytes of the response", () => {
  it("is what the client got", () => {
    const meter = open(bytes);
    meter.begin("", true);
    meter.received(Buffer.alloc(500));
    meter.delivered(120);
    meter.delivered(3);
    expect(meter.commit()).toEqual({ quota: "ai/tokens", units: 123 });
    expect(left()).toBe(877);
  });

  it("is nothing of a response without a body", () => {
    const meter = open(bytes);
    meter.begin("", false);
    meter.end();
    expect(meter.commit()).toEqual({ quota: "ai/tokens", units: 0 });
    expect(left()).toBe(1000);
  });

  it("is unknown without a response, so that who breaks off before it gets nothing back", () => {
    expect(open(bytes).commit()).toBeUndefined();
    expect([left(), told]).toEqual([900, ["ai/tokens unknown 0"]]);
  });
});

describe("a commit", () => {
  it("happens once", () => {
    const meter = open(bytes);
    meter.begin("", true);
    meter.delivered(300);
    expect(meter.commit()).toBeDefined();
    expect(meter.commit()).toBeUndefined();
    expect([left(), told.length]).toEqual([700, 1]);
  });

  it("that cannot be made is told, and keeps nobody waiting", async () => {
    const broken = fakeStore({ waits: true });
    broken.fault = unavailable();
    const meter = open(bytes, broken);
    meter.begin("", true);
    meter.delivered(300);
    expect(meter.commit()).toEqual({ quota: "ai/tokens", units: 300 });
    await new Promise(setImmediate);
    expect(told).toEqual(["ai/tokens lost 300"]);
  });

  it("to a quota that there is not is unknown", () => {
    const meter = open({ ...bytes, quota: "ai/none" });
    meter.begin("", true);
    meter.delivered(300);
    expect(meter.commit()).toBeUndefined();
    expect(told).toEqual(["ai/none unknown 0"]);
  });
});

describe("what a usage rule can name", () => {
  const codesOf = (name: string): string[] => {
    const quotas = new Map([
      ["ai/tokens", tokens.quota],
      ["ai/open", compiled({ algorithm: "concurrency" }).quota],
    ]);
    return usageFindings({ ...bytes, quota: name }, quotas).map(
      ({ code, path: at }) => `${code.code} ${at.join(".")}`,
    );
  };

  it("is a Quota that is loaded and counts over time", () => {
    expect(codesOf("ai/tokens")).toEqual([]);
    expect(codesOf("ai/none")).toEqual(["GH1152 spec.usage.quota"]);
    expect(codesOf("ai/open")).toEqual(["GH1153 spec.usage.quota"]);
    expect(usageFindings(undefined, new Map())).toEqual([]);
  });
});
