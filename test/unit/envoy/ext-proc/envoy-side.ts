import type {
  Answer,
  BodyMode,
  Direction,
  ModeOverride,
  Part,
} from "../../../../src/envoy/ext-proc/message.js";
import { body, headers, trailers } from "./exchanges.js";

/** A request or response that goes through Envoy. */
export interface Script {
  readonly chunks: readonly string[];
  readonly hasTrailers: boolean;
  readonly hasContentLength: boolean;
  /** Streamed bodies: the end comes in an empty chunk of its own. */
  readonly endsApart: boolean;
}

/** How the filter is configured. */
export interface FilterConfig {
  readonly modes: Readonly<Record<Direction, BodyMode>>;
  readonly trailers: Readonly<Record<Direction, "SEND" | "SKIP">>;
  readonly allowsOverride: boolean;
}

interface Way {
  readonly direction: Direction;
  readonly script: Script;
  mode: BodyMode;
  trailers: "SEND" | "SKIP";
  headersSent: boolean;
  headersAnswered: boolean;
  contentLength: number | undefined;
  /** Chunks that were sent, or passed by. */
  next: number;
  endSent: boolean;
  trailersSent: boolean;
  trailersAnswered: boolean;
  /** Bodies that wait for an answer. */
  readonly unanswered: string[];
  ended: boolean;
  delivered: string;
  /** Nothing more is sent. */
  skips: boolean;
}

/**
 * Envoy's ext_proc filter as it was measured with 1.40: sends parts, and says of each answer whether it is one that may
 * come now, by throwing if it is not. Without the filter's timers and buffers.
 */
