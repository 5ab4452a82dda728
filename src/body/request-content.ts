import { Buffer, isUtf8 } from "node:buffer";
import type { ByteString, HttpRequest, JsonValue } from "../attributes/index.js";
import { LimitError } from "../builtins/index.js";
import {
  ContentError,
  type Descriptors,
  decodeForm,
  decodeGrpc,
  decodeJson,
  decodeMultipart,
} from "../content/index.js";
import type { BodyReason } from "../engine/index.js";
import { isJsonType } from "./content-types.js";
import { hasDuplicateKeys } from "./json-scan.js";
import type { JsonLimits } from "./policy.js";

/** What a body is read as. `other`: nobody parses it. */
export type ContentKind = "json" | "form" | "multipart" | "grpc" | "other";

/**
 * By the media type. `isJson`: what is none of the others has to be JSON too, since the policy says how that
 * has to be.
 */
export function contentKindOf(type: string, isJson: boolean): ContentKind {
  if (isJsonType(type)) return "json";
  if (type === "application/x-www-form-urlencoded") return "form";
  if (type === "multipart/form-data") return "multipart";
  if (type === "application/grpc" || type.startsWith("application/grpc+")) return "grpc";
  return isJson ? "json" : "other";
}

/** How a body is parsed. */
export interface ContentRules {
  readonly kind: ContentKind;
  readonly json: JsonLimits;
  /** Whether the JSON text of a document has the form that is asked for. */
  readonly hasForm: ((document: string) => boolean) | undefined;
  readonly descriptors: Descriptors | undefined;
}

/** A body as expressions see it, or why it is refused. */
export type Content =
  /** `json`: its text, of kind json only. */
  | { readonly value: JsonValue | undefined; readonly fault?: undefined }
  | { readonly fault: Extract<BodyReason, "body_malformed" | "body_invalid"> };

const malformed: Content = { fault: "body_malformed" };
const invalid: Content = { fault: "body_invalid" };
const unread: Content = { value: undefined };

/** Parses a whole decoded body that is not empty. Never throws. */
export function parseContent(body: Uint8Array, rules: ContentRules, request: HttpRequest): Content {
  try {
    switch (rules.kind) {
      case "json":
        return parseJson(body, rules);
      case "form":
        return { value: JSON.parse(decodeForm(body)) as JsonValue };
      case "multipart":
        return parseMultipart(body, rules, request.headers.get("content-type")?.[0] ?? "");
      case "grpc":
        return parseGrpc(body, rules, request);
      case "other":
        return unread;
    }
  } catch (error) {
    if (error instanceof ContentError && error.code === "too_deep") return invalid;
    if (error instanceof LimitError) return invalid;
    return malformed;
  }
}

function parseJson(body: Uint8Array, { json, hasForm }: ContentRules): Content {
  // Others than ours would read other texts in bytes that are none.
  if (!isUtf8(body)) return malformed;
  const text = decodeJson(body, json.maxDepth);
  // Decoding drops the first of two: a text that stayed as it was has none, which is cheaper to see.
  const isSame = text === bufferOf(body).toString();
  if (json.duplicateKeys === "deny" && !isSame && hasDuplicateKeys(bufferOf(body).toString("latin1")))
    return invalid;
  if (hasForm !== undefined && !hasForm(text)) return invalid;
  return { value: JSON.parse(text) as JsonValue };
}

function bufferOf(body: Uint8Array): Buffer {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function parseMultipart(body: Uint8Array, { json }: ContentRules, contentType: ByteString): Content {
  const text = decodeMultipart(body, Buffer.from(contentType, "latin1").toString(), {
    maxDepth: json.maxDepth,
    // INVARIANT: nothing gets past a rule because the upstream reads it in another way.
    isPlain: true,
  });
  return text === undefined ? malformed : { value: JSON.parse(text) as JsonValue };
}

/** One message and nothing behind it: methods with a stream of them are not known to `Descriptors`. */
function parseGrpc(body: Uint8Array, { descriptors }: ContentRules, { urlPath }: HttpRequest): Content {
  if (descriptors === undefined) return unread;
  const [, service = "", method = "", more] = urlPath.split("/");
  if (more !== undefined) return unread;
  const found = decodeGrpc(body, service, method, descriptors);
  if (found.kind === "truncated") return malformed;
  if (found.kind === "unknown") return unread;
  const length = bufferOf(body).readUInt32BE(1);
  return body.length > 5 + length ? malformed : { value: JSON.parse(found.json) as JsonValue };
}
