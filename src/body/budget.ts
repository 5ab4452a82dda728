import { Buffer } from "node:buffer";
import { refusalFor } from "./refusals.js";
import type { BodyFlow, BodyRefusal, FlowStep, LastStep } from "./run.js";

/** Bytes of bodies that may be kept at one time, by all requests and responses of a process. */
export interface BodyBudget {
  /** Takes so many more, or gives some back; false: there is no room for them, and nothing was taken. */
  take(bytes: number): boolean;
  /** A body is refused, since there is no room for it. */
  refused(): void;
}

/** What a budget is told of. */
export interface BudgetObserver {
  /** Bytes that are kept now more, or less. */
  held(bytes: number): void;
  /** There was no room. */
  refused(): void;
}

/** Makes the budget of a process. */
export function createBodyBudget(maxBytes: number, observer: BudgetObserver): BodyBudget {
  let taken = 0;
  return {
    take(bytes) {
      if (bytes > 0 && taken + bytes > maxBytes) return false;
      taken += bytes;
      if (bytes !== 0) observer.held(bytes);
      return true;
    },
    refused: observer.refused,
  };
}

const nothing = new Uint8Array();

/** A flow under a budget. */
export interface BudgetedFlow extends BodyFlow {
  /** What it keeps is gone. At any time, more than once. */
  free(): void;
}

/**
 * Counts what a flow keeps, and what it let go on that waits until the body was seen whole. A body for which
 * there is no room is refused, unless it was kept for policies on trial only; those that are there already
 * stay.
 */
export function withinBudget(
  flow: BodyFlow,
  budget: BodyBudget,
  onRefused: (refusal: BodyRefusal) => void,
): BudgetedFlow {
  let counted = 0;
  let released = 0;
  let refused: Extract<FlowStep, { kind: "refuse" }> | undefined;
  let isOver = false;
  /** What was kept for trials goes on, and nobody is refused for it. */
  let isGivenUp = false;

  function free(): void {
    isOver = true;
    budget.take(-counted);
    counted = 0;
  }
  /** False: there is no room for what is kept now. */
  function keep(): boolean {
    const kept = (flow.heldBytes ?? 0) + released;
    if (!budget.take(kept - counted)) return false;
    counted = kept;
    return true;
  }
  function count(step: FlowStep): FlowStep {
    if (step.kind === "refuse" || isOver) return step;
    if (flow.need === "whole" && !isGivenUp) released += step.bytes.length;
    if (keep()) return step;
    isGivenUp = true;
    const freed = flow.giveUpTrials?.() ?? nothing;
    if (keep()) return freed.length === 0 ? step : { kind: "go", bytes: Buffer.concat([step.bytes, freed]) };
    refused = { kind: "refuse", refusal: refusalFor("body_no_room", "") };
    budget.refused();
    onRefused(refused.refusal);
    return refused;
  }
  function last(step: LastStep): LastStep {
    free();
    return step;
  }

  return {
    need: flow.need,
    headEdits: flow.headEdits,
    untrueTrailers: flow.untrueTrailers ?? [],
    push(chunk) {
      if (refused !== undefined) return refused;
      const step = flow.push(chunk);
      return step instanceof Promise ? step.then(count) : count(step);
    },
    end() {
      if (refused !== undefined) return refused;
      const step = flow.end();
      return step instanceof Promise ? step.then(last) : last(step);
    },
    free,
  };
}
