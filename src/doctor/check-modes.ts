import { codes } from "../diagnostics/index.js";
import { checkAllowed } from "./check-overrides.js";
import type { PolicyFacts } from "./facts.js";
import { type Mode, modesOf } from "./modes.js";
import { type Tell, tellOf } from "./tell.js";
import { at, isOn, type Tree } from "./tree.js";

const EARLY = "send_body_without_waiting_for_header_response";

/** `processing_mode` of a filter, and whether and how it can be overridden by answers. */
export function checkModes(config: Tree, name: string, facts: PolicyFacts | undefined, tell: Tell): void {
  const modes = modesOf(at(config, "processing_mode"));
  const early = isOn(config, EARLY);
  const duplex = duplexOf(modes);
  const canOverride = isOn(config, "allow_mode_override") && !early && duplex === undefined;
  checkMode({ config, modes, name: `\`${name}\``, canOverride, facts }, tell);
  if (facts?.hasBodyPolicies === false) return;
  if (early) {
    const message = `\`${name}\` sends bodies unasked, expected no \`${EARLY}\``;
    tellOf(tell, codes.doctorOverrideIgnored, config, EARLY, message);
  } else if (duplex !== undefined && !sendsAll(modes)) {
    const field = `processing_mode.${duplex.direction}_body_mode`;
    const message = `\`${field}\` of \`${name}\` makes Envoy ignore every override, expected NONE`;
    tellOf(tell, codes.doctorOverrideIgnored, config, field, message);
  } else if (!isOn(config, "allow_mode_override") && !sendsAll(modes)) {
    const message = `\`${name}\` never sends what body policies read, expected \`allow_mode_override: true\``;
    tellOf(tell, codes.doctorOverrideForbidden, config, "allow_mode_override", message);
  }
  if (canOverride) checkAllowed(config, name, tell);
}

/** `processing_mode` of a route. `inherited` is the filter's own configuration. */
export function checkRouteModes(
  overrides: Tree,
  inherited: Tree,
  where: string,
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const mode = at(overrides, "processing_mode");
  if (mode === undefined) return;
  const modes = modesOf(mode);
  const ofFilter = modesOf(at(inherited, "processing_mode"));
  const isAllowed = isOn(inherited, "allow_mode_override");
  const isHeeded = duplexOf(ofFilter) === undefined && !isOn(inherited, EARLY);
  const duplex = duplexOf(modes);
  checkMode(
    {
      config: overrides,
      modes,
      name: where,
      canOverride: isAllowed && isHeeded && duplex === undefined,
      facts,
    },
    tell,
  );
  // What is wrong with the filter itself is told there.
  if (facts?.hasBodyPolicies === false || sendsAll(modes) || !isHeeded) return;
  if (duplex !== undefined) {
    const field = `processing_mode.${duplex.direction}_body_mode`;
    const message = `\`${field}\` of ${where} leaves no room for overrides, expected NONE`;
    tellOf(tell, codes.doctorOverrideIgnored, overrides, field, message);
  } else if (!isAllowed && sendsAll(ofFilter)) {
    const message = `${where} never sends what body policies read, expected the modes of the filter`;
    tell(codes.doctorOverrideForbidden, mode.path, message);
  }
}

function duplexOf(modes: readonly Mode[]): Mode | undefined {
  return modes.find(({ body }) => body === "FULL_DUPLEX_STREAMED");
}

/** Nothing has to be asked for. */
function sendsAll(modes: readonly Mode[]): boolean {
  return modes.every(({ headers, body }) => headers && body !== "NONE");
}

interface Checked {
  readonly config: Tree;
  readonly modes: readonly Mode[];
  /** As messages begin. */
  readonly name: string;
  readonly canOverride: boolean;
  readonly facts: PolicyFacts | undefined;
}

function checkMode({ config, modes, name, canOverride, facts }: Checked, tell: Tell): void {
  const isRead = facts?.hasBodyPolicies !== false;
  for (const { direction, headers, body, trailers } of modes) {
    const field = `processing_mode.${direction}_body_mode`;
    // Gatehouse is not told of header modes: it asks for the response's headers only when it asks for a body, too.
    if (!headers && (direction === "request" || isRead)) {
      const message = `${name} does not send the ${direction}'s headers, expected SEND`;
      tellOf(tell, codes.doctorHeadersSkipped, config, `processing_mode.${direction}_header_mode`, message);
    }
    if (body === "FULL_DUPLEX_STREAMED" && !trailers) {
      const message = `${name} does not send the ${direction}'s trailers, expected \`${direction}_trailer_mode: SEND\` beside FULL_DUPLEX_STREAMED`;
      tellOf(tell, codes.doctorTrailersNotSent, config, field, message);
    }
    if (!isRead) continue;
    if (body === "BUFFERED_PARTIAL") {
      const message = `${name} lets the rest of a long ${direction} pass unseen, expected NONE or BUFFERED`;
      tellOf(tell, codes.doctorPartialBuffer, config, field, message);
    }
    if (body === "STREAMED" && !canOverride) {
      const message = `${name} streams the ${direction} in chunks that cannot be held, expected NONE and \`allow_mode_override: true\``;
      tellOf(tell, codes.doctorStreamedBody, config, field, message);
    }
    if (body === "GRPC") {
      const message = `${name} sends no ${direction} but those of gRPC, and not all of them, expected NONE`;
      tellOf(tell, codes.doctorGrpcBody, config, field, message);
    }
  }
}
