import { refusalFor } from "./refusals.js";
import type { BodyFlow, BodyRefusal, FlowStep, LastStep } from "./run.js";

/** Bytes of bodies that may be kept at one time, by all requests and responses of a process. */
export interface BodyBudget {
  /** Takes so many more, or gives some back; false: there is no room for them, and nothing was taken. */
  take(bytes: number): boolean;
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
      if (bytes > 0 && taken + bytes > maxBytes) {
        observer.refused();
        return false;
      }
      taken += bytes;
      if (bytes !== 0) observer.held(bytes);
      return true;
    },
  };
}

/** A flow under a budget. */
export interface BudgetedFlow extends BodyFlow {
  /** What it keeps is gone. At any time, more than once. */
  free(): void;
}

/**
 * Counts what a flow keeps, and what it let go on that waits until the body was seen whole. A body for which
 * there is no room is refused; those that are there already stay.
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

  function free(): void {
    isOver = true;
    budget.take(-counted);
    counted = 0;
  }
  function count(step: FlowStep): FlowStep {
    if (step.kind === "refuse" || isOver) return step;
    if (flow.need === "whole") released += step.bytes.length;
    const kept = (flow.heldBytes ?? 0) + released;
    if (!budget.take(kept - counted)) {
      refused = { kind: "refuse", refusal: refusalFor("body_no_room", "") };
      onRefused(refused.refusal);
      return refused;
    }
    counted = kept;
    return step;
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
