import type { JsonValue } from "../attributes/index.js";

/**
 * JSON as protobuf writes a `google.protobuf.Value`, byte for byte but for the order of members, which protobuf takes
 * from a hash map (measured on Envoy 1.40).
 */
export function protobufJson(value: JsonValue): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return numberText(value);
  if (Array.isArray(value)) return `[${value.map(protobufJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const members = Object.entries(value).map(([name, item]) => `${quote(name)}:${protobufJson(item)}`);
  return `{${members.join(",")}}`;
}

/** What is written as `\uXXXX`: controls, angle brackets, and characters that cannot be seen. */
const escaped =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ranges are what is meant
  /["\\\u0000-\u001f<>\u007f-\u009f\u00ad\u0600-\u0603\u06dd\u070f\u17b4\u17b5\u200b-\u200f\u2028-\u202e\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/gu;

const short: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\b", "\\b"],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\f", "\\f"],
  ["\r", "\\r"],
]);

function quote(text: string): string {
  return `"${text.replace(escaped, (char) => short.get(char) ?? escapeUnits(char))}"`;
}

/** Each UTF-16 unit of a character as `\uXXXX`. */
function escapeUnits(char: string): string {
  return Array.from({ length: char.length }, (_, i) => char.charCodeAt(i))
    .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    .join("");
}

/** C's `%.15g`, or `%.17g` where that is another number. */
function numberText(value: number): string {
  const brief = general(value, 15);
  return Number(brief) === value ? brief : general(value, 17);
}

/** To so many digits; a half to the even digit as C does, where JavaScript goes up. */
function roundedExponential(value: number, precision: number): string {
  const [digits = "", power = ""] = value.toExponential(100).split("e");
  const cut = precision + 1;
  return isHalfOfEven(digits, cut) ? `${digits.slice(0, cut)}e${power}` : value.toExponential(precision - 1);
}

/** Whether what is cut off at `cut` is exactly a half, behind an even digit. */
export function isHalfOfEven(digits: string, cut: number): boolean {
  return Number(digits[cut - 1]) % 2 === 0 && /^50*$/.test(digits.slice(cut));
}

/** C's `%.{precision}g`. */
function general(value: number, precision: number): string {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [mantissa = "", power = "0"] = roundedExponential(Math.abs(value), precision).split("e");
  const exponent = Number(power);
  const digits = mantissa.replace(".", "").replace(/0+$/, "") || "0";
  if (exponent < -4 || exponent >= precision) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return sign + whole + (fraction === "" ? "" : `.${fraction}`);
}
