import { Buffer } from "node:buffer";
import { after } from "../quota/index.js";
import { createHeaderLines, noHeaderEdits } from "./header-lines.js";
import { refusalFor } from "./refusals.js";
import type { BodyFlow, BodyRefusal, FlowStep, LastStep, ResponseHead } from "./run.js";

const nothing = new Uint8Array();

/** Who watches a body on its way. */
export interface ChainObserver {
  /** As it came. */
  readonly received: (chunk: Uint8Array) => void | Promise<void>;
  /** As it goes on. */
  readonly delivered: (length: number) => void;
  readonly ended: () => void | Promise<void>;
  readonly refused: (refusal: BodyRefusal) => void;
}

/**
 * Several flows one behind the other, each with what the one before lets go; without any the body passes as
 * it is. Its own head edits are none: those of its flows have been put to `head` already.
 */
export function chainFlows(
  flows: readonly BodyFlow[],
  head: ResponseHead,
  observer: ChainObserver,
): BodyFlow {
  let refused: BodyRefusal | undefined;
  const headers = createHeaderLines(head.headers);
  const refuse = <Step extends FlowStep | LastStep>(step: Step): Step => {
    if (step.kind === "refuse" && refused === undefined) {
      refused = step.refusal;
      observer.refused(step.refusal);
    }
    return step;
  };
  const pushThrough = (from: number, bytes: Uint8Array): FlowStep | Promise<FlowStep> => {
    const flow = flows[from];
    if (flow === undefined || bytes.length === 0) return { kind: "go", bytes };
    return after(flow.push(bytes), (step) =>
      step.kind === "refuse" ? step : pushThrough(from + 1, step.bytes),
    );
  };
  const endThrough = (from: number, bytes: Uint8Array): LastStep | Promise<LastStep> => {
    const flow = flows[from];
    if (flow === undefined) return { kind: "go", bytes, edits: headers.edits() };
    const pushed: FlowStep | Promise<FlowStep> =
      bytes.length === 0 ? { kind: "go", bytes } : flow.push(bytes);
    return after(pushed, (first): LastStep | Promise<LastStep> => {
      if (first.kind === "refuse") return first;
      return after(flow.end(), (last) => {
        if (last.kind === "refuse") return last;
        headers.apply(last.edits);
        return endThrough(from + 1, joined(first.bytes, last.bytes));
      });
    });
  };
  const policyFault = (): { readonly kind: "refuse"; readonly refusal: BodyRefusal } =>
    refuse({ kind: "refuse", refusal: refusalFor("internal_error", "") });

  return {
    need: flows.some(({ need }) => need === "whole") ? "whole" : "streamed",
    headEdits: noHeaderEdits,
    untrueTrailers: flows.flatMap(({ untrueTrailers = [] }) => untrueTrailers),
    get heldBytes() {
      let bytes = 0;
      for (const flow of flows) bytes += flow.heldBytes ?? 0;
      return bytes;
    },
    giveUpTrials() {
      // INVARIANT: trials in a chain keep copies only, of what has gone on.
      for (const flow of flows) flow.giveUpTrials?.();
      return nothing;
    },
    push(chunk) {
      if (refused !== undefined) return { kind: "refuse", refusal: refused };
      return guarded(() => {
        const shown = observer.received(chunk);
        return after(
          after(shown, () => pushThrough(0, chunk)),
          (step) => {
            if (step.kind === "go") observer.delivered(step.bytes.length);
            return refuse(step);
          },
        );
      }, policyFault);
    },
    end() {
      if (refused !== undefined) return { kind: "refuse", refusal: refused };
      return guarded<LastStep>(
        () =>
          after(endThrough(0, nothing), (step) => {
            if (step.kind === "refuse") return refuse(step);
            observer.delivered(step.bytes.length);
            return after(observer.ended(), () => step);
          }),
        policyFault,
      );
    },
  };
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  return second.length === 0 ? first : Buffer.concat([first, second]);
}

/** INVARIANT: a flow neither throws nor rejects. */
function guarded<Step>(work: () => Step | Promise<Step>, onFault: () => Step): Step | Promise<Step> {
  try {
    const step = work();
    return step instanceof Promise ? step.catch(onFault) : step;
  } catch {
    return onFault();
  }
}

/**
 * A flow on trial: the body passes as it is, also where what is kept for the trial has no room, and
 * `onRefusal` hears what would have been.
 */
export function onTrial(
  flow: BodyFlow & { close?(): void },
  onRefusal: (refusal: BodyRefusal) => void,
): BodyFlow {
  let isOver = false;
  const heed = (step: FlowStep | LastStep): void => {
    if (step.kind !== "refuse" || isOver) return;
    isOver = true;
    onRefusal(step.refusal);
  };
  return {
    need: "streamed",
    headEdits: noHeaderEdits,
    get heldBytes() {
      return isOver ? 0 : (flow.heldBytes ?? 0);
    },
    giveUpTrials() {
      if ((flow.heldBytes ?? 0) > 0) heed({ kind: "refuse", refusal: refusalFor("body_no_room", "") });
      if (isOver) flow.close?.();
      return nothing;
    },
    push(chunk) {
      if (isOver) return { kind: "go", bytes: chunk };
      return after(flow.push(chunk), (step): FlowStep => {
        heed(step);
        return { kind: "go", bytes: chunk };
      });
    },
    end() {
      const done: LastStep = { kind: "go", bytes: nothing, edits: noHeaderEdits };
      if (isOver) return done;
      return after(flow.end(), (step) => {
        heed(step);
        return done;
      });
    },
  };
}
