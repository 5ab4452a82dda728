import { type ExactNumber, isExactNumber } from "./number.js";
import { isArray, isSet, type RegoObject, type Value } from "./value.js";

/**
 * A text that is the same for two values exactly when they are equal in Rego, so that a Map of JavaScript finds
 * composite keys and `1.0` under `1`.
 */
export function identity(value: Value): string {
  if (typeof value === "string") return `"${value.length}:${value}`;
  if (typeof value === "number" || isExactNumber(value)) return numberIdentity(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (isArray(value)) return `[${value.map(identity).join("")}]`;
  if (isSet(value)) return `<${[...value].map(identity).join("")}>`;
  return `{${[...(value as RegoObject)].map(([key, member]) => identity(key) + identity(member)).join("")}}`;
}

function numberIdentity(value: number | ExactNumber): string {
  if (typeof value === "number" && Number.isSafeInteger(value)) return `${value === 0 ? 0 : value};`;
  const text = typeof value === "number" ? String(value) : value.exact;
  const [, sign = "", whole = "0", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const kept = withoutTrailingZeros(digits);
  if (kept === "") return "0;";
  const exponent = Number(power) - fraction.length + (digits.length - kept.length);
  // As the branch above writes it, when it is such a number.
  if (exponent >= 0 && kept.length + exponent <= 15) return `${sign}${kept}${"0".repeat(exponent)};`;
  const integer =
    exponent >= 0 && exponent < 30 ? BigInt(`${sign}${kept}${"0".repeat(exponent)}`) : undefined;
  return integer === undefined ? `${sign}${kept}e${exponent};` : `${integer};`;
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}
