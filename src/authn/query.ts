import type { ByteString } from "../attributes/index.js";

/** One `name=value` of a query, as it is spelled and as it is meant. */
export interface QueryParam {
  /** The name before decoding. */
  readonly spelling: ByteString;
  readonly name: ByteString;
  readonly value: ByteString;
}

/** The parameters of a path's query in order, percent-decoded; `+` is a plus, as for Envoy. */
export function queryParams(path: ByteString): QueryParam[] {
  const at = path.indexOf("?");
  if (at < 0 || at === path.length - 1) return [];
  return path
    .slice(at + 1)
    .split("&")
    .map((pair) => {
      const equal = pair.indexOf("=");
      const spelling = equal < 0 ? pair : pair.slice(0, equal);
      return {
        spelling,
        name: percentDecode(spelling),
        value: equal < 0 ? "" : percentDecode(pair.slice(equal + 1)),
      };
    });
}

/** False for most: the query holds neither the name nor anything that could be decoded to it. */
export function mayHaveParam(path: ByteString, name: ByteString): boolean {
  const at = path.indexOf("?");
  return at >= 0 && (path.includes(name, at) || path.includes("%", at));
}

/** The path without the parameters of that name; the others stay byte by byte. */
export function withoutParam(path: ByteString, name: ByteString): ByteString {
  const at = path.indexOf("?");
  if (at < 0) return path;
  const kept = path
    .slice(at + 1)
    .split("&")
    .filter((pair) => percentDecode(pair.split("=", 1)[0] ?? "") !== name);
  return path.slice(0, at) + (kept.length === 0 ? "" : `?${kept.join("&")}`);
}

/** Decodes `%XX` to bytes; what is no such sequence stays as it is. */
function percentDecode(text: ByteString): ByteString {
  if (!text.includes("%")) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
