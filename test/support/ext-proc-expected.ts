import { Buffer } from "node:buffer";
import { type Cell, digestOf, piecesOf, suffixOf, upperCased } from "./ext-proc-cells.js";
import type { Got } from "./ext-proc-clients.js";
import { needOf } from "./ext-proc-exchange.js";
import type { Seen } from "./ext-proc-upstreams.js";

/** What can be seen of a cell from outside, in words. */
export type Outcome = Readonly<Record<"client" | "clientHeaders" | "upstream" | "upstreamHeaders", string>>;

/** The same as it should be; any of several words will do. */
export type Expected = Readonly<Record<keyof Outcome, string | readonly string[]>>;

/** What happens to a cell's body. */
type Fate =
  /** It goes on, changed or not; also into an answer that is refused afterwards. */
  | { readonly kind: "goes"; readonly isChanged: boolean }
  | { readonly kind: "refused"; readonly status: number; readonly grpcStatus: number; readonly by: string }
  /** Nobody sent it to us, which shows when the response comes: the request is through by then. */
  | { readonly kind: "unseen" }
  /** Part of it was gone already. */
  | { readonly kind: "broken" };

const headersAsTheyWere = "given=own remove=me";
const headersChanged = "given=replaced added=by us";

/** What the client and the upstream may see of a cell: by the protocol, and by what was measured of Envoy 1.40. */
export function expectedOf(cell: Cell): readonly Expected[] {
  return fatesOf(cell).map((fate) => expectedWith(fate, cell));
}

function expectedWith(fate: Fate, cell: Cell): Expected {
  const { direction, action, protocol } = cell;
  const body = bodyOf(cell);
  if (fate.kind === "broken") {
    return {
      client: "reset",
      clientHeaders: "",
      upstream: refusedUpstream(direction),
      upstreamHeaders: anyHeaders,
    };
  }
  if (fate.kind === "refused" || (fate.kind === "unseen" && direction === "request")) {
    const { status, grpcStatus, by } = fate.kind === "refused" ? fate : bodyNotSent(direction);
    const client =
      protocol === "grpc"
        ? `whole 200 "" grpc-status=${grpcStatus}`
        : `whole ${status} ${digestOf(Buffer.from(by))}`;
    const upstream = fate.kind === "refused" ? refusedUpstream(direction) : `whole ${digestOf(body)}`;
    return { client, clientHeaders: "", upstream, upstreamHeaders: anyHeaders };
  }
  const gone = digestOf(fate.kind === "goes" && fate.isChanged ? changed(cell, body) : body);
  const own = protocol === "grpc" ? digestOf(piece(cell)) : '"a"';
  const [sent, answered] = direction === "request" ? [gone, own] : [own, gone];
  const headers = (side: Cell["direction"]): string =>
    action === "headers" && direction === side ? headersChanged : headersAsTheyWere;
  return {
    client: `whole 200 ${answered}${protocol === "grpc" ? " grpc-status=0" : ""}`,
    clientHeaders: headers("response"),
    upstream: `whole ${sent}`,
    upstreamHeaders: headers("request"),
  };
}

const anyHeaders = ["", headersAsTheyWere, headersChanged];

/** Nothing that is refused gets to the upstream as a whole. */
function refusedUpstream(direction: Cell["direction"]): readonly string[] {
  return direction === "request" ? ["nothing", "part"] : ["whole"];
}

type Refused = Extract<Fate, { kind: "refused" }>;

function refused(status: number, grpcStatus: number, by: string): Refused {
  return { kind: "refused", status, grpcStatus, by };
}

const bodyNotSent = (direction: Cell["direction"]): Refused => refused(500, 13, `${direction}_body_not_sent`);

const tooLarge = (direction: Cell["direction"]): Refused =>
  refused(direction === "request" ? 413 : 502, 8, `${direction}_too_large`);

/** Envoy's own answers to what its buffer cannot hold. */
const overflow = (direction: Cell["direction"]): Refused =>
  direction === "request" ? refused(413, 2, "Payload Too Large") : refused(500, 2, "Internal Server Error");

const goes: Fate = { kind: "goes", isChanged: false };
const goesChanged: Fate = { kind: "goes", isChanged: true };

