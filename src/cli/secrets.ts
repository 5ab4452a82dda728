/** Headers that hold what a caller proves itself with. */
const secretHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "x-api-key",
  "x-forwarded-client-cert",
]);
/** Shorter texts are no secrets, and stand in many others by chance. */
const MIN_LENGTH = 6;

interface Input {
  readonly attributes?: {
    readonly request?: {
      readonly http?: {
        readonly headers?: Readonly<Record<string, string>>;
        readonly headerMap?: { readonly headers?: readonly RawHeader[] };
      };
    };
  };
}

interface RawHeader {
  readonly key?: string;
  readonly value?: string;
  /** base64 */
  readonly rawValue?: string;
}

/**
 * Gives a function that puts `***` in the place of tokens, keys and cookies of a request, wherever they stand in a
 * text or in the texts of a JSON value. `input` is a policy's input as JSON.
 */
export function maskSecrets(input: string): (value: unknown) => unknown {
  const http = (JSON.parse(input) as Input).attributes?.request?.http ?? {};
  const headers = Object.entries(http.headers ?? {}).map(([key, value]): RawHeader => ({ key, value }));
  const secrets = new Set(
    [...headers, ...(http.headerMap?.headers ?? [])]
      .map(({ key = "", ...values }) => ({ key: key.toLowerCase(), ...values }))
      .filter(({ key }) => secretHeaders.has(key))
      .flatMap(({ key, value = "", rawValue = "" }) => [
        ...partsOf(key, value),
        ...partsOf(key, Buffer.from(rawValue, "base64").toString("utf8")),
        rawValue,
      ])
      .filter((text) => text.length >= MIN_LENGTH),
  );
  const ordered = [...secrets].sort((a, b) => b.length - a.length);
  const mask = (value: unknown): unknown => {
    if (typeof value === "string")
      return ordered.reduce((text, secret) => text.replaceAll(secret, "***"), value);
    if (Array.isArray(value)) return value.map(mask);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [mask(key), mask(inner)]));
  };
  return mask;
}

/**
 * `Bearer TOKEN`, its token and the parts of that; `a=1; b=2` and the values of its cookies; of `Basic` the password. An
 * identity in a certificate is none: only the whole header is.
 */
function partsOf(key: string, value: string): string[] {
  if (key === "x-forwarded-client-cert") return [value];
  const words = value.split(/[\s;,=]+/);
  const basic = /^basic +(\S+)/i.exec(value)?.[1];
  const password = basic === undefined ? "" : Buffer.from(basic, "base64").toString("utf8");
  return [
    value,
    ...words,
    ...words.flatMap((word) => word.split(".")),
    password,
    password.replace(/^[^:]*:/, ""),
  ];
}
