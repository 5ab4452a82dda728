import { describe, expect, it } from "vitest";
import { createRateLimitService, type RateLimitCall, RpcError } from "../../../src/envoy/index.js";
import { type Answer, StoreError, type StoreFault } from "../../../src/quota/index.js";
import { type RateLimitAnswer, RateLimitError, type RateLimitRequest } from "../../../src/ratelimit/index.js";

const over: RateLimitAnswer = {
  code: "OVER_LIMIT",
  statuses: [],
  responseHeaders: [],
  dynamicMetadata: undefined,
};
const overBytes = "0802";

/** Domain `d` with one descriptor; the others lack what their names say. */
const request = Buffer.from("0a01641200", "hex");
const noDomain = Buffer.from("1200", "hex");
const noDescriptors = Buffer.from("0a0164", "hex");

type Decide = (request: RateLimitRequest) => Answer<RateLimitAnswer>;

/** The service over a decision, with what it told. Its clock goes on by 2 ms each time. */
function service(decide: Decide | undefined): {
  ask: (bytes: Uint8Array) => Promise<string>;
  failureOf: (bytes: Uint8Array) => Promise<RpcError>;
  askNow: (bytes: Uint8Array) => Answer<Uint8Array>;
  calls: RateLimitCall[];
  errors: unknown[];
} {
  const calls: RateLimitCall[] = [];
  const errors: unknown[] = [];
  let clock = 0;
  const { shouldRateLimit } = createRateLimitService({
    current: () => decide && { decide },
    now: () => {
      clock += 2;
      return clock;
    },
    observe: (call) => calls.push(call),
    onError: (error) => errors.push(error),
  });
  const ask = async (bytes: Uint8Array): Promise<string> =>
    Buffer.from(await shouldRateLimit(bytes)).toString("hex");
  const failureOf = async (bytes: Uint8Array): Promise<RpcError> => {
    const failure: unknown = await ask(bytes).catch((error: unknown) => error);
    if (!(failure instanceof RpcError)) throw new Error("not refused with an RpcError", { cause: failure });
    return failure;
  };
  return { ask, failureOf, askNow: shouldRateLimit, calls, errors };
}

/** The same failure, once thrown and once rejected. */
const thrownAndRejected = (error: unknown): readonly Decide[] => [
  () => {
    throw error;
  },
  () => Promise.reject(error),
];