function fatesOf(cell: Cell): readonly Fate[] {
  const { configured, protocol, direction, action, size } = cell;
  const { mode, allowsOverride, bufferLimit } = configured;
  if (action === "deny") return [refused(403, 7, `${direction}_denied`)];
  const hasTrailers = protocol === "grpc" && direction === "response";
  const hasBody = size !== "none";
  // That trailers follow tells that there may be a body.
  const need = hasBody || hasTrailers ? needOf(action) : undefined;
  const length = bodyOf(cell).length;
  if (need === undefined) {
    if (mode !== "BUFFERED" || length <= bufferLimit) return [goes];
    // More may have come than it buffers before it knows of the override.
    return allowsOverride ? [goes, overflow(direction)] : [overflow(direction)];
  }
  // What Envoy does with such a body by itself is to let it pass.
  if (mode === "GRPC") return [bodyNotSent(direction)];
  // A response's headers wait for a piece of its body, so that it does not go on unseen.
  if (mode === "NONE" && !allowsOverride) return direction === "request" ? [{ kind: "unseen" }] : idle;
  const refusal = refused(403, 7, `${direction}_refused`);
  const ending: Fate = action === "refuse" ? refusal : goesChanged;
  const isWhole = need === "whole";
  if (mode === "STREAMED" && isWhole && !allowsOverride) {
    // A body of one piece is whole.
    if (direction === "request") return [ending, tooLarge(direction)];
    return [ending, tooLarge(direction), { kind: "broken" }];
  }
  const isStreamed = mode === "FULL_DUPLEX_STREAMED" || (mode === "NONE" && direction === "response");
  const isBuffered = mode === "BUFFERED" || mode === "BUFFERED_PARTIAL" || (isWhole && !isStreamed);
  if (isBuffered) return bufferedFates(cell, action === "cut" ? refusal : ending);
  if (action === "cut") return [direction === "request" ? refusal : { kind: "broken" }];
  // What a flow kept back cannot be released by an answer to trailers.
  if (mode === "STREAMED" && hasTrailers && hasBody) {
    return [{ kind: "broken" }, refused(500, 13, `${direction}_out_of_order`)];
  }
  return [ending];
}

/** A body in one message. */
function bufferedFates(cell: Cell, ending: Fate): readonly Fate[] {
  const { configured, protocol, direction, size } = cell;
  const { mode, allowsOverride, bufferLimit } = configured;
  // Nobody says whether the override was heeded: it might have been cut.
  const mayBeCut = mode !== "NONE" && mode !== "BUFFERED";
  if (mayBeCut && protocol === "grpc" && direction === "response" && size !== "none") {
    return size === "over" ? [tooLarge(direction), ...idle] : [tooLarge(direction)];
  }
  const body = bodyOf(cell);
  if (body.length > bufferLimit) {
    if (mode === "BUFFERED_PARTIAL" && !allowsOverride) return [ending, tooLarge(direction)];
    if (mode === "BUFFERED") return [overflow(direction)];
    // What came before the override is taken for as much as there may be: nothing more is read.
    return direction === "request" ? [overflow(direction), ...idle] : [ending, overflow(direction), ...idle];
  }
  const isLonger = ending.kind === "goes" && changed(cell, body).length > bufferLimit;
  if (isLonger && mode === "BUFFERED") return [overflow(direction)];
  return isLonger ? [ending, overflow(direction)] : [ending];
}

/** `stream_idle_timeout` ends it. */
const idle: readonly Fate[] = [refused(408, 2, "stream timeout"), refused(504, 14, "stream timeout")];

function bodyOf(cell: Cell): Buffer {
  return Buffer.concat(piecesOf(cell));
}

/** The direction that is not looked at. */
function piece({ protocol }: Cell): Buffer {
  return Buffer.concat(piecesOf({ protocol, size: "one" }));
}

function changed({ protocol }: Cell, body: Buffer): Buffer {
  return body.length === 0 ? body : Buffer.concat([upperCased(body), suffixOf(protocol)]);
}

/** What came of a cell. */
export function outcomeOf({ protocol }: Cell, got: Got, seen: Seen | undefined): Outcome {
  const { end, status, headers, body, trailers } = got;
  const grpcStatus = trailers["grpc-status"] ?? headers["grpc-status"];
  const length = headers["content-length"];
  const isWrong = length !== undefined && Number(length) !== body.length;
  const client = [
    `whole ${status} ${digestOf(body)}`,
    ...(protocol === "grpc" ? [`grpc-status=${String(grpcStatus)}`] : []),
    ...(isWrong ? [`content-length=${length}`] : []),
  ].join(" ");
  return {
    client: end === "whole" ? client : end,
    clientHeaders: end === "whole" && headers["x-given"] !== undefined ? headersOf(headers) : "",
    upstream: seen === undefined ? "nothing" : seen.isComplete ? `whole ${seen.digest}` : "part",
    upstreamHeaders: seen === undefined ? "" : headersOf(seen.headers),
  };
}

function headersOf(headers: Got["headers"]): string {
  const { "x-given": given, "x-remove": remove, "x-added": added } = headers;
  return [
    ["given", given],
    ["remove", remove],
    ["added", added],
  ]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${String(name)}=${String(value)}`)
    .join(" ");
}

/** Undefined: it is as one of these says. */
export function differenceOf(expected: readonly Expected[], outcome: Outcome): string | undefined {
  const differences = expected.map((one) => differenceFrom(one, outcome));
  return differences.includes(undefined) ? undefined : differences.join(" | ");
}

function differenceFrom(expected: Expected, outcome: Outcome): string | undefined {
  const wrong = (Object.keys(expected) as (keyof Outcome)[]).filter((key) => {
    const allowed = expected[key];
    const actual = outcome[key];
    return typeof allowed === "string"
      ? actual !== allowed
      : !allowed.some((one) => actual === one || (one === "whole" && actual.startsWith("whole ")));
  });
  if (wrong.length === 0) return undefined;
  return wrong.map((key) => `${key}: ${outcome[key]}, not ${String(expected[key])}`).join("; ");
}
