import { Buffer } from "node:buffer";
import { type ByteString, type JsonObject, type JsonValue, member, toBytes } from "../attributes/index.js";
import type { ClaimHeader } from "./jwt-rule.js";
import { isHalfOfEven, protobufJson } from "./protobuf-json.js";

/** The headers that claims give, in the order of the rule; a claim that is not there gives none. */
export function claimHeaders(
  outputs: readonly ClaimHeader[],
  payload: JsonObject,
): readonly (readonly [name: string, value: ByteString])[] {
  return outputs.flatMap(({ header, claim }) => {
    const value = claimText(claimAt(payload, claim));
    return value === "" ? [] : [[header, value] as const];
  });
}

/** Dots lead into nested objects; a claim with a dot in its own name cannot be reached, as in Envoy. */
function claimAt(payload: JsonObject, claim: string): JsonValue | undefined {
  return claim.split(".").reduce<JsonValue | undefined>((value, name) => member(value, name), payload);
}

/** As Envoy writes it: texts as they are, lists and objects as base64 of their JSON (`authenticator.cc`). */
function claimText(value: JsonValue | undefined): ByteString {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return toBytes(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return numberText(value);
  return Buffer.from(protobufJson(value), "utf8").toString("base64");
}

/** An unsigned 64-bit integer in full, any other number with six decimals (C++ `std::to_string`). */
function numberText(value: number): string {
  return value >= 0 && value < 2 ** 64 && Number.isInteger(value) ? BigInt(value).toString() : fixed(value);
}

function fixed(value: number): string {
  // From 1e21 on `toFixed` gives an exponent.
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.000000`;
  const exact = value.toFixed(60);
  const cut = exact.length - 54;
  return isHalfOfEven(exact, cut) ? exact.slice(0, cut) : value.toFixed(6);
}
