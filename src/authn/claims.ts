import type { JsonObject } from "../attributes/index.js";

/** Claims that Istio splits in words whatever a rule says. */
export const wordClaims: ReadonlySet<string> = new Set(["scope", "permission"]);

/** The payload with its space-delimited claims as lists of words, as policies compare them. */
export function withWords(payload: JsonObject, split: ReadonlySet<string> = wordClaims): JsonObject {
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [
      name,
      split.has(name) && typeof value === "string" ? value.split(" ").filter((word) => word !== "") : value,
    ]),
  );
}

/** `ISSUER/SUBJECT`; empty where one of them is missing. */
export function principalOf(payload: JsonObject): string {
  const { iss, sub } = payload;
  return typeof iss === "string" && typeof sub === "string" && iss !== "" && sub !== ""
    ? `${iss}/${sub}`
    : "";
}
