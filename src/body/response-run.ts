import type { Attributes } from "../attributes/index.js";
import { after } from "../quota/index.js";
import { lengthAndIntegrity, tellOfChange } from "./changed-headers.js";
import { mediaTypeOf } from "./content-types.js";
import { chainFlows, onTrial } from "./flow-chain.js";
import { createResponseState } from "./message-state.js";
import type { PlannedPolicy } from "./planned-policy.js";
import { refusalFor } from "./refusals.js";
import type { ResponseBodyFlow } from "./response-flow.js";
import type { Replacement } from "./response-part.js";
import type { BodyFlow, BodyInput, BodyNeed, BodyRefusal, ResponseHead, ResponseStep } from "./run.js";
import type { RunRecord } from "./run-record.js";
import { type Measuring, openTap, type UsageTap } from "./usage-tap.js";

/** What the response's side of a run works with. */
export interface ResponseRunOptions {
  readonly policies: readonly PlannedPolicy[];
  readonly input: BodyInput;
  readonly record: RunRecord;
  /** The request as it went on. */
  readonly attributes: () => Attributes;
  /** A policy's response part was carried out to the end. */
  readonly onDone: (policy: string) => void;
}

/** The response's side of a run. */
export interface ResponseRun {
  readonly need: { readonly head: boolean; readonly body: BodyNeed };
  readonly head: (head: ResponseHead) => ResponseStep;
  readonly close: () => void;
}

/** What one policy makes of a response's head. */
interface Turn {
  readonly refusal?: BodyRefusal | undefined;
  readonly flow?: BodyFlow | undefined;
  /** The flow itself, where `flow` is one on trial. */
  readonly begun?: ResponseBodyFlow | undefined;
  readonly replacement?: Replacement | undefined;
}

/** Makes it; nothing is done before the head is there. */
export function createResponseRun(options: ResponseRunOptions): ResponseRun {
  const { policies, input, record, attributes, onDone } = options;
  const measuring: Measuring[] = policies.flatMap(({ usage, dryRun }) => {
    if (usage === undefined || dryRun) return [];
    const { attributes: asCharged, workload, charged } = input;
    return [{ reads: usage.reads, meter: usage.open({ attributes: asCharged, workload, charged }) }];
  });
  let tap: UsageTap | undefined;
  const begun: ResponseBodyFlow[] = [];
  let isClosed = false;

  const decide = (head: ResponseHead): ResponseStep => {
    const state = createResponseState(attributes(), input.workload, head);
    const flows: BodyFlow[] = [];
    let replacement: Replacement | undefined;
    const done: string[] = [];
    /** Changes of the head, which go out only if no policy after them refuses. */
    const changes: HeadChange[] = [];
    for (const policy of policies) {
      if (policy.response === undefined) continue;
      const turn = takeTurn(policy, state, { record, changes, isReplaced: replacement !== undefined });
      if (turn.refusal !== undefined) {
        record.refused(turn.refusal, "response");
        return { kind: "refuse", refusal: turn.refusal };
      }
      if (turn.flow !== undefined) flows.push(turn.flow);
      if (turn.begun !== undefined) begun.push(turn.begun);
      replacement ??= turn.replacement;
      if (!policy.dryRun) done.push(policy.name);
    }
    for (const { policy, rule } of changes) record.changed(policy, rule, 1);
    tap = openTap(head, measuring);
    const finish = (isWhole: boolean): void => {
      for (const { meter } of measuring) if (isWhole) meter.end();
      for (const name of done) onDone(name);
    };
    const isMeasured = measuring.length > 0 && head.hasBody;
    for (const { meter } of measuring) meter.begin(mediaTypeOf(head.headers), tap.isReadable);
    if (replacement !== undefined || (flows.length === 0 && !isMeasured)) {
      for (const { meter } of measuring) meter.delivered(replacement?.bytes.length ?? 0);
      finish(true);
      const bytes = replacement?.bytes;
      return { kind: "go", edits: state.headers.edits(), flow: undefined, replacement: bytes };
    }
    const flow = chainFlows(flows, state.head(), {
      received: (chunk) => {
        record.responseBytes += chunk.length;
        return tap?.received(chunk);
      },
      delivered: (length) => {
        for (const { meter } of measuring) meter.delivered(length);
      },
      ended: () => after(tap?.end() ?? true, finish),
      refused: (refusal) => record.refused(refusal, "response"),
    });
    return { kind: "go", edits: state.headers.edits(), flow, replacement: undefined };
  };

  return {
    need: needOf(policies),
    head: (head) => {
      try {
        return decide(head);
      } catch {
        const refusal = refusalFor("internal_error", "");
        record.refused(refusal, "response");
        return { kind: "refuse", refusal };
      }
    },
    close: () => {
      if (isClosed) return;
      isClosed = true;
      tap?.close();
      for (const flow of begun) flow.close();
      for (const { meter } of measuring) {
        const charged = meter.commit();
        if (charged !== undefined) record.usage.push(charged);
      }
    },
  };
}

