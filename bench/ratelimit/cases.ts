import { Buffer } from "node:buffer";
import { loadProtos, RATE_LIMIT } from "../../src/server/protos.js";
import { NUMBER_PLACE } from "../load/job.js";

/** Path of the method that is measured. */
export const METHOD: string = `/${RATE_LIMIT}/ShouldRateLimit`;

/** A config file of envoyproxy/ratelimit, for both servers. */
export const limits: string = `domain: bench
descriptors:
- key: never
  rate_limit: {unit: hour, requests_per_unit: 4294967295}
- key: always
  rate_limit: {unit: hour, requests_per_unit: 0}
- key: account
  value: "a*"
  descriptors:
  - key: path
    value: /api
    descriptors:
    - key: remote_address
      rate_limit: {unit: hour, requests_per_unit: 1000000}
${Array.from({ length: 10 }, (_, i) => `- key: many-${i}\n  rate_limit: {unit: hour, requests_per_unit: 4294967295}`).join("\n")}
`;

/** One kind of request. */
export interface Case {
  readonly name: string;
  /** RateLimitRequest in base64. */
  readonly payload: string;
  /** In base64, what each answer begins with: the overall code. */
  readonly answerStart: string;
  /** The servers know keys that are over their limit without Redis. */
  readonly hasLocalCache: boolean;
}

type Entry = readonly [key: string, value: string];

/** What is asked of both. */
export function cases(): readonly Case[] {
  const never = [[["never", "caller-17"]]] as const;
  const always = [[["always", "caller-17"]]] as const;
  const wildcard = [
    [
      ["account", "acme"],
      ["path", "/api"],
      ["remote_address", NUMBER_PLACE],
    ],
  ] as const;
  const many = Array.from({ length: 10 }, (_, i): readonly Entry[] => [[`many-${i}`, "caller-17"]]);
  return [
    makeCase("1 descriptor, never over", never, "OK"),
    makeCase("always over, local cache", always, "OVER_LIMIT", true),
    makeCase("always over, no local cache", always, "OVER_LIMIT"),
    makeCase("no limit matched", [[["nobody", "caller-17"]]], "OK"),
    makeCase("3 entries, wildcard, new key each time", wildcard, "OK"),
    makeCase("10 descriptors, never over", many, "OK"),
  ];
}

function makeCase(
  name: string,
  descriptors: readonly (readonly Entry[])[],
  code: "OK" | "OVER_LIMIT",
  hasLocalCache = false,
): Case {
  const service = loadProtos().packages[RATE_LIMIT] as unknown as {
    readonly ShouldRateLimit: { readonly requestSerialize: (message: object) => Buffer };
  };
  const message = {
    domain: "bench",
    descriptors: descriptors.map((entries) => ({ entries: entries.map(([key, value]) => ({ key, value })) })),
  };
  return {
    name,
    payload: service.ShouldRateLimit.requestSerialize(message).toString("base64"),
    answerStart: Buffer.from([0x08, code === "OK" ? 1 : 2]).toString("base64"),
    hasLocalCache,
  };
}
