import { isDeepStrictEqual } from "node:util";
import type { RateLimitCase, RateLimitStep } from "./ratelimit-case.js";
import { rateLimitExceptions } from "./ratelimit-exceptions.js";
import { type ReplayOptions, replayOverGrpc, type StepOutcome } from "./ratelimit-server.js";

/** A step that was answered otherwise than the corpus says. */
export interface Disagreement {
  readonly id: string;
  /** Index of the step, from 0. */
  readonly step: number;
  readonly expected: unknown;
  readonly got: StepOutcome | undefined;
}

/** Replays a case through a running server and compares every step; either recorded version of the peer counts. */
export async function disagreements(one: RateLimitCase, options: ReplayOptions): Promise<Disagreement[]> {
  const outcomes = await replayOverGrpc(one, options);
  return one.steps.flatMap((step, index) => {
    if (agrees(step, outcomes[index])) return [];
    const isKnown =
      !options.sharedKeys && rateLimitExceptions.some((e) => e.id === one.id && e.step === index);
    const expected = step.response ?? step.error ?? step.result;
    return isKnown ? [] : [{ id: one.id, step: index, expected, got: outcomes[index] }];
  });
}

/** Of a method that does not exist the library's own words count; what a store says of its failure is ours to say. */
const UNIMPLEMENTED = 12;

function agrees(step: RateLimitStep, got: StepOutcome | undefined): boolean {
  if (got === undefined) return false;
  if (step.op === "reload") return "result" in got && (got.result === "ok") === (step.result === "ok");
  if (step.error !== undefined) {
    if (!("error" in got) || got.error.code !== step.error.code) return false;
    return step.error.code === UNIMPLEMENTED || sameText(got.error.message, step.error.message);
  }
  if (!("response" in got)) return false;
  const accepted = [step.response, step.response_2026_05].filter((response) => response !== undefined);
  return accepted.some((response) => isDeepStrictEqual(got.response, response));
}

function sameText(ours: string, theirs: string): boolean {
  return ours === theirs || (theirs.includes("would overflow") && ours.includes("would overflow"));
}