describe("the rate limit service", () => {
  it("answers at once where the decision is made at once", () => {
    const { askNow, calls } = service(() => over);
    expect(askNow(request)).toEqual(Buffer.from(overBytes, "hex"));
    expect(calls).toEqual([{ status: 0, code: "OVER_LIMIT", elapsedMs: 2 }]);
  });

  it("answers later where the store takes time", async () => {
    const { ask, calls } = service(() => Promise.resolve({ ...over, code: "OK" }));
    expect(await ask(request)).toBe("0801");
    expect(calls).toEqual([{ status: 0, code: "OK", elapsedMs: 2 }]);
  });

  it("hands over what the request says", async () => {
    const seen: RateLimitRequest[] = [];
    const { ask } = service((asked) => {
      seen.push(asked);
      return over;
    });
    await ask(request);
    expect(seen).toEqual([
      {
        domain: "d",
        hitsAddend: 0,
        descriptors: [{ entries: [], limit: undefined, hitsAddend: undefined, isNegative: false }],
      },
    ]);
  });

  it("takes the limits that are in force when the call comes", async () => {
    const codes = ["OK", "OVER_LIMIT"] as const;
    let loaded = 0;
    const { shouldRateLimit } = createRateLimitService({
      current: () => {
        const code = codes[loaded++] ?? "OK";
        return { decide: () => ({ ...over, code }) };
      },
      now: () => 0,
      observe: () => undefined,
      onError: () => undefined,
    });
    const answers = [await shouldRateLimit(request), await shouldRateLimit(request)];
    expect(answers.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual(["0801", overBytes]);
  });

  it.each([
    ["no bytes", Buffer.alloc(0), undefined, "rate limit domain must not be empty"],
    ["no domain", noDomain, undefined, "rate limit domain must not be empty"],
    ["no descriptors", noDescriptors, undefined, "rate limit descriptor list must not be empty"],
    ["no limits loaded", request, undefined, "no rate limit configuration loaded"],
    ["no domain, with limits", noDomain, () => over, "rate limit domain must not be empty"],
    [
      "no descriptors, with limits",
      noDescriptors,
      () => over,
      "rate limit descriptor list must not be empty",
    ],
  ])("fails as envoyproxy/ratelimit does for %s", async (_, bytes, decide, message) => {
    const { failureOf, calls, errors } = service(decide);
    expect(await failureOf(bytes)).toMatchObject({ code: 2, message });
    expect(calls).toEqual([{ status: 2, code: undefined, elapsedMs: 2 }]);
    expect(errors).toEqual([]);
  });

  it("fails with INTERNAL for what is no message, and tells nobody but the caller", async () => {
    const { failureOf, calls, errors } = service(() => over);
    expect(await failureOf(Buffer.from("00", "hex"))).toMatchObject({
      code: 13,
      message: "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data",
    });
    expect(calls).toEqual([{ status: 13, code: undefined, elapsedMs: 2 }]);
    expect(errors).toEqual([]);
  });

  it.each([
    ["empty_domain", 2],
    ["empty_descriptors", 2],
    ["bad_override", 3],
    ["bad_hits", 3],
  ] as const)("gives %s the status %i and its own text", async (kind, code) => {
    for (const decide of thrownAndRejected(new RateLimitError(kind, "what is wrong"))) {
      const { failureOf, errors } = service(decide);
      expect(await failureOf(request)).toMatchObject({ code, message: "what is wrong" });
      expect(errors).toEqual([]);
    }
  });

  it.each<[StoreFault, string]>([
    ["unavailable", "rate limit store is unavailable"],
    ["timeout", "rate limit store did not answer in time"],
    ["full", "rate limit store is full"],
    ["overflow", "rate limit store: increment or decrement would overflow"],
  ])("fails with UNKNOWN where the store is %s, without the driver's text", async (fault, message) => {
    const error = new StoreError(fault, "connect redis://user:secret@10.0.0.1:6379");
    for (const decide of thrownAndRejected(error)) {
      const { failureOf, calls, errors } = service(decide);
      expect(await failureOf(request)).toMatchObject({ code: 2, message });
      expect(calls).toEqual([{ status: 2, code: undefined, elapsedMs: 2 }]);
      expect(errors).toEqual([]);
    }
  });

  it("fails with INTERNAL for anything else, and says to the operator alone what it was", async () => {
    const error = new TypeError("secret is not a function");
    for (const decide of thrownAndRejected(error)) {
      const { failureOf, calls, errors } = service(decide);
      expect(await failureOf(request)).toMatchObject({ code: 13, message: "internal error" });
      expect(calls).toEqual([{ status: 13, code: undefined, elapsedMs: 2 }]);
      expect(errors).toEqual([error]);
    }
  });

  it("fails with INTERNAL where the answer cannot be written", async () => {
    const broken = { ...over, statuses: undefined } as unknown as RateLimitAnswer;
    for (const decide of [() => broken, () => Promise.resolve(broken)]) {
      const { failureOf, calls, errors } = service(decide);
      expect(await failureOf(request)).toMatchObject({ code: 13, message: "internal error" });
      expect(calls).toHaveLength(1);
      expect(errors).toHaveLength(1);
    }
  });

  it("decides on ten thousand descriptors, and on no call with more", async () => {
    const asked: number[] = [];
    const { ask, failureOf } = service(({ descriptors }) => {
      asked.push(descriptors.length);
      return over;
    });
    const of = (count: number): Uint8Array =>
      Buffer.concat([noDescriptors, Buffer.alloc(2 * count, "1200", "hex")]);
    expect(await ask(of(10_000))).toBe(overBytes);
    expect(await failureOf(of(10_001))).toMatchObject({ code: 3 });
    expect(asked).toEqual([10_000]);
  });
});
