import { type Digits, exactDigits, exponentNotation, plainNotation, rounded } from "./decimal.js";

/**
 * Go's strconv.FormatFloat of a finite double, for the verbs `b`, `e`, `E`, `f`, `g`, `G`, `x` and `X`; a
 * negative precision asks for the shortest text that gives the same double.
 */
export function floatText(value: number, verb: string, precision: number): string {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const { mantissa, exponent } = partsOf(Math.abs(value));
  if (verb === "b") return `${sign}${mantissa}p${exponent < 0 ? "" : "+"}${exponent}`;
  if (verb === "x" || verb === "X") {
    const text = hexadecimal(mantissa, exponent, precision);
    return sign + (verb === "X" ? text.toUpperCase() : text);
  }
  const isShortest = precision < 0;
  const digits = isShortest ? shortestDigits(Math.abs(value)) : exactDigits(mantissa, exponent);
  return sign + decimal(digits, verb, precision, isShortest);
}

function decimal(exact: Digits, verb: string, precision: number, isShortest: boolean): string {
  const shortest = exact.digits.length;
  switch (verb) {
    case "e":
    case "E": {
      const places = isShortest ? shortest - 1 : precision;
      return exponentNotation(rounded(exact, places + 1), places, verb);
    }
    case "f": {
      const places = isShortest ? Math.max(shortest - exact.exponent, 0) : precision;
      return plainNotation(atPlace(exact, places), places);
    }
    default:
      return general(exact, verb, isShortest ? shortest : precision || 1, isShortest);
  }
}

/** Rounded to so many digits behind the point, of which there may be none left. */
function atPlace(value: Digits, places: number): Digits {
  const count = value.exponent + places;
  return count < 0 ? { digits: "", exponent: 0 } : rounded(value, count);
}

function general(exact: Digits, verb: string, precision: number, isShortest: boolean): string {
  const value = rounded(exact, precision);
  const count = value.digits.length;
  const limit = isShortest ? 6 : precision > count && count >= value.exponent ? count : precision;
  const power = value.exponent - 1;
  if (power < -4 || power >= limit) {
    return exponentNotation(value, Math.min(precision, count) - 1, verb === "g" ? "e" : "E");
  }
  const places = precision > value.exponent ? count : precision;
  return plainNotation(value, Math.max(places - value.exponent, 0));
}

/** JavaScript's own digits are the shortest, and the nearest of these, as Go's are. */
function shortestDigits(value: number): Digits {
  if (value === 0) return { digits: "", exponent: 0 };
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  return { digits: mantissa.replace(".", ""), exponent: Number(power) + 1 };
}

/** value = mantissa × 2^exponent, as the bits of the double have it. */
function partsOf(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const all = bits.getBigUint64(0);
  const power = Number(all >> 52n);
  const fraction = all & ((1n << 52n) - 1n);
  return power === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: power - 1075 };
}

/** `0x1.8p+01` */
function hexadecimal(mantissa: bigint, exponent: number, precision: number): string {
  let bits = mantissa << 8n;
  let power = mantissa === 0n ? 0 : exponent + 52;
  while (bits !== 0n && bits >> 60n === 0n) {
    bits <<= 1n;
    power--;
  }
  if (precision >= 0 && precision < 15) {
    const cut = BigInt(60 - precision * 4);
    const rest = bits & ((1n << cut) - 1n);
    const half = 1n << (cut - 1n);
    bits >>= cut;
    if (rest > half || (rest === half && (bits & 1n) === 1n)) bits++;
    bits <<= cut;
    if (bits >> 61n !== 0n) {
      bits >>= 1n;
      power++;
    }
  }
  const digits = (bits & ((1n << 60n) - 1n)).toString(16).padStart(15, "0");
  const fraction =
    precision < 0 ? digits.replace(/0+$/, "") : digits.slice(0, precision).padEnd(precision, "0");
  const size = Math.abs(power).toString().padStart(2, "0");
  return `0x${bits >> 60n}${fraction === "" ? "" : "."}${fraction}p${power < 0 ? "-" : "+"}${size}`;
}
