import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type Charge,
  type ChargeResult,
  type CounterState,
  type CounterStore,
  StoreError,
} from "../../../src/quota/index.js";
import { hostStore } from "../../../src/server/store-host.js";
import { createStoreLink } from "../../../src/server/store-link.js";
import { createFakeTime, type FakeTime, settle } from "../../support/fake-time.js";
import { createLinePair, type LinePair } from "../../support/line-pair.js";

const state: CounterState = { allowed: true, remaining: 4, resetMs: 900.5, retryMs: 0 };
const passed: ChargeResult = { allowed: true, counters: [state], atMs: 1_700_000_000_000.25 };

/** Remembers what it was asked, and answers what it is told to. */
interface FakeStore extends CounterStore {
  readonly asked: { readonly method: string; readonly question: readonly unknown[] }[];
  answer: (question: unknown) => unknown;
}

function fakeStore(): FakeStore {
  const asked: FakeStore["asked"] = [];
  const ask =
    (method: string) =>
    (...question: readonly unknown[]): never => {
      asked.push({ method, question });
      return store.answer(question[0]) as never;
    };
  const store: FakeStore = {
    asked,
    answer: () => passed,
    charge: ask("charge"),
    refund: ask("refund"),
    debit: ask("debit"),
    add: ask("add"),
    look: ask("look"),
    read: ask("read"),
    reset: ask("reset"),
    close: async () => {},
  };
  return store;
}

function chargeOn(key: string, given: Partial<Charge> = {}): Charge {
  return {
    group: "shop",
    key,
    algorithm: "tokenBucket",
    limit: 5,
    windowMs: 1000,
    burst: 7,
    cost: 1,
    isTrial: false,
    id: undefined,
    ...given,
  };
}

let time: FakeTime;
let lines: LinePair;
let store: FakeStore;
let linked: CounterStore;
let errors: unknown[];
let soon: (() => void)[];

/** The rest of a turn of the event loop: what was put off is done, and lines arrive. */
async function turn(): Promise<void> {
  for (const callback of soon.splice(0)) callback();
  lines.deliver();
  await settle();
}

function link(options = { deadlineMs: 250, maxUnanswered: 100 }): CounterStore {
  return createStoreLink(
    { link: lines.near, now: time.now, schedule: time.schedule, soon: (callback) => soon.push(callback) },
    options,
  );
}

beforeEach(() => {
  time = createFakeTime();
  lines = createLinePair();
  store = fakeStore();
  errors = [];
  soon = [];
  linked = link();
  hostStore({ link: lines.far, store, onError: (error) => errors.push(error) });
});

/** What became of a promise so far. */
async function outcomeOf(promise: unknown): Promise<unknown> {
  let outcome: unknown = "nothing yet";
  Promise.resolve(promise).then(
    (answer) => {
      outcome = answer;
    },
    (error: unknown) => {
      outcome = error instanceof StoreError ? error.fault : error;
    },
  );
  await settle();
  return outcome;
}

