import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BodyFlow } from "../../../../src/body/index.js";
import type { HeadersOutcome } from "../../../../src/envoy/ext-proc/exchange.js";
import type { BodyMode, Direction, Part } from "../../../../src/envoy/ext-proc/message.js";
import {
  endDone,
  finish,
  headersDone,
  isIdle,
  pushDone,
  receive,
  takeAnswers,
} from "../../../../src/envoy/ext-proc/session.js";
import { createSession, type Session, sideOf } from "../../../../src/envoy/ext-proc/session-state.js";
import { envoySide, type FilterConfig, type Script } from "./envoy-side.js";
import {
  body,
  goOnWithResponse,
  headers,
  immediate,
  incoming,
  trailers,
  upperCase,
  verdicts,
} from "./exchanges.js";

const directions = ["request", "response"] as const;

type Wish =
  | { readonly kind: "pass" }
  | { readonly kind: "immediate" | "replace" }
  | {
      readonly kind: "flow";
      readonly need: BodyFlow["need"];
      readonly held: number;
      readonly refusesAt: number;
    };

const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("immediate" as const, "replace" as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("flow" as const),
      need: fc.constantFrom("streamed" as const, "whole" as const),
      held: fc.constantFrom(0, 0, 1, 4),
      refusesAt: fc.constantFrom(1e9, 1e9, 1e9, 0, 3),
    }),
  },
);

const chunk = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "z"), maxLength: 5 }),
  fc.constant("").map(() => "q".repeat(70_000)),
);
const script: fc.Arbitrary<Script> = fc.record({
  chunks: fc.array(chunk, { maxLength: 4 }),
  hasTrailers: fc.boolean(),
  hasContentLength: fc.boolean(),
  endsApart: fc.boolean(),
});
const mode = fc.constantFrom<BodyMode[]>(
  "NONE",
  "NONE",
  "STREAMED",
  "BUFFERED",
  "BUFFERED_PARTIAL",
  "FULL_DUPLEX_STREAMED",
);
const send = fc.constantFrom("SEND" as const, "SKIP" as const);
const config: fc.Arbitrary<FilterConfig> = fc.record({
  modes: fc.record({ request: mode, response: mode }),
  trailers: fc.record({ request: send, response: send }),
  allowsOverride: fc.boolean(),
});

function outcomeOf(one: Wish): HeadersOutcome {
  if (one.kind === "pass") return goOnWithResponse;
  if (one.kind === "immediate") return { ...goOnWithResponse, immediate: immediate("wished") };
  if (one.kind !== "flow") return { ...goOnWithResponse, replaceBody: Buffer.from("NEW") };
  const { need, held, refusesAt } = one;
  return {
    ...goOnWithResponse,
    flow: upperCase(need, { held, refuses: (seen) => seen.length >= refusesAt }),
  };
}

/** Does one piece of work; false: there is none. */
function step(session: Session, direction: Direction, wishes: Readonly<Record<Direction, Wish>>): boolean {
  const work = sideOf(session, direction).work;
  if (work === undefined) return false;
  if (work.kind === "headers") {
    const wished = wishes[direction];
    const { flow, ...others } = outcomeOf(wished);
    headersDone(session, direction, { ...others, flow: work.hasBody ? flow : undefined });
  } else if (work.kind === "push") pushDone(session, direction, work.flow.push(work.chunk) as never);
  else endDone(session, direction, work.flow.end() as never);
  return true;
}

