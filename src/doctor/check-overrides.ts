import { codes } from "../diagnostics/index.js";
import { type BodyMode, bodyModes, sendModes } from "./modes.js";
import type { Tell } from "./tell.js";
import { at, items, named, placeOf, type Tree } from "./tree.js";

/** What is asked for one direction. */
interface Side {
  readonly body: BodyMode;
  readonly trailers: boolean;
}

/** An override that an answer may ask for. */
interface Override {
  readonly request: Side;
  readonly response: Side & { readonly headers: "SEND" | "SKIP" };
}

/** `allowed_override_modes`: all that Gatehouse asks for where a policy needs it. */
export function checkAllowed(config: Tree, name: string, tell: Tell): void {
  const list = items(config, "allowed_override_modes");
  if (list.length === 0) return;
  const configured = at(config, "processing_mode");
  const allowed = new Set(list.map((mode) => shown(written(mode))));
  const wanted = new Set(overridesFor(configured).map((override) => shown(sent(override, configured))));
  const lacking = [...wanted].filter((mode) => !allowed.has(mode));
  const [first] = lacking;
  if (first === undefined) return;
  const message = `\`allowed_override_modes\` of \`${name}\` lacks ${lacking.length} of ${wanted.size} that policies may need, as \`${first}\`, expected no such list`;
  tell(codes.doctorOverrideLacks, placeOf(config, "allowed_override_modes"), message);
}

/**
 * The overrides without which a body is not sent as it has to be. Others only save messages: of a response that
 * nobody wants to see, and of bodies that are configured and not read.
 */
function overridesFor(configured: Tree | undefined): readonly Override[] {
  const request = named(bodyModes, configured, "request_body_mode");
  const response = named(bodyModes, configured, "response_body_mode");
  const bodies = [askedOf(request, "whole"), askedOf(request, "streamed")];
  const unread: readonly Side[] = [
    { body: "NONE", trailers: false },
    // No body comes.
    { body: request, trailers: false },
  ];
  const early: Override["response"] | undefined =
    response === "NONE" ? { headers: "SEND", body: "FULL_DUPLEX_STREAMED", trailers: true } : undefined;
  const late = (["whole", "streamed"] as const)
    .map((need) => askedOf(response, need))
    .filter(({ body }) => early === undefined && body !== response);
  const heads: readonly Override["response"][] = [
    { headers: "SKIP", body: "NONE", trailers: false },
    { headers: "SEND", body: response, trailers: false },
  ];
  return [
    ...bodies.filter(({ body }) => body !== request).flatMap((one) => heads.map((head) => pair(one, head))),
    ...[...unread, ...bodies].flatMap((one) => (early === undefined ? [] : [pair(one, early)])),
    ...[...unread, ...bodies].flatMap((one) => late.map((side) => pair(one, { headers: "SEND", ...side }))),
  ];
}

function pair(request: Side, response: Override["response"]): Override {
  return { request, response };
}

/** As `src/envoy/ext-proc/modes.ts` asks. */
function askedOf(configured: BodyMode, need: "whole" | "streamed"): Side {
  const body: Readonly<Record<BodyMode, BodyMode>> = {
    NONE: need === "whole" ? "BUFFERED" : "FULL_DUPLEX_STREAMED",
    STREAMED: need === "whole" ? "BUFFERED" : "STREAMED",
    BUFFERED: "BUFFERED",
    BUFFERED_PARTIAL: "BUFFERED",
    FULL_DUPLEX_STREAMED: "FULL_DUPLEX_STREAMED",
    GRPC: "GRPC",
  };
  return { body: body[configured], trailers: true };
}

type Sent = readonly [
  requestBody: string,
  requestTrailers: string,
  responseHeaders: string,
  responseBody: string,
  responseTrailers: string,
];

/** Trailers that are not asked for are not named: Envoy puts in what is configured, as it is written (measured). */
function sent({ request, response }: Override, configured: Tree | undefined): Sent {
  const trailers = ({ trailers: isAsked }: Side, direction: string): string =>
    isAsked ? "SEND" : named(sendModes, configured, `${direction}_trailer_mode`);
  return [
    request.body,
    trailers(request, "request"),
    response.headers,
    response.body,
    trailers(response, "response"),
  ];
}

/** Compared to the letter, DEFAULT too; `request_header_mode` is not (measured). */
function written(mode: Tree): Sent {
  return [
    named(bodyModes, mode, "request_body_mode"),
    named(sendModes, mode, "request_trailer_mode"),
    named(sendModes, mode, "response_header_mode"),
    named(bodyModes, mode, "response_body_mode"),
    named(sendModes, mode, "response_trailer_mode"),
  ];
}

function shown([
  requestBody,
  requestTrailers,
  responseHeaders,
  responseBody,
  responseTrailers,
]: Sent): string {
  const fields = [
    `request_body_mode: ${requestBody}`,
    `request_trailer_mode: ${requestTrailers}`,
    `response_header_mode: ${responseHeaders}`,
    `response_body_mode: ${responseBody}`,
    `response_trailer_mode: ${responseTrailers}`,
  ];
  return `{${fields.filter((field) => !/: (?:NONE|DEFAULT)$/.test(field)).join(", ")}}`;
}
