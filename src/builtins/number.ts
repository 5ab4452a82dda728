/**
 * A number that JavaScript's own cannot show as it was written: a large integer, many digits, `1.0`, `1e400`. Like
 * Go's json.Number it is its text, which is a valid JSON number.
 */
export interface ExactNumber {
  readonly exact: string;
}

/** Whether a value is one. */
export function isExactNumber(value: unknown): value is ExactNumber {
  return typeof value === "object" && value !== null && "exact" in value;
}

/** The number of a JSON number's text: a JavaScript number where that has the very same text. */
export function numberOf(text: string): number | ExactNumber {
  const number = Number(text);
  if (String(number) === text && (!Number.isInteger(number) || Number.isSafeInteger(number))) return number;
  return { exact: text };
}

/** The number of an integer. */
export function integer(value: bigint): number | ExactNumber {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : { exact: value.toString() };
}

/** Its text, as JSON has it and as OPA prints it. */
export function numberText(value: number | ExactNumber): string {
  return typeof value === "number" ? plainText(value) : value.exact;
}

/** Without an exponent where Go writes none: JavaScript goes over to exponents at 1e21, as Go does. */
function plainText(value: number): string {
  return Object.is(value, -0) ? "0" : String(value);
}

/** As a double: rounded, infinite for what is too large. */
export function floatOf(value: number | ExactNumber): number {
  return typeof value === "number" ? value : Number(value.exact);
}

/** mantissa × 10^exponent, without trailing zeros of the mantissa. */
interface Decimal {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** Digits beyond which an integer is not written out: such a number is an attack. */
const maxDigits = 100_000;

/** The integer that a number is equal to (`2.0` and `2e0` are 2); undefined when it is none, or too long to write. */
export function integerOf(value: number | ExactNumber): bigint | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : undefined;
  if (/^-?\d+$/.test(value.exact)) return BigInt(value.exact);
  const { mantissa, exponent } = decimalOf(value.exact);
  if (mantissa === 0n) return 0n;
  return exponent >= 0 && exponent <= maxDigits ? mantissa * 10n ** BigInt(exponent) : undefined;
}

function decimalOf(text: string): Decimal {
  const [, sign = "", whole = "0", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+(?=\d)/, "");
  const kept = digits.replace(/0+$/, "");
  if (kept === "") return { mantissa: 0n, exponent: 0 };
  const exponent = Number(power) - fraction.length + (digits.length - kept.length);
  return { mantissa: BigInt(sign + kept), exponent };
}

/** Exactly, by value: negative, 0 or positive. */
export function compareNumbers(a: number | ExactNumber, b: number | ExactNumber): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [x, y] = [decimalOf(numberText(a)), decimalOf(numberText(b))];
  const bySign = signOf(x) - signOf(y);
  if (bySign !== 0 || x.mantissa === 0n) return bySign;
  const byMagnitude = magnitudeOf(x) - magnitudeOf(y);
  if (byMagnitude !== 0) return signOf(x) * byMagnitude;
  // The same number of digits before the point, so the exponents differ by no more than the texts are long.
  const low = Math.min(x.exponent, y.exponent);
  const [left, right] = [x, y].map(({ mantissa, exponent }) => mantissa * 10n ** BigInt(exponent - low));
  return left === right ? 0 : (left ?? 0n) < (right ?? 0n) ? -1 : 1;
}

function signOf({ mantissa }: Decimal): number {
  return mantissa === 0n ? 0 : mantissa < 0n ? -1 : 1;
}

function magnitudeOf({ mantissa, exponent }: Decimal): number {
  return mantissa.toString().replace("-", "").length + exponent;
}
