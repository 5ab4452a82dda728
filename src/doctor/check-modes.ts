import { codes } from "../diagnostics/index.js";
import type { PolicyFacts } from "./facts.js";
import { type Tell, tellOf } from "./tell.js";
import { at, isOn, items, named, placeOf, type Tree } from "./tree.js";

const bodyModes = [
  "NONE",
  "STREAMED",
  "BUFFERED",
  "BUFFERED_PARTIAL",
  "FULL_DUPLEX_STREAMED",
  "GRPC",
] as const;
const sendModes = ["DEFAULT", "SEND", "SKIP"] as const;

/** How one direction is sent. */
interface Mode {
  readonly direction: "request" | "response";
  readonly headers: boolean;
  readonly body: (typeof bodyModes)[number];
  readonly trailers: boolean;
}

/** `processing_mode` of a filter, and whether and how it can be overridden by answers. */
export function checkModes(config: Tree, name: string, facts: PolicyFacts | undefined, tell: Tell): void {
  const modes = modesOf(at(config, "processing_mode"));
  const early = isOn(config, "send_body_without_waiting_for_header_response");
  const duplex = modes.find(({ body }) => body === "FULL_DUPLEX_STREAMED");
  const canOverride = isOn(config, "allow_mode_override") && !early && duplex === undefined;
  checkMode(config, modes, `\`${name}\``, canOverride, tell);
  if (facts?.hasBodyPolicies === false) return;
  const sendsAll = modes.every(({ headers, body }) => headers && body !== "NONE");
  if (early) {
    const field = "send_body_without_waiting_for_header_response";
    tellOf(
      tell,
      codes.doctorOverrideIgnored,
      config,
      field,
      `\`${name}\` sends bodies unasked, expected no \`${field}\``,
    );
  } else if (duplex !== undefined && !sendsAll) {
    const field = `processing_mode.${duplex.direction}_body_mode`;
    const message = `\`${field}\` of \`${name}\` makes Envoy ignore every override, expected NONE`;
    tellOf(tell, codes.doctorOverrideIgnored, config, field, message);
  } else if (!isOn(config, "allow_mode_override") && !sendsAll) {
    const message = `\`${name}\` never sends what body policies read, expected \`allow_mode_override: true\``;
    tellOf(tell, codes.doctorOverrideForbidden, config, "allow_mode_override", message);
  }
  if (canOverride) checkAllowed(config, name, tell);
}

/** `processing_mode` of a route. `inherited` is the filter's own configuration. */
export function checkRouteModes(overrides: Tree, inherited: Tree, where: string, tell: Tell): void {
  const mode = at(overrides, "processing_mode");
  if (mode === undefined) return;
  const early = isOn(inherited, "send_body_without_waiting_for_header_response");
  checkMode(overrides, modesOf(mode), where, isOn(inherited, "allow_mode_override") && !early, tell);
}

function checkMode(
  config: Tree,
  modes: readonly Mode[],
  name: string,
  canOverride: boolean,
  tell: Tell,
): void {
  for (const { direction, headers, body, trailers } of modes) {
    const field = `processing_mode.${direction}_body_mode`;
    if (!headers && (direction === "request" || !canOverride)) {
      const message = `${name} does not send the ${direction}'s headers, expected SEND`;
      tellOf(tell, codes.doctorHeadersSkipped, config, `processing_mode.${direction}_header_mode`, message);
    }
    if (body === "BUFFERED_PARTIAL") {
      const message = `${name} lets the rest of a long ${direction} pass unseen, expected NONE or BUFFERED`;
      tellOf(tell, codes.doctorPartialBuffer, config, field, message);
    }
    if (body === "STREAMED" && !canOverride) {
      const message = `${name} streams the ${direction} in chunks that cannot be held, expected NONE and \`allow_mode_override: true\``;
      tellOf(tell, codes.doctorStreamedBody, config, field, message);
    }
    if (body === "FULL_DUPLEX_STREAMED" && !trailers) {
      const message = `${name} does not send the ${direction}'s trailers, expected \`${direction}_trailer_mode: SEND\` beside FULL_DUPLEX_STREAMED`;
      tellOf(tell, codes.doctorTrailersNotSent, config, field, message);
    }
  }
}

/** What Gatehouse asks for: each direction not at all, whole, or in full duplex with its trailers. */
const asked = ["NONE", "BUFFERED", "FULL_DUPLEX_STREAMED"] as const;

function checkAllowed(config: Tree, name: string, tell: Tell): void {
  const list = items(config, "allowed_override_modes");
  if (list.length === 0) return;
  const allowed = new Set(list.map((mode) => modesOf(mode).map(keyOf).join(" ")));
  const lacking = asked.flatMap((request) =>
    asked.flatMap((response) => {
      const wanted = [keyOf(wantedMode("request", request)), keyOf(wantedMode("response", response))].join(
        " ",
      );
      return allowed.has(wanted) ? [] : [`${request}/${response}`];
    }),
  );
  if (lacking.length === 0) return;
  const message = `\`allowed_override_modes\` of \`${name}\` lacks ${lacking.slice(0, 3).join(", ")} (request/response), expected no such list`;
  tell(codes.doctorOverrideLacks, placeOf(config, "allowed_override_modes"), message);
}

function wantedMode(direction: Mode["direction"], body: (typeof asked)[number]): Mode {
  return { direction, headers: true, body, trailers: body !== "NONE" };
}

/** `request_header_mode` is not compared by Envoy. */
function keyOf({ direction, headers, body, trailers }: Mode): string {
  return `${direction === "request" || headers} ${body} ${trailers}`;
}

function modesOf(mode: Tree | undefined): readonly Mode[] {
  return (["request", "response"] as const).map((direction) => ({
    direction,
    headers: named(sendModes, mode, `${direction}_header_mode`) !== "SKIP",
    body: named(bodyModes, mode, `${direction}_body_mode`),
    trailers: named(sendModes, mode, `${direction}_trailer_mode`) === "SEND",
  }));
}
