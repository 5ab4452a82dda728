/** What an unquoted YAML scalar may mean. */
export type Scalar = string | number | boolean | null;

const named: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"].map((w) => [w, true] as const),
  ...["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"].map(
    (w) => [w, false] as const,
  ),
  ...[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"].map((w) => [w, Number.POSITIVE_INFINITY] as const),
  ...["-.inf", "-.Inf", "-.INF"].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, Number.NaN] as const),
]);

const LONGEST_NAME = 5;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const integer = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+))$/;

/**
 * Reads an unquoted scalar as sigs.k8s.io/yaml does, through which Kubernetes and Istio read theirs: YAML
 * 1.1's booleans (`y`, `no`, `on`), `010` octal, `0080` the number 80, `1_000` a number; times and base 60
 * stay text.
 */
export function readPlainScalar(text: string): Scalar {
  if (text.length <= LONGEST_NAME) {
    const value = named.get(text);
    if (value !== undefined) return value;
  }
  return looksNumeric(text) ? readNumber(text) : text;
}

function looksNumeric(text: string): boolean {
  const c = text.charCodeAt(0);
  return (c >= 0x30 && c <= 0x39) || c === 0x2e || c === 0x2b || c === 0x2d;
}

function readNumber(text: string): number | string {
  const plain = text.startsWith(".") ? text : text.replaceAll("_", "");
  const match = integer.exec(plain);
  if (match !== null) {
    const [, sign, hex, octal, binary] = match;
    const digits = hex ?? octal ?? binary ?? "";
    const magnitude = Number.parseInt(digits, hex === undefined ? (octal === undefined ? 2 : 8) : 16);
    return sign === "-" ? -magnitude : magnitude;
  }
  return float.test(plain) ? Number(plain) : text;
}