describe("a session beside Envoy", () => {
  it("answers as Envoy takes it, and lets nothing through unseen, in every mode and whatever is wished", () => {
    const reached = { complete: 0, refused: 0, flows: 0 };
    fc.assert(
      fc.property(
        config,
        fc.record({ request: script, response: script }),
        fc.record({ request: wish, response: wish }),
        fc.infiniteStream(fc.nat(3)),
        (filter, scripts, wishes, schedule) => {
          const envoy = envoySide(filter, scripts);
          const session = createSession({
            config: {
              requestBodyMode: filter.modes.request,
              responseBodyMode: filter.modes.response,
              sendsBodyEarly: false,
            },
            isObserved: false,
            verdicts,
            onViolation: () => {},
            maxHeldBytes: 1e6,
          });
          const take = (): void => {
            for (const answer of takeAnswers(session)) envoy.take(answer);
          };
          const sendOne = (direction: Direction): boolean => {
            const part = envoy.send(direction);
            if (part === undefined) return false;
            receive(session, incoming(part));
            return true;
          };
          const act = (choice: number): boolean => {
            const direction = choice % 2 === 0 ? "request" : "response";
            const done = choice < 2 ? sendOne(direction) : step(session, direction, wishes);
            take();
            return done;
          };
          for (let index = 0; index < 40; index++) act(schedule.next().value as number);
          const drain = (): void => {
            for (let moved = true; moved; ) moved = [0, 1, 2, 3].some((choice) => act(choice));
          };
          drain();
          finish(session);
          drain();
          take();

          const isRefused = envoy.immediate() !== undefined;
          if (isRefused) reached.refused++;
          const isComplete = (direction: Direction): boolean => envoy.isComplete(direction);
          if (directions.every(isComplete)) reached.complete++;
          const heedsOverrides =
            filter.allowsOverride && !Object.values(filter.modes).includes("FULL_DUPLEX_STREAMED");
          // Nobody tells that an override is not heeded, or that a body's end will not be told, but for Envoy's end.
          const mayWait = (direction: Direction): boolean =>
            ["flow", "replace"].includes(wishes[direction].kind) &&
            !heedsOverrides &&
            (filter.modes[direction] === "NONE" || filter.trailers[direction] === "SKIP");
          if (!isRefused && !directions.some(mayWait))
            expect(directions.map(isComplete)).toEqual([true, true]);
          for (const direction of directions) {
            const one = wishes[direction];
            const whole = scripts[direction].chunks.join("");
            const delivered = envoy.delivered(direction);
            if (one.kind === "pass" && !isRefused) expect(delivered).toBe(whole);
            if (one.kind !== "flow") continue;
            reached.flows++;
            // Nobody tells that an override is not heeded: of a response that is known too late.
            const isBlind = !filter.allowsOverride && filter.modes[direction] === "NONE";
            if (isBlind && (direction === "response" || isRefused)) continue;
            // What is held when trailers follow that are not sent goes nowhere; the doctor tells of such a configuration.
            const isCut = scripts[direction].hasTrailers && mayWait(direction);
            if (isRefused || isCut || !isComplete(direction))
              expect(whole.toUpperCase().startsWith(delivered)).toBe(true);
            else expect(delivered).toBe(whole.toUpperCase());
          }
        },
      ),
      { numRuns: 3000 },
    );
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(300);
  });

  const part: fc.Arbitrary<Part> = fc
    .tuple(
      fc.constantFrom("headers", "body", "body", "trailers"),
      fc.constantFrom(...directions),
      fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 3 }),
      fc.boolean(),
    )
    .map(([kind, direction, text, endOfStream]) => {
      if (kind === "headers") return headers(direction, {}, endOfStream);
      return kind === "body" ? body(direction, text, endOfStream) : trailers(direction);
    });

  it("gives at most one answer to a part, none after the last, and shows no flow's body unseen, whatever comes", () => {
    const anyMode = fc.constantFrom<BodyMode[]>("NONE", "STREAMED", "BUFFERED", "BUFFERED_PARTIAL");
    fc.assert(
      fc.property(
        fc.record({ request: anyMode, response: anyMode }),
        fc.record({ request: wish, response: wish }),
        fc.array(part, { maxLength: 12 }),
        fc.infiniteStream(fc.nat(2)),
        (modes, wishes, parts, schedule) => {
          const session = createSession({
            config: {
              requestBodyMode: modes.request,
              responseBodyMode: modes.response,
              sendsBodyEarly: true,
            },
            isObserved: false,
            verdicts,
            onViolation: () => {},
            maxHeldBytes: 1e6,
          });
          const sent: Record<Direction, Part[]> = { request: [], response: [] };
          let isOver = false;
          const take = (): void => {
            for (const answer of takeAnswers(session)) {
              expect(isOver).toBe(false);
              if (answer.kind === "immediate") {
                isOver = true;
                continue;
              }
              const asked = sent[answer.direction].shift();
              expect(asked?.kind).toBe(answer.kind);
              if (asked?.kind !== "body" || answer.kind !== "body") continue;
              const hasFlow = wishes[answer.direction].kind === "flow";
              if (hasFlow && answer.change === undefined) expect(asked.body).toHaveLength(0);
            }
          };
          for (const one of parts) {
            sent[one.direction].push(one);
            receive(session, incoming(one));
            take();
            for (let left = schedule.next().value as number; left > 0; left--) {
              for (const direction of directions) step(session, direction, wishes);
              take();
            }
          }
          for (let moved = true; moved; ) {
            moved = directions.some((direction) => step(session, direction, wishes));
            take();
          }
          expect(isIdle(session)).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
