import { expect, test } from "vitest";
import { examine } from "../../../src/doctor/index.js";
import type { HeadersOutcome } from "../../../src/envoy/ext-proc/exchange.js";
import type { BodyMode, ModeOverride } from "../../../src/envoy/ext-proc/message.js";
import { headersDone, pushDone, receive, takeAnswers } from "../../../src/envoy/ext-proc/session.js";
import { createSession, sideOf } from "../../../src/envoy/ext-proc/session-state.js";
import { baseBootstrap } from "../../support/doctor-cases.js";
import { body, goOn, headers, incoming, upperCase, verdicts } from "../envoy/ext-proc/exchanges.js";

const modes = ["NONE", "STREAMED", "BUFFERED"] as const;
const needs = ["none", "streamed", "whole"] as const;
type Need = (typeof needs)[number];

const configured = modes.flatMap((request) => modes.map((response) => ({ request, response })));

interface Asked {
  readonly override: ModeOverride;
  /** A body has to be seen that would not come as it has to. */
  readonly isNeeded: boolean;
}

/** What Gatehouse asks for with bodies configured so, whatever policies read. */
function askedOf(request: BodyMode, response: BodyMode): readonly Asked[] {
  return needs.flatMap((ofRequest) =>
    needs.flatMap((ofResponse) =>
      [true, false].flatMap((hasBody) =>
        [true, false].flatMap((head) => ask({ request, response, ofRequest, ofResponse, hasBody, head })),
      ),
    ),
  );
}

interface Exchange {
  readonly request: BodyMode;
  readonly response: BodyMode;
  readonly ofRequest: Need;
  readonly ofResponse: Need;
  readonly hasBody: boolean;
  readonly head: boolean;
}

function ask({ request, response, ofRequest, ofResponse, hasBody, head }: Exchange): readonly Asked[] {
  const session = createSession({
    config: { requestBodyMode: request, responseBodyMode: response, sendsBodyEarly: false },
    isObserved: false,
    verdicts,
    onViolation: () => {},
    maxHeldBytes: 1000,
  });
  const outcome = (need: Need): HeadersOutcome => ({
    ...goOn,
    flow: need === "none" ? undefined : upperCase(need),
    response: { head: head || ofResponse !== "none", body: ofResponse },
  });
  const told: Asked[] = [];
  const note = (): void => {
    for (const answer of takeAnswers(session)) {
      if (answer.kind !== "headers" || answer.modeOverride === undefined) continue;
      const { direction, modeOverride: override } = answer;
      const { requestBodyMode, responseBodyMode } = override;
      const ofBodies = [
        direction === "request" && hasBody && ofRequest !== "none" && requestBodyMode !== request,
        ofResponse !== "none" && responseBodyMode !== response,
      ];
      told.push({ override, isNeeded: ofBodies.some((needed) => needed) });
    }
  };
  receive(session, incoming(headers("request", hasBody ? { "transfer-encoding": "chunked" } : {}, !hasBody)));
  headersDone(session, "request", outcome(ofRequest));
  note();
  // Without the body that was asked for there is no response.
  if (hasBody) receive(session, incoming(body("request", "x", true)));
  const { work } = sideOf(session, "request");
  if (work?.kind === "push") pushDone(session, "request", work.flow.push(work.chunk) as never);
  receive(session, incoming(headers("response", { "transfer-encoding": "chunked" })));
  headersDone(session, "response", outcome(ofResponse));
  note();
  return told;
}

/** As it would have to stand in `allowed_override_modes` where trailers are not configured. */
function written(override: ModeOverride): Readonly<Record<string, string>> {
  const trailers = (mode: "SEND" | "SKIP"): string => (mode === "SEND" ? "SEND" : "DEFAULT");
  return {
    request_body_mode: override.requestBodyMode,
    request_trailer_mode: trailers(override.requestTrailers),
    response_header_mode: override.responseHeaders,
    response_body_mode: override.responseBodyMode,
    response_trailer_mode: trailers(override.responseTrailers),
  };
}

function isLacking(request: BodyMode, response: BodyMode, list: readonly object[]): boolean {
  const change = `"allow_mode_override":true,"allowed_override_modes":${JSON.stringify(list)}`;
  const bodies = `"request_body_mode":"${request}","response_body_mode":"${response}","request_header_mode"`;
  const document = JSON.stringify(baseBootstrap())
    .replace('"allow_mode_override":true', change)
    .replace('"request_header_mode"', bodies);
  return examine(JSON.parse(document)).some(({ code }) => code.code === "GH1225");
}

test.each(configured)(
  "with bodies $request and $response the doctor wants the overrides that are asked for, and no others",
  ({ request, response }) => {
    const asked = askedOf(request, response);
    const all = new Map(asked.map(({ override }) => [JSON.stringify(written(override)), written(override)]));
    expect(all.size).toBeGreaterThan(0);
    expect(isLacking(request, response, [...all.values()])).toBe(false);
    const needed = new Set(
      asked.filter(({ isNeeded }) => isNeeded).map(({ override }) => JSON.stringify(written(override))),
    );
    for (const key of needed) {
      const others = [...all].filter(([other]) => other !== key).map(([, mode]) => mode);
      // An empty list would allow everything.
      expect([key, isLacking(request, response, [...others, { request_body_mode: "GRPC" }])]).toEqual([
        key,
        true,
      ]);
    }
  },
);

test("the response's headers alone are never asked for, so that they must be configured", () => {
  const bodies = { request: "NONE", response: "NONE", ofRequest: "none", ofResponse: "none" } as const;
  expect(ask({ ...bodies, hasBody: true, head: true })).toEqual([]);
});
