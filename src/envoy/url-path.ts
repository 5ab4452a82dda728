import type { ByteString } from "../attributes/index.js";

/** A path without its query and fragment. */
export function urlPathOf(path: ByteString): ByteString {
  const cut = path.search(/[?#]/);
  return cut < 0 ? path : path.slice(0, cut);
}
