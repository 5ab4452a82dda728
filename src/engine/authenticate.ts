import { type Attributes, type JsonObject, member, type RequestAuth } from "../attributes/index.js";
import {
  type AuthnOutcome,
  type AuthnRecord,
  principalOf,
  type RequestChanges,
  withWords,
} from "../authn/index.js";
import { jwtFilter } from "../rbac/index.js";
import { deny, fail, type Outcome } from "./decision.js";
import { type Edits, type HeaderEdit, invalidEdit, noEdits } from "./edits.js";
import type { Chain, MeshSettings } from "./snapshot.js";

/** What stage 3 makes of a request. */
export type Identified =
  | {
      readonly refused: undefined;
      /** With the caller's identity, and as authentication left the request. */
      readonly attributes: Attributes;
      /** Final values: nothing has to be worked out from the request any more. */
      readonly edits: Edits;
      readonly record: AuthnRecord | undefined;
    }
  | { readonly refused: Outcome; readonly record: AuthnRecord | undefined };

/** Stage 3. Gives a promise only when a credential cannot be judged at once. */
export function authenticate(
  { authn }: Chain,
  mesh: MeshSettings,
  attributes: Attributes,
  wallClock: () => number,
): Identified | Promise<Identified> {
  const { request } = attributes;
  const trusted = envoyIdentity(mesh, attributes);
  if (request === undefined || authn === undefined) return withoutRules(attributes, trusted);
  const outcome = authn(request, wallClock(), trusted !== undefined);
  return outcome instanceof Promise
    ? outcome.then((settled) => identified(attributes, settled, trusted))
    : identified(attributes, outcome, trusted);
}

/** Who calls, and how that is known. */
interface KnownCaller {
  readonly auth: RequestAuth;
  readonly record: AuthnRecord;
}

/** The payload that Envoy's own jwt_authn filter verified, where the Mesh says to take it. */
function envoyIdentity(mesh: MeshSettings, { metadata }: Attributes): KnownCaller | undefined {
  if (mesh.envoyJwtPayloadKey === undefined) return undefined;
  const payload = member(metadata(jwtFilter), mesh.envoyJwtPayloadKey);
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return undefined;
  const claims = withWords(payload as JsonObject);
  return {
    auth: { payload: claims },
    record: { method: "envoy_jwt", issuer: "", principal: principalOf(claims), refused: [] },
  };
}

function withoutRules(attributes: Attributes, trusted: KnownCaller | undefined): Identified {
  if (trusted === undefined) return { refused: undefined, attributes, edits: noEdits, record: undefined };
  const { auth, record } = trusted;
  return { refused: undefined, attributes: { ...attributes, auth }, edits: noEdits, record };
}

/** What Envoy verified goes before what a rule of ours found. */
function identified(
  attributes: Attributes,
  outcome: AuthnOutcome,
  trusted: KnownCaller | undefined,
): Identified {
  const { refusal } = outcome;
  if (refusal !== undefined) {
    const { reason, code, httpStatus, body, challenge } = refusal;
    const wanted =
      challenge === undefined ? noEdits : { ...noEdits, responseHeaders: [challengeOf(challenge)] };
    // A challenge names the request's own URI: where that cannot stand in a header, the refusal goes without.
    const edits = invalidEdit(wanted) === undefined ? wanted : noEdits;
    return { refused: { ...deny("authn", reason), code, httpStatus, body, edits }, record: outcome.record };
  }
  const { request, changes } = outcome;
  if (changes === undefined && outcome.record === undefined) return withoutRules(attributes, trusted);
  const edits = changes === undefined ? noEdits : editsOf(changes);
  const record = trusted === undefined ? outcome.record : merge(trusted.record, outcome.record);
  if (edits === undefined) return { refused: fail("bad_edit"), record };
  const auth = trusted?.auth ?? outcome.auth;
  return { refused: undefined, attributes: { ...attributes, request, auth }, edits, record };
}

function merge(trusted: AuthnRecord, other: AuthnRecord | undefined): AuthnRecord {
  return other === undefined || other.refused.length === 0 ? trusted : { ...trusted, refused: other.refused };
}

/** RFC 9110 section 11.6.1. */
function challengeOf(value: string): HeaderEdit {
  return { name: "www-authenticate", value, action: "OVERWRITE_IF_EXISTS_OR_ADD" };
}

/** Of changes that last. */
const known = new WeakMap<RequestChanges, Edits | "invalid">();

/** What authentication wants changed, as edits; undefined when it may not be sent. */
function editsOf(changes: RequestChanges): Edits | undefined {
  if (!changes.isLasting) return validEdits(changes);
  let edits = known.get(changes);
  if (edits === undefined) {
    edits = validEdits(changes) ?? "invalid";
    known.set(changes, edits);
  }
  return edits === "invalid" ? undefined : edits;
}

function validEdits(changes: RequestChanges): Edits | undefined {
  const edits = toEdits(changes);
  return invalidEdit(edits) === undefined ? edits : undefined;
}

/** Several lines of a header go out as one: what Envoy 1.40 sets is one value. */
function toEdits({ headersToSet, headersToRemove, paramsToRemove, isLasting }: RequestChanges): Edits {
  const lines = new Map<string, string>();
  for (const [name, value] of headersToSet) {
    const before = lines.get(name);
    lines.set(name, before === undefined ? value : `${before},${value}`);
  }
  return {
    ...noEdits,
    requestHeaders: [...lines].map(([name, value]) => ({
      name,
      value,
      action: "OVERWRITE_IF_EXISTS_OR_ADD",
    })),
    requestHeadersToRemove: headersToRemove,
    queryParametersToRemove: paramsToRemove,
    ...(isLasting && { isLasting }),
  };
}
