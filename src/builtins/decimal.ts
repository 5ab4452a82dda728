/**
 * 0.d₁d₂d₃… × 10^exponent: the digits without trailing zeros, none for zero. Go's `decimal` of math/big and
 * strconv.
 */
export interface Digits {
  readonly digits: string;
  readonly exponent: number;
}

/** mantissa × 2^shift, exactly. */
export function exactDigits(mantissa: bigint, shift: number): Digits {
  if (mantissa === 0n) return { digits: "", exponent: 0 };
  // m / 2^n is m × 5^n / 10^n.
  const whole = shift >= 0 ? mantissa << BigInt(shift) : mantissa * 5n ** BigInt(-shift);
  const text = whole.toString();
  return trimmed(text, text.length + Math.min(shift, 0));
}

function trimmed(text: string, exponent: number): Digits {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x30) end--;
  return end === 0 ? { digits: "", exponent: 0 } : { digits: text.slice(0, end), exponent };
}

/**
 * The first `count` digits, rounded half to even; unchanged when `count` is negative or there are no more.
 */
export function rounded(value: Digits, count: number): Digits {
  const { digits } = value;
  if (count < 0 || count >= digits.length) return value;
  const next = digits.charCodeAt(count) - 0x30;
  const half = next === 5 && count + 1 === digits.length;
  const up = half ? count > 0 && (digits.charCodeAt(count - 1) & 1) === 1 : next >= 5;
  return up ? roundedUp(value, count) : roundedDown(value, count);
}

/** The first `count` digits. */
export function roundedDown({ digits, exponent }: Digits, count: number): Digits {
  return trimmed(digits.slice(0, count), exponent);
}

/** The first `count` digits, plus one in the last place. */
export function roundedUp({ digits, exponent }: Digits, count: number): Digits {
  let last = count;
  while (last > 0 && digits.charAt(last - 1) === "9") last--;
  if (last === 0) return { digits: "1", exponent: exponent + 1 };
  const bumped = String.fromCharCode(digits.charCodeAt(last - 1) + 1);
  return { digits: digits.slice(0, last - 1) + bumped, exponent };
}

/** `12.340` with so many digits behind the point: nothing is rounded. */
export function plainNotation({ digits, exponent }: Digits, places: number): string {
  const whole = exponent > 0 ? digits.slice(0, exponent).padEnd(exponent, "0") : "0";
  if (places <= 0) return whole;
  const fraction = exponent >= 0 ? digits.slice(exponent) : "0".repeat(-exponent) + digits;
  return `${whole}.${fraction.slice(0, places).padEnd(places, "0")}`;
}

/** `1.234e+05` with so many digits behind the point: nothing is rounded. */
export function exponentNotation({ digits, exponent }: Digits, places: number, letter = "e"): string {
  const fraction = places > 0 ? `.${digits.slice(1, places + 1).padEnd(places, "0")}` : "";
  const power = digits === "" ? 0 : exponent - 1;
  const size = Math.abs(power).toString().padStart(2, "0");
  return `${digits.charAt(0) || "0"}${fraction}${letter}${power < 0 ? "-" : "+"}${size}`;
}