export function envoySide(config: FilterConfig, scripts: Readonly<Record<Direction, Script>>): EnvoySide {
  const way = (direction: Direction): Way => {
    const script = scripts[direction];
    const length = script.chunks.join("").length;
    return {
      direction,
      script,
      mode: config.modes[direction],
      trailers: config.modes[direction] === "FULL_DUPLEX_STREAMED" ? "SEND" : config.trailers[direction],
      headersSent: false,
      headersAnswered: false,
      contentLength: script.hasContentLength ? length : undefined,
      next: 0,
      endSent: false,
      trailersSent: false,
      trailersAnswered: false,
      unanswered: [],
      ended: false,
      delivered: "",
      skips: false,
    };
  };
  const ways = { request: way("request"), response: way("response") };
  let immediate: string | undefined;

  const isEmpty = ({ script }: Way): boolean => script.chunks.join("") === "" && !script.hasTrailers;

  function override(mode: ModeOverride): void {
    const isFixed = Object.values(config.modes).includes("FULL_DUPLEX_STREAMED");
    if (!config.allowsOverride || isFixed) return;
    ways.request.mode = mode.requestBodyMode;
    ways.response.mode = mode.responseBodyMode;
    ways.request.trailers = mode.requestTrailers;
    ways.response.trailers = mode.responseTrailers;
    if (mode.responseHeaders === "SKIP") ways.response.skips = true;
  }

  function sendBody(one: Way): Part | undefined {
    const { direction, script, mode } = one;
    const rest = script.chunks.slice(one.next).join("");
    if (mode === "BUFFERED" || mode === "BUFFERED_PARTIAL") {
      if (rest === "" && script.hasTrailers) return undefined;
      const isCut = mode === "BUFFERED_PARTIAL" && script.chunks.length > 1;
      const text = isCut ? (script.chunks[0] ?? "") : rest;
      one.next = isCut ? 1 : script.chunks.length;
      one.unanswered.push(text);
      one.endSent = true;
      return body(direction, text, !isCut && !script.hasTrailers);
    }
    const text = script.chunks[one.next] ?? "";
    one.next += 1;
    const isLast = one.next >= script.chunks.length && !script.hasTrailers;
    const endOfStream = isLast && (!script.endsApart || one.next > script.chunks.length);
    if (endOfStream) one.endSent = true;
    if (mode === "STREAMED") one.unanswered.push(text);
    return body(direction, text, endOfStream);
  }

  function send(one: Way): Part | undefined {
    const { direction, script, mode } = one;
    if (one.skips || (direction === "response" && !ways.request.headersAnswered)) return undefined;
    if (!one.headersSent) {
      one.headersSent = true;
      const length = { "content-length": String(one.contentLength) };
      return headers(direction, one.contentLength === undefined ? {} : length, isEmpty(one));
    }
    if (isEmpty(one) || (!one.headersAnswered && mode !== "FULL_DUPLEX_STREAMED")) return undefined;
    if (mode === "NONE" && !one.endSent) {
      one.delivered += script.chunks.slice(one.next).join("");
      one.endSent = true;
    }
    const isStreamed = mode === "STREAMED" || mode === "FULL_DUPLEX_STREAMED";
    const isOver = script.hasTrailers && isStreamed ? one.next >= script.chunks.length : one.endSent;
    if (!isOver) {
      const part = sendBody(one);
      if (part !== undefined) return part;
    }
    if (!script.hasTrailers || one.trailersSent || one.trailers === "SKIP") return undefined;
    if (mode.startsWith("BUFFERED") && one.unanswered.length > 0) return undefined;
    one.trailersSent = true;
    return trailers(direction);
  }

  function changeLength(one: Way, answer: Extract<Answer, { kind: "headers" | "body" }>): void {
    if (answer.mutation?.remove.includes("content-length")) one.contentLength = undefined;
    for (const { name, value } of answer.mutation?.set ?? []) {
      if (name === "content-length") one.contentLength = Number(value);
    }
  }

  function takeBody(one: Way, answer: Extract<Answer, { kind: "body" }>): void {
    const { change } = answer;
    if (!one.headersAnswered) throw new Error("body before headers");
    if (one.mode === "FULL_DUPLEX_STREAMED") {
      if (change?.kind !== "streamed") throw new Error("no streamed answer");
      if (one.ended) throw new Error("more after the end");
      if (change.bytes.length > 65_536) throw new Error("too much at once");
      if (change.endOfStream && !one.endSent) throw new Error("an end that is none");
      one.ended = change.endOfStream;
      one.delivered += Buffer.from(change.bytes).toString("latin1");
      return;
    }
    const asked = one.unanswered.shift();
    if (asked === undefined) throw new Error("spurious body");
    if (change?.kind === "streamed") throw new Error("a change that would be lost");
    const text =
      change === undefined
        ? asked
        : change.kind === "clear"
          ? ""
          : Buffer.from(change.bytes).toString("latin1");
    if (one.mode === "BUFFERED") {
      changeLength(one, answer);
      const isWrong = one.contentLength !== undefined && one.contentLength !== text.length;
      if (isWrong && change !== undefined) throw new Error("wrong content-length");
    }
    one.delivered += text;
    // The rest of it is seen by nobody.
    if (one.mode === "BUFFERED_PARTIAL") one.delivered += one.script.chunks.slice(one.next).join("");
  }

  return {
    send: (direction) => (immediate === undefined ? send(ways[direction]) : undefined),
    take(answer) {
      if (immediate !== undefined) throw new Error("an answer after the last");
      if (answer.kind === "immediate") {
        immediate = answer.details;
        return;
      }
      const one = ways[answer.direction];
      if (answer.kind === "headers") {
        if (!one.headersSent || one.headersAnswered) throw new Error("spurious headers");
        one.headersAnswered = true;
        changeLength(one, answer);
        if (answer.modeOverride !== undefined) override(answer.modeOverride);
      } else if (answer.kind === "body") takeBody(one, answer);
      else {
        if (!one.trailersSent || one.trailersAnswered || one.ended) throw new Error("spurious trailers");
        one.trailersAnswered = true;
      }
    },
    immediate: () => immediate,
    delivered: (direction) => ways[direction].delivered,
    isComplete: (direction) => {
      const one = ways[direction];
      if (!one.headersSent) return one.skips;
      if (!one.headersAnswered || one.unanswered.length > 0) return false;
      if (one.trailersSent !== one.trailersAnswered) return false;
      if (one.mode !== "FULL_DUPLEX_STREAMED" || isEmpty(one)) return true;
      return one.script.hasTrailers ? one.trailersAnswered : one.ended;
    },
  };
}

export interface EnvoySide {
  /** The next part of this direction; undefined: none now. */
  send(direction: Direction): Part | undefined;
  /** Throws where the answer would end the stream. */
  take(answer: Answer): void;
  immediate(): string | undefined;
  /** What of the body went on, seen or not. */
  delivered(direction: Direction): string;
  /** Everything that was sent was answered. */
  isComplete(direction: Direction): boolean;
}
