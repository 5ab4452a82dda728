import { Buffer } from "node:buffer";
import type { Attributes, JsonObject } from "../../attributes/index.js";
import type { BodyRefusal } from "../../body/index.js";
import { type Decision, type HeaderEdit, noEdits } from "../../engine/index.js";
import type { Immediate } from "./exchange.js";
import type { HeaderLines, HeaderMutation, HeaderPut } from "./message.js";

/** `%RESPONSE_CODE_DETAILS%` of what we refuse, as ext_authz has `ext_authz_denied`. */
export const deniedDetails = "gatehouse_denied";

const noLines: HeaderLines = new Map();

/** A refusal as Envoy sends it: status, headers and body are those that ext_authz would have sent. */
export function toImmediate(decision: Decision, metadata: JsonObject | undefined): Immediate {
  return {
    kind: "immediate",
    httpStatus: statusOf(decision.httpStatus),
    headers: putsOf(responseEditsOf(decision), noLines),
    body: Buffer.from(decision.body),
    grpcStatus: decision.code,
    details: deniedDetails,
    metadata,
  };
}

/** A refusal by a rule over bodies; `edits`: of the decision that let the request go on. */
export function toBodyImmediate(
  refusal: BodyRefusal,
  edits: readonly HeaderEdit[],
  metadata: JsonObject | undefined,
): Immediate {
  const { headers = [] } = refusal;
  const isTyped = headers.some(({ name }) => lower(name) === "content-type");
  const contentType: readonly HeaderPut[] =
    isTyped || refusal.body === "" || refusal.contentType === ""
      ? []
      : [{ name: "content-type", value: refusal.contentType, action: "OVERWRITE_IF_EXISTS_OR_ADD" }];
  return {
    kind: "immediate",
    httpStatus: statusOf(refusal.httpStatus),
    headers: [...putsOf([...edits, ...headers], noLines), ...contentType],
    body: Buffer.from(refusal.body),
    grpcStatus: refusal.code,
    details: deniedDetails,
    metadata,
  };
}

/** What a decision puts into the answer to the caller, whoever answers. */
export function responseEditsOf({ edits, quota }: Decision): readonly HeaderEdit[] {
  if (quota.headers.length === 0) return edits.responseHeaders;
  const told = quota.headers.map(([name, value]) => ({
    name: name.toLowerCase(),
    value: Buffer.from(value).toString("latin1"),
    action: "OVERWRITE_IF_EXISTS_OR_ADD" as const,
  }));
  return [...edits.responseHeaders, ...told];
}

/** Headers to put into a message that has `lines`. */
export function responseMutation(
  edits: readonly HeaderEdit[],
  lines: HeaderLines,
): HeaderMutation | undefined {
  const set = putsOf(edits, lines);
  return set.length === 0 ? undefined : { remove: [], set };
}

/**
 * What a decision changes of the request. `before`: as it came; `after`: as the stages left it, where the query has been
 * edited: ext_proc changes paths only.
 */
export function requestMutation(
  { edits }: Decision,
  before: HeaderLines,
  after: Attributes | undefined,
): HeaderMutation | undefined {
  if (edits === noEdits) return undefined;
  const remove = edits.requestHeadersToRemove
    .map(lower)
    .filter((name) => name !== "host" && isChangeable(name));
  // ext_authz puts before it removes, ext_proc after.
  const gone = new Set(remove);
  const set = putsOf(edits.requestHeaders, before).filter(
    ({ name }) => !gone.has(name) && name !== ":path" && (name.startsWith(":") || isChangeable(name)),
  );
  const path = after?.request?.path;
  if (path !== undefined && path !== (before.get(":path")?.[0] ?? "")) {
    set.push({ name: ":path", value: path, action: "OVERWRITE_IF_EXISTS_OR_ADD" });
  }
  return remove.length === 0 && set.length === 0 ? undefined : { remove, set };
}

/** Pseudo-headers cannot be removed; how long a message is says nobody but Envoy. */
function isChangeable(name: string): boolean {
  return !name.startsWith(":") && name !== "content-length" && name !== "transfer-encoding";
}

/** Envoy 1.40 takes no heed of `append_action` here (measured), so who depends on what is there is settled by us. */
function putsOf(edits: readonly HeaderEdit[], lines: HeaderLines): HeaderPut[] {
  const puts: HeaderPut[] = [];
  for (const { name, value, action } of edits) {
    const key = lower(name);
    const isThere = lines.has(key) || puts.some((put) => put.name === key);
    if (action === "ADD_IF_ABSENT" ? isThere : action === "OVERWRITE_IF_EXISTS" && !isThere) continue;
    const isAppended = action === "APPEND_IF_EXISTS_OR_ADD";
    puts.push({ name: key, value, action: isAppended ? action : "OVERWRITE_IF_EXISTS_OR_ADD" });
  }
  return puts;
}

function lower(name: string): string {
  return name.toLowerCase();
}

/** Envoy takes what is no status of a final answer for 200 (measured). */
function statusOf(status: number): number {
  return Number.isInteger(status) && status >= 200 && status <= 599 ? status : 403;
}
