import { isJsonType, isLinesType } from "./content-types.js";

/** How a response's body is read. */
export type ResponseReader = "json" | "lines" | "events" | "text";

const texts: ReadonlySet<string> = new Set([
  "application/xml",
  "application/javascript",
  "application/x-javascript",
  "application/ecmascript",
  "application/typescript",
  "application/yaml",
  "application/x-yaml",
  "application/toml",
  "application/csv",
  "application/sql",
  "application/graphql",
  "application/x-www-form-urlencoded",
  "application/x-sh",
  "application/rtf",
  // What consists of tokens and keys.
  "application/jwt",
  "application/jose",
  "application/x-pem-file",
  "application/pem-certificate-chain",
  "application/pgp-keys",
]);

/** Of several parts, most of them texts. */
const textLike = /^(?:text|multipart|message)\/|\+(?:xml|yaml|jwt|csv)$/;

/**
 * `model/gltf+json`, `application/x-json`, `application/json-seq`: JSON, or what is refused for not being it.
 */
const namesJson = /[/.+-]json(?:[-+.]|$)/;

/** Undefined: a type that is not known to be text. */
export function readerOf(type: string): ResponseReader | undefined {
  if (type === "text/event-stream") return "events";
  if (isLinesType(type)) return "lines";
  if (isJsonType(type) || namesJson.test(type)) return "json";
  return textLike.test(type) || texts.has(type) ? "text" : undefined;
}
