import { Buffer } from "node:buffer";
import type { BodyFlow, BodyRefusal } from "../../src/body/index.js";
import type { Exchange, HeadersOutcome, Immediate } from "../../src/envoy/ext-proc/exchange.js";
import type { Direction, HeaderLines, HeaderMutation } from "../../src/envoy/ext-proc/message.js";
import { type Action, type Protocol, suffixOf, upperCased } from "./ext-proc-cells.js";

/** What is done to a request and its response. */
export interface Program {
  readonly protocol: Protocol;
  readonly request: Action;
  readonly response: Action;
}

/** A program as the header `x-program` says it. */
export function programHeader({ protocol, request, response }: Program): string {
  return [protocol, request, response].join(",");
}

const noEdits = { remove: [], set: [] } as const;

/** What the header action does to either direction. */
const mutation: HeaderMutation = {
  remove: ["x-remove"],
  set: [
    { name: "x-added", value: "by us", action: "APPEND_IF_EXISTS_OR_ADD" },
    { name: "x-given", value: "replaced", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
  ],
};

/** Bodies of refusals say what refused. */
function immediate(httpStatus: number, grpcStatus: number, why: string): Immediate {
  const headers = [{ name: "x-refused", value: why, action: "OVERWRITE_IF_EXISTS_OR_ADD" }] as const;
  const body = Buffer.from(why);
  return { kind: "immediate", httpStatus, headers, body, grpcStatus, details: why };
}

/** Does what each request asks for by `x-program`; tells what it saw. */
export function programmedExchange(onHeaders: (direction: Direction, lines: HeaderLines) => void): Exchange {
  let program: Program | undefined;
  return {
    requestHeaders(lines, hasBody) {
      onHeaders("request", lines);
      program = readProgram(lines);
      const { protocol, request, response } = program;
      return {
        ...outcomeOf(request, "request", protocol, hasBody),
        response: { head: response !== "pass", body: needOf(response) ?? "none" },
      };
    },
    responseHeaders(lines, hasBody) {
      onHeaders("response", lines);
      const { response, protocol } = program ?? { response: "headers", protocol: "http1" };
      return outcomeOf(response, "response", protocol, hasBody);
    },
    refused: (direction, { httpStatus, code, reason }) => {
      const why = reason === "body_too_large" ? "too_large" : "refused";
      return immediate(httpStatus, code, `${direction}_${why}`);
    },
    metadata: () => undefined,
    violated: (direction, what) => immediate(500, 13, `${direction}_${what}`),
    close: () => {},
  };
}

function readProgram(lines: HeaderLines): Program {
  const [protocol, request, response] = (lines.get("x-program")?.[0] ?? "http1,pass,pass").split(",");
  return { protocol, request, response } as Program;
}

function outcomeOf(
  action: Action,
  direction: Direction,
  protocol: Protocol,
  hasBody: boolean,
): HeadersOutcome {
  const response = { head: true, body: "whole" } as const;
  if (action === "deny") {
    return {
      immediate: immediate(403, 7, `${direction}_denied`),
      mutation: undefined,
      flow: undefined,
      response,
    };
  }
  return {
    mutation: action === "headers" ? mutation : undefined,
    flow: hasBody ? flowOf(action, protocol) : undefined,
    response,
  };
}

/** What an action needs of a body. */
export function needOf(action: Action): BodyFlow["need"] | undefined {
  if (action === "mask" || action === "cut") return "streamed";
  return action === "rewrite" || action === "refuse" ? "whole" : undefined;
}

const refusal: BodyRefusal = {
  httpStatus: 403,
  code: 7,
  reason: "sensitive_data",
  policy: "matrix/cell",
  body: "",
  contentType: "text/plain",
};

/** Bytes that `mask` keeps back, and after which `cut` refuses. */
const heldBytes = 2;
const cutAfter = 20;

function flowOf(action: Action, protocol: Protocol): BodyFlow | undefined {
  const need = needOf(action);
  if (need === undefined) return undefined;
  let seen = 0;
  const whole: Buffer[] = [];
  let kept = Buffer.alloc(0);
  return {
    need,
    headEdits: { remove: ["etag"], set: [] },
    push(chunk) {
      seen += chunk.length;
      if (action === "cut" && seen > cutAfter) return { kind: "refuse", refusal };
      if (need === "whole") {
        whole.push(upperCased(chunk));
        return { kind: "go", bytes: kept };
      }
      const all = Buffer.concat([kept, upperCased(chunk)]);
      const until = Math.max(0, all.length - heldBytes);
      kept = all.subarray(until);
      return { kind: "go", bytes: all.subarray(0, until) };
    },
    end() {
      if (action === "refuse") return { kind: "refuse", refusal };
      const bytes = seen === 0 ? kept : Buffer.concat([...whole, kept, suffixOf(protocol)]);
      return { kind: "go", bytes, edits: noEdits };
    },
  };
}