describe("a worker's way to the primary's counters", () => {
  it("takes every question there and every answer back as they are", async () => {
    const charges = [
      chargeOn("a", { isTrial: true, id: "charge-1", cost: 0 }),
      chargeOn("b\n\u2028\ud800\u0000", { algorithm: "concurrency" }),
    ];
    const request = {
      group: "edge",
      additions: [
        { key: "k", hits: 2n ** 63n - 1n, ttlSeconds: 60, limit: 4_294_967_295 },
        { key: "", hits: -3, ttlSeconds: 1, limit: 0 },
        { key: "k", hits: -(2n ** 60n), ttlSeconds: 1, limit: 0 },
      ],
      stopsWhenOver: true,
    };
    const keys = [{ group: "edge", key: "k" }];
    const exchanges = [
      ["charge", [charges], { ...passed, counters: [state, { ...state, allowed: false, retryMs: 3 }] }],
      ["refund", [charges, passed.atMs], undefined],
      ["debit", [charges], [state, { ...state, allowed: false, retryMs: 3 }]],
      ["look", [charges], [state]],
      ["add", [request], [0, 2 ** 63, 1]],
      ["read", [keys], [undefined, 0, 12]],
      ["reset", [keys], 2],
    ] as const;
    for (const [method, question, answer] of exchanges) {
      store.answer = () => answer;
      const answered = linked[method](...(question as [never, never]));
      await turn();
      expect(await outcomeOf(answered)).toEqual(answer);
      expect(store.asked.pop()).toEqual({ method, question });
    }
  });

  it("is one line there and one back for all operations of a turn, done in their order", async () => {
    const answers = ["a", "b", "c"].map((key) => linked.charge([chargeOn(key)]));
    const refund = linked.refund([chargeOn("a")], 5);
    expect(lines.toFar).toEqual([]);
    for (const callback of soon.splice(0)) callback();
    expect(lines.toFar).toHaveLength(1);
    const before: number[] = [];
    lines.near.onLine((line) => before.push(line.length));
    await turn();
    expect(before).toHaveLength(1);
    expect(await Promise.all(answers)).toEqual([passed, passed, passed]);
    expect(await outcomeOf(refund)).toBeUndefined();
    expect(
      store.asked.map(({ method, question }) => `${method} ${(question[0] as Charge[])[0]?.key}`),
    ).toEqual(["charge a", "charge b", "charge c", "refund a"]);
  });

  it("keeps the failure of one operation from the others", async () => {
    store.answer = (question) => {
      const key = (question as Charge[])[0]?.key;
      if (key === "full") throw new StoreError("full", "no room");
      if (key === "late") return Promise.reject(new StoreError("overflow", "too much"));
      if (key === "broken") throw new TypeError("secret detail");
      return passed;
    };
    const answers = ["full", "a", "late", "broken", "b"].map((key) => linked.charge([chargeOn(key)]));
    await turn();
    await turn();
    expect(await Promise.all(answers.map(outcomeOf))).toEqual([
      "full",
      passed,
      "overflow",
      "unavailable",
      passed,
    ]);
    expect(errors).toEqual([new TypeError("secret detail")]);
    await expect(answers[3]).rejects.toThrow("the ledger failed");
  });

  it("does not let what takes time hold up the rest", async () => {
    let finish = (_: ChargeResult): void => {};
    store.answer = (question) =>
      (question as Charge[])[0]?.key === "slow"
        ? new Promise((resolve) => {
            finish = resolve;
          })
        : passed;
    const slow = linked.charge([chargeOn("slow")]);
    const fast = linked.charge([chargeOn("fast")]);
    await turn();
    expect(await outcomeOf(fast)).toEqual(passed);
    expect(await outcomeOf(slow)).toBe("nothing yet");
    finish({ allowed: false, counters: [], atMs: 0 });
    await settle();
    await turn();
    expect(await outcomeOf(slow)).toEqual({ allowed: false, counters: [], atMs: 0 });
  });
});

