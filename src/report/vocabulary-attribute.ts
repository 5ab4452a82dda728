import type { ByteString } from "../attributes/index.js";
import {
  type Attribute,
  addressText,
  type MapOperations,
  type Type,
  textOf,
  types,
} from "../expressions/index.js";
import type { ReportInput } from "./plan.js";
import type { Report, ReportResponse } from "./report.js";

export type ReportAttribute = Attribute<ReportInput>;
type Read = ReportAttribute["read"];
export type Budget = Parameters<Read>[1];
type Given = ReturnType<Read>;

/** An attribute that is read of the report. */
export function ofReport(
  name: string,
  type: Type,
  read: (report: Report, budget: Budget) => Given,
): ReportAttribute {
  return { name, type, read: ({ report }, budget) => read(report, budget) };
}

/** One of the response; absent on TCP. */
export function ofResponse(
  name: string,
  type: Type,
  read: (response: ReportResponse, budget: Budget) => Given,
): ReportAttribute {
  return ofReport(name, type, ({ response }, budget) =>
    response === undefined ? undefined : read(response, budget),
  );
}

/** A name of other systems that has no source here. */
export function refused(name: string, message: string): ReportAttribute {
  return { name, type: types.dyn, read: () => undefined, refused: message };
}

/** A text that is empty where it is unknown. */
export function known(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** Counts and sizes; what is no number is absent. */
export function whole(value: number | undefined): bigint | undefined {
  return value === undefined || !Number.isFinite(value) ? undefined : BigInt(Math.trunc(value));
}

/** The same, absent where it is not positive. */
export function positive(value: number): bigint | undefined {
  return value > 0 ? whole(value) : undefined;
}

/** `IP:PORT` as Envoy's expressions have it, `[IP]:PORT` of IPv6. */
export function socketText(
  ip: Parameters<typeof addressText>[0] | undefined,
  port: number,
): string | undefined {
  if (ip === undefined) return undefined;
  return ip.family === 4 ? `${addressText(ip)}:${port}` : `[${addressText(ip)}]:${port}`;
}

/** Texts by name. */
export const texts: MapOperations<ReadonlyMap<string, string>> = {
  get: (source, key) => source.get(key),
  has: (source, key) => source.has(key),
  size: (source) => source.size,
  keys: (source) => source.keys(),
};

/** What shows who somebody is to whoever reads it: it may be asked for, and never be a value. */
const secretHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "x-forwarded-client-cert",
  "x-amzn-oidc-accesstoken",
  "x-amzn-oidc-data",
]);

/** Names that say themselves what they hold: `x-auth-token`, `cf-access-jwt-assertion`, `x-vault-token` … */
const secretName =
  /(?:^|[-_])(?:token|secret|password|passwd|api[-_]?key|jwt|assertion|credentials?|session(?:[-_]?id)?)$/;

/** Whether values of the header stay out of labels, spans and, unless they are asked for, logs. */
export function isSecretHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return secretHeaders.has(lower) || secretName.test(lower);
}

/** Headers that hold a URL, and so perhaps a query. */
const urlHeaders: ReadonlySet<string> = new Set([
  ":path",
  "content-location",
  "location",
  "referer",
  "x-envoy-original-path",
  "x-forwarded-path",
  "x-forwarded-uri",
  "x-forwarded-url",
  "x-original-path",
  "x-original-uri",
  "x-original-url",
  "x-rewrite-url",
]);

/** Whether values of the header are URLs, and so perhaps hold a query. */
export function isUrlHeader(name: string): boolean {
  return urlHeaders.has(name.toLowerCase());
}

/** Headers by lower-case name with one value each; secret ones have no value. */
export const responseHeaders: MapOperations<ReadonlyMap<string, ByteString>> = {
  get: (source, key, budget) => {
    if (isSecretHeader(key)) return undefined;
    const value = source.get(key);
    return value === undefined ? undefined : textOf(value, budget);
  },
  has: (source, key) => source.has(key),
  size: (source) => source.size,
  keys: (source) => source.keys(),
};

/** The same of the request, lines joined by a comma; `host` is `:authority`. */
export const requestHeaders: MapOperations<ReadonlyMap<string, readonly ByteString[]>> = {
  get: (source, key, budget) => {
    if (isSecretHeader(key)) return undefined;
    const lines = source.get(key === "host" ? ":authority" : key);
    if (lines === undefined) return undefined;
    return textOf(lines.length === 1 ? (lines[0] ?? "") : lines.join(","), budget);
  },
  has: (source, key) => source.has(key === "host" ? ":authority" : key),
  size: (source) => source.size,
  keys: (source) => source.keys(),
};

/** What is wrong with a header's name in an expression over reports. */
export function checkHeader(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (lower !== name) return `header names are in lower case here, expected \`${lower}\``;
  if (!isSecretHeader(name)) return undefined;
  return `header \`${name}\` is secret and has no value here; whether it was sent is asked by \`'${name}' in …headers\``;
}
