import { toBytes } from "../attributes/index.js";
import {
  type ExactNumber,
  isArray,
  isNumber,
  isObject,
  isSet,
  jsonText,
  numberText,
  type RegoObject,
  type Value,
} from "../builtins/index.js";
import { type Edits, grpcCode, type HeaderEdit, noEdits, type Verdict } from "../engine/index.js";

/** A decision that OPA-Envoy would answer with a gRPC error. The message is for logs and for the policy's author. */
export class DecisionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DecisionError";
  }
}

/** A plain `true`. */
export const plainlyAllowed: Verdict = {
  allowed: true,
  httpStatus: 200,
  code: grpcCode.ok,
  body: "",
  edits: noEdits,
  metadata: undefined,
  failedOpen: false,
  failed: false,
  mayRewrite: true,
};

/** A plain `false`: 403 without a body. */
export const plainlyDenied: Verdict = {
  ...plainlyAllowed,
  allowed: false,
  httpStatus: 403,
  code: grpcCode.permissionDenied,
};

/**
 * What a policy's decision document asks for, read as OPA-Envoy reads it (envoyauth/response.go): a boolean, or an
 * object with `allowed`. Fields are looked at in its order, those of the other outcome not at all. Throws a
 * {@link DecisionError} for what it would not answer.
 */
export function readDecision(decision: Value): Verdict {
  if (typeof decision === "boolean") return decision ? plainlyAllowed : plainlyDenied;
  if (!isObject(decision)) throw new DecisionError("the decision is neither a boolean nor an object");
  const allowed = decision.get("allowed");
  if (typeof allowed !== "boolean") throw new DecisionError("`allowed` of the decision is no boolean");
  const headers = readHeaders(decision, "headers");
  const metadata = readMetadata(decision);
  if (!allowed) {
    const body = readBody(decision);
    const httpStatus = readStatus(decision);
    const responseHeaders = headers.map(([name, value]) => edit(name, value, "APPEND_IF_EXISTS_OR_ADD"));
    return { ...plainlyDenied, httpStatus, body, metadata, edits: someOf({ ...noEdits, responseHeaders }) };
  }
  const requestHeadersToRemove = readNames(decision, "request_headers_to_remove");
  const responseHeaders = readHeaders(decision, "response_headers_to_add").map(([name, value]) =>
    edit(name, value, "APPEND_IF_EXISTS_OR_ADD"),
  );
  const queryParametersToRemove = readNames(decision, "query_parameters_to_remove").map(toBytes);
  const queryParametersToSet = readQuery(decision);
  const requestHeaders = headers.map(([name, value]) => edit(name, value, "OVERWRITE_IF_EXISTS_OR_ADD"));
  const edits = someOf({
    requestHeaders,
    // What is set and removed is removed in the end: Envoy removes last, and OPA-Envoy leaves it to that.
    requestHeadersToRemove,
    responseHeaders,
    queryParametersToSet,
    queryParametersToRemove,
  });
  return { ...plainlyAllowed, metadata, edits };
}

/** The one object for no edits, where there are none: what is made of it is remembered. */
function someOf(edits: Edits): Edits {
  return Object.values(edits).some((list) => (list as readonly unknown[]).length > 0) ? edits : noEdits;
}

function edit(name: string, value: string, action: HeaderEdit["action"]): HeaderEdit {
  return { name, value: toBytes(value), action };
}

type Line = readonly [name: string, value: string];

function readHeaders(decision: RegoObject, field: string): Line[] {
  const value = decision.get(field);
  if (value === undefined) return [];
  if (isObject(value)) return linesOf(value, field);
  if (!isArray(value) && !isSet(value)) throw wrong(field, "an object, or a list of objects");
  return [...value].flatMap((item) => {
    if (!isObject(item)) throw wrong(field, "a list of objects");
    return linesOf(item, field);
  });
}

function linesOf(object: RegoObject, field: string): Line[] {
  return [...object].flatMap(([key, value]) => {
    const name = typeof key === "string" ? key : jsonText(key);
    return stringsOf(value, field).map((text): Line => [name, text]);
  });
}

function stringsOf(value: Value, field: string): readonly string[] {
  if (typeof value === "string") return [value];
  if (!isArray(value) && !isSet(value)) throw wrong(field, "texts, or lists of texts");
  return [...value].map((item) => {
    if (typeof item !== "string") throw wrong(field, "lists of texts");
    return item;
  });
}

function readNames(decision: RegoObject, field: string): readonly string[] {
  const value = decision.get(field);
  if (value === undefined) return [];
  if (typeof value === "string") throw wrong(field, "a list of texts");
  return stringsOf(value, field);
}

function readQuery(decision: RegoObject): Line[] {
  const value = decision.get("query_parameters_to_set");
  if (value === undefined) return [];
  if (!isObject(value)) throw wrong("query_parameters_to_set", "an object");
  return linesOf(value, "query_parameters_to_set").map(
    ([name, text]): Line => [toBytes(name), toBytes(text)],
  );
}

function readBody(decision: RegoObject): string {
  const body = decision.get("body");
  if (body === undefined) return "";
  if (typeof body !== "string") throw wrong("body", "a text");
  return body;
}

/** Statuses that both Go's http.StatusText and Envoy's StatusCode know. */
const statuses: ReadonlySet<number> = new Set([
  ...[100, 226, 307, 308, 426, 428, 429, 431, 510, 511],
  ...range(200, 208),
  ...range(300, 305),
  ...range(400, 417),
  ...range(421, 424),
  ...range(500, 508),
]);

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function readStatus(decision: RegoObject): number {
  const status = decision.get("http_status");
  if (status === undefined) return 403;
  if (!isNumber(status)) throw wrong("http_status", "a number");
  // Go reads the number's text: `403.0` is no integer.
  const text = numberText(status);
  if (!/^-?\d{1,9}$/.test(text)) throw wrong("http_status", "an integer");
  if (!statuses.has(Number(text))) throw new DecisionError("`http_status` is no status that can be sent");
  return Number(text);
}

function readMetadata(decision: RegoObject): Verdict["metadata"] {
  const value = decision.get("dynamic_metadata");
  if (value === undefined) return undefined;
  if (!isObject(value)) throw wrong("dynamic_metadata", "an object");
  return plainObject(value);
}

type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain };

function plainObject(object: RegoObject): { readonly [name: string]: Plain } {
  return Object.fromEntries(
    [...object].map(([key, value]) => [typeof key === "string" ? key : jsonText(key), plain(value)]),
  );
}

function plain(value: Value): Plain {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (isNumber(value)) return double(value);
  if (isObject(value)) return plainObject(value);
  return [...value].map(plain);
}

function double(value: number | ExactNumber): number {
  const number = Number(numberText(value));
  if (!Number.isFinite(number)) throw new DecisionError("`dynamic_metadata` has a number that is too large");
  return number;
}

function wrong(field: string, expected: string): DecisionError {
  return new DecisionError(`\`${field}\` of the decision has another type, expected ${expected}`);
}