describe("a primary that gives no answer", () => {
  it("is a timeout after the deadline, each operation by its own", async () => {
    const first = linked.charge([chargeOn("a")]);
    await time.advance(200);
    const second = linked.charge([chargeOn("b")]);
    for (const callback of soon.splice(0)) callback();
    await time.advance(50);
    for (const callback of soon.splice(0)) callback();
    expect([await outcomeOf(first), await outcomeOf(second)]).toEqual(["timeout", "nothing yet"]);
    await time.advance(199);
    for (const callback of soon.splice(0)) callback();
    expect(await outcomeOf(second)).toBe("nothing yet");
    await time.advance(1);
    for (const callback of soon.splice(0)) callback();
    expect(await outcomeOf(second)).toBe("timeout");
    expect(time.waiting()).toBe(0);
  });

  it("is none while its answer lies there unread because this process was busy", async () => {
    const answer = linked.charge([chargeOn("a")]);
    for (const callback of soon.splice(0)) callback();
    await time.advance(10_000);
    lines.deliver();
    await turn();
    expect(await outcomeOf(answer)).toEqual(passed);
  });

  it("stays in time for later operations when the earlier ones were answered", async () => {
    for (let i = 0; i < 3; i++) {
      void linked.charge([chargeOn("a")]);
      await turn();
      await time.advance(100);
    }
    for (const callback of soon.splice(0)) callback();
    const last = linked.charge([chargeOn("b")]);
    for (let waited = 0; waited < 250; waited += 10) {
      expect(await outcomeOf(last)).toBe("nothing yet");
      await time.advance(10);
      lines.toFar.length = 0;
      for (const callback of soon.splice(0)) callback();
    }
    expect(await outcomeOf(last)).toBe("timeout");
  });

  it("lets no more operations queue than the bound says, those that were given up among them", async () => {
    linked = link({ deadlineMs: 250, maxUnanswered: 2 });
    const held = [linked.charge([chargeOn("a")]), linked.charge([chargeOn("b")])];
    expect(await outcomeOf(linked.charge([chargeOn("c")]))).toBe("unavailable");
    for (const callback of soon.splice(0)) callback();
    const [under = ""] = lines.toFar.splice(0);
    await time.advance(250);
    await turn();
    expect(await Promise.all(held.map(outcomeOf))).toEqual(["timeout", "timeout"]);
    expect(await outcomeOf(linked.charge([chargeOn("d")]))).toBe("unavailable");
    lines.toFar.push(under);
    await turn();
    const later = linked.charge([chargeOn("e")]);
    await turn();
    expect(await outcomeOf(later)).toEqual(passed);
  });

  it("is unavailable at once when it is gone, before and after", async () => {
    const queued = linked.charge([chargeOn("a")]);
    lines.cut();
    expect(await outcomeOf(queued)).toBe("unavailable");
    expect(await outcomeOf(linked.look([]))).toBe("unavailable");
    expect(time.waiting()).toBe(0);
  });

  it("is unavailable after the store was closed", async () => {
    const queued = linked.charge([chargeOn("a")]);
    await linked.close();
    expect(await outcomeOf(queued)).toBe("unavailable");
    expect(await outcomeOf(linked.read([]))).toBe("unavailable");
    await turn();
    expect(store.asked).toEqual([]);
  });
});

describe("lines that nobody should send", () => {
  const wire = [1, 4, 900, 0];

  it("are answers in any order, twice, or to questions that were never asked", async () => {
    const [first, second] = [linked.charge([chargeOn("a")]), linked.charge([chargeOn("b")])];
    for (const callback of soon.splice(0)) callback();
    lines.toFar.length = 0;
    lines.far.send(
      JSON.stringify([
        [77, [1, [], 0]],
        [-1, "timeout", "x"],
        [1, [0, [wire], 0]],
      ]),
    );
    lines.far.send(
      JSON.stringify([
        [1, [1, [], 0]],
        [0, [1, [wire], 0]],
        [0, "full", "x"],
      ]),
    );
    lines.deliver();
    expect(await outcomeOf(first)).toMatchObject({ allowed: true });
    expect(await outcomeOf(second)).toMatchObject({ allowed: false });
    const third = linked.charge([chargeOn("c")]);
    await turn();
    expect(await outcomeOf(third)).toEqual(passed);
  });

  it.each(["", "{", "7", "null", "[7]", "[[0]]", "[[0,7]]", '[[0,{"allowed":true}]]', "[[0,[1]]]"])(
    "never let a charge pass: %s",
    async (line) => {
      const charge = linked.charge([chargeOn("a")]);
      for (const callback of soon.splice(0)) callback();
      lines.toFar.length = 0;
      lines.far.send(line);
      lines.deliver();
      await time.advance(250);
      await turn();
      expect(await outcomeOf(charge)).toMatch(/^(unavailable|timeout)$/);
    },
  );

  it.each(["{", "7", "[7]", '[["a","charge",[]]]', '[[0,"close",[]]]', '[[0,"__proto__",[]]]'])(
    "end the connection at the primary, which goes on: %s",
    (line) => {
      lines.near.send(line);
      lines.deliver();
      expect(errors).toHaveLength(1);
      expect(store.asked).toEqual([]);
      expect(lines.near.send("[]")).toBe(false);
    },
  );

  it("throw nothing at either end, whatever they hold", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        const pair = createLinePair();
        hostStore({ link: pair.far, store, onError: () => {} });
        createStoreLink({ link: pair.near, now: time.now, schedule: time.schedule, soon: () => {} });
        pair.near.send(line);
        pair.deliver();
        pair.far.send(line);
        expect(() => pair.deliver()).not.toThrow();
      }),
    );
  });
});