function needOf(policies: readonly PlannedPolicy[]): { readonly head: boolean; readonly body: BodyNeed } {
  const needs = policies.map(({ dryRun, response, usage }): BodyNeed => {
    const need = response?.need ?? "none";
    if (dryRun && need === "whole") return "streamed";
    return need === "none" && usage !== undefined && !dryRun ? "streamed" : need;
  });
  const head = policies.some(({ response, usage }) => response !== undefined || usage !== undefined);
  return { head, body: strongest(needs) };
}

function strongest(needs: readonly BodyNeed[]): BodyNeed {
  if (needs.includes("whole")) return "whole";
  return needs.includes("streamed") ? "streamed" : "none";
}

interface HeadChange {
  readonly policy: string;
  readonly rule: string;
}

/** Where a turn puts what is to be told of it. */
interface Told {
  readonly record: RunRecord;
  readonly changes: HeadChange[];
  /** A policy before put another body in place. */
  readonly isReplaced: boolean;
}

/** One policy's turn at the head of a response. */
function takeTurn(
  { name, dryRun, response }: PlannedPolicy,
  state: ReturnType<typeof createResponseState>,
  { record, changes, isReplaced }: Told,
): Turn {
  if (response === undefined || !response.applies(state.input(undefined))) return {};
  if (!dryRun) {
    for (const rule of response.headers) {
      if (rule.act(state.input(undefined), state.headers))
        changes.push({ policy: name, rule: `response.${rule.name}` });
    }
  }
  // What stands in an error's place is ours: nobody looks at it.
  if (isReplaced) return {};
  const head = state.head();
  const replacement = response.replacementFor(head.code);
  const isHead = state.attributes().request?.method === "HEAD";
  if (replacement !== undefined && !isHead) {
    if (dryRun) return {};
    putReplacement(state, replacement);
    changes.push({ policy: name, rule: "response.replaceErrors" });
    return { replacement };
  }
  if (response.begin === undefined) return {};
  if (!head.hasBody && !(isHead || head.code === 304)) return {};
  const begun = response.begin({ input: state.input(undefined), head: { ...head, hasBody: true } });
  if (begun === undefined) return {};
  if (!head.hasBody) {
    const isRefused = "httpStatus" in begun;
    if (!isRefused) begun.close();
    if (dryRun || !(isRefused || begun.headEdits.remove.length > 0)) return {};
    // They are said of the body as it is without us: a digest tells what is hidden in it.
    for (const name of lengthAndIntegrity) state.headers.remove(name);
    return {};
  }
  if ("httpStatus" in begun) {
    if (!dryRun) return { refusal: begun };
    record.dryRun.push({ policy: name, reason: begun.reason });
    return {};
  }
  if (dryRun) {
    const onRefusal = ({ reason }: BodyRefusal): void => {
      record.dryRun.push({ policy: name, reason });
    };
    return { flow: onTrial(begun, onRefusal), begun };
  }
  record.findings.push({ policy: name, read: () => begun.findings });
  record.unscannedBy.push(() => begun.unscanned);
  state.headers.apply(begun.headEdits);
  return { flow: begun, begun };
}

function putReplacement(
  { headers }: ReturnType<typeof createResponseState>,
  { bytes, contentType }: Replacement,
): void {
  headers.set("content-type", contentType);
  for (const name of ["etag", "last-modified", "content-encoding", "accept-ranges", "content-range"])
    headers.remove(name);
  tellOfChange(headers, bytes.length, true);
}
