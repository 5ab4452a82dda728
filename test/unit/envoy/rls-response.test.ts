import { join } from "node:path";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRateLimitResponse } from "../../../src/envoy/rls/index.js";
import { fromStruct } from "../../../src/envoy/struct.js";
import type { RateLimitResponse__Output } from "../../../src/proto/index.js";
import type { DescriptorStatus, RateLimitAnswer, Unit } from "../../../src/ratelimit/index.js";

const packages = loadSync("envoy/service/ratelimit/v3/rls.proto", {
  includeDirs: [join(import.meta.dirname, "..", "..", "..", "proto")],
  keepCase: true,
  longs: Number,
  enums: String,
  oneofs: true,
});
const service = packages["envoy.service.ratelimit.v3.RateLimitService"] as ServiceDefinition;

/** The answer that proto-loader reads in our bytes. */
function reread(answer: RateLimitAnswer): RateLimitAnswer {
  const bytes = Buffer.from(encodeRateLimitResponse(answer));
  const response = service["ShouldRateLimit"]?.responseDeserialize(bytes) as RateLimitResponse__Output;
  const { overall_code, statuses = [], response_headers_to_add = [], dynamic_metadata } = response;
  return {
    code: codeOf(overall_code),
    statuses: statuses.map((status) => ({
      code: codeOf(status.code),
      currentLimit: status.current_limit && {
        name: status.current_limit.name ?? "",
        requestsPerUnit: status.current_limit.requests_per_unit ?? 0,
        unit: String(status.current_limit.unit) as Unit,
      },
      limitRemaining: status.limit_remaining ?? 0,
      durationUntilReset: status.duration_until_reset && secondsOf(status.duration_until_reset),
    })),
    responseHeaders: response_headers_to_add.map(({ key = "", value = "" }) => [key, value]),
    dynamicMetadata: dynamic_metadata && fromStruct(dynamic_metadata),
  };
}

/** Not one of ours if it is absent. */
function codeOf(code: unknown): RateLimitAnswer["code"] {
  return String(code) as RateLimitAnswer["code"];
}

function secondsOf({ seconds = 0, nanos = 0 }: { seconds?: unknown; nanos?: number }): number {
  return Number(seconds) + nanos / 1e9;
}

/** As JSON has it: it knows no -0. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

const ok: RateLimitAnswer = {
  code: "OK",
  statuses: [],
  responseHeaders: [],
  dynamicMetadata: undefined,
};
const unmatched: DescriptorStatus = {
  code: "OK",
  currentLimit: undefined,
  limitRemaining: 0,
  durationUntilReset: undefined,
};

const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 60 }), fc.constantFrom("", "x".repeat(500)));
const uint32 = fc.oneof(fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, 2 ** 32 - 1), fc.nat(2 ** 32 - 1));
const status: fc.Arbitrary<DescriptorStatus> = fc.record({
  code: fc.constantFrom("OK", "OVER_LIMIT"),
  currentLimit: fc.option(
    fc.record({
      name: text,
      requestsPerUnit: uint32,
      unit: fc.constantFrom("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"),
    }),
    { nil: undefined },
  ),
  limitRemaining: uint32,
  durationUntilReset: fc.option(fc.nat(2 ** 32 - 1), { nil: undefined }),
});
const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false });
const answers: fc.Arbitrary<RateLimitAnswer> = fc.record({
  code: fc.constantFrom("OK", "OVER_LIMIT"),
  statuses: fc.array(status, { maxLength: 6 }),
  responseHeaders: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  dynamicMetadata: fc.option(fc.dictionary(text, json), { nil: undefined }),
});

describe("writing a RateLimitResponse", () => {
  it("says all that the answer says", () => {
    const answer: RateLimitAnswer = {
      code: "OVER_LIMIT",
      statuses: [
        {
          code: "OVER_LIMIT",
          currentLimit: { name: "per week", requestsPerUnit: 300, unit: "WEEK" },
          limitRemaining: 0,
          durationUntilReset: 604_800,
        },
        { ...unmatched, limitRemaining: 4_294_967_295 },
      ],
      responseHeaders: [
        ["x-ratelimit-limit", "300"],
        ["x-ratelimit-reset", "604800"],
      ],
      dynamicMetadata: { domain: "edge", descriptors: [{ entries: ["k=v"] }], on: true, no: null, hits: 2 },
    };
    expect(reread(answer)).toEqual(answer);
  });

  it("says each answer as proto-loader reads it", () => {
    fc.assert(
      fc.property(answers, (answer) => {
        const { dynamicMetadata, ...others } = reread(answer);
        expect({ ...others, dynamicMetadata: asJson(dynamicMetadata) }).toEqual({
          ...answer,
          dynamicMetadata: asJson(answer.dynamicMetadata),
        });
      }),
      { numRuns: 300 },
    );
  });

  it("grows at any place of the message", () => {
    for (let length = 0; length < 200; length++) {
      const dynamicMetadata = { text: "x".repeat(length), numbers: [1.5, -2, 0, 1e300], deep: { on: true } };
      expect(reread({ ...ok, dynamicMetadata }).dynamicMetadata).toEqual(dynamicMetadata);
    }
  });

  it("never has the overall code UNKNOWN, with which Envoy lets a request through", () => {
    expect(Buffer.from(encodeRateLimitResponse(ok)).toString("hex")).toBe("0801");
    expect(Buffer.from(encodeRateLimitResponse({ ...ok, code: "OVER_LIMIT" })).toString("hex")).toBe("0802");
  });

  it("has a status for each of ten thousand descriptors", () => {
    const statuses = Array.from({ length: 10_000 }, (_, index) => ({ ...unmatched, limitRemaining: index }));
    expect(reread({ ...ok, statuses }).statuses).toEqual(statuses);
  });

  it("keeps a fraction of a second", () => {
    const status = { ...unmatched, durationUntilReset: 1.25 };
    expect(reread({ ...ok, statuses: [status] }).statuses).toEqual([status]);
  });

  it("makes UTF-8 of half of a surrogate pair", () => {
    const answer: RateLimitAnswer = { ...ok, responseHeaders: [["x-name", "a\ud83d"]] };
    expect(reread(answer).responseHeaders).toEqual([["x-name", "a\ufffd"]]);
  });
});
