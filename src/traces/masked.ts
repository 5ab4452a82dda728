import { toText, wellFormed } from "../attributes/index.js";

/** In the place of what nobody may read. */
export const masked = "***";

/** At most so many characters of what a request holds, with U+FFFD for what is no text. */
export function tagText(bytes: string, maxLength: number): string {
  const text = wellFormed(toText(bytes.length > maxLength ? bytes.slice(0, maxLength) : bytes));
  return text.length > maxLength ? wellFormed(text.slice(0, maxLength)) : text;
}

/** So much of a path or URL is looked through for its query. */
const MAX_URL = 4096;

/** A path or URL with a masked query. */
export function maskUrl(url: string): string {
  const start = url.indexOf("?");
  return start < 0 ? url : `${url.slice(0, start)}?${maskedQueryOf(url)}`;
}

/**
 * The query of a path or URL, with the names of its parameters and `***` for what they are; of one without `=` only
 * that, since the secret may be all there is. Empty when there is none.
 */
export function maskedQueryOf(url: string): string {
  const start = url.indexOf("?");
  if (start < 0) return "";
  const fragment = url.indexOf("#", start);
  const query = url.slice(start + 1, Math.min(fragment < 0 ? url.length : fragment, MAX_URL));
  if (query === "") return "";
  return query
    .split("&")
    .map((part) => {
      const end = part.indexOf("=");
      return end < 0 ? masked : `${part.slice(0, end)}=${masked}`;
    })
    .join("&");
}

/** An authority without the `USER:PASSWORD@` that some put before it. */
export function hostOf(authority: string): string {
  return authority.slice(authority.lastIndexOf("@") + 1);
}
