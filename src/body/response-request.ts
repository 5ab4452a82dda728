import type { ByteString } from "../attributes/index.js";
import type { HeaderLines } from "./header-lines.js";
import type { Encodings } from "./policy.js";

const decoded: ReadonlySet<string> = new Set(["gzip", "x-gzip", "deflate", "br", "identity"]);

/**
 * Changes a request whose response's body will be looked at so that it can be: a part of a body cannot be redacted, nor one in an
 * encoding that is not decoded. Without it such answers are refused.
 */
export function askForReadable(headers: HeaderLines, encodings: Encodings): void {
  headers.remove("range");
  headers.remove("if-range");
  const lines = headers.lines.get("accept-encoding");
  if (encodings === "deny") headers.set("accept-encoding", "identity");
  else if (lines !== undefined) {
    const wanted = readable(lines);
    if (wanted !== lines.join(",")) headers.set("accept-encoding", wanted);
  }
}

function readable(lines: readonly ByteString[]): string {
  const all = lines.join(",").split(",");
  const kept = all.filter((part) => decoded.has((part.split(";")[0] ?? "").trim().toLowerCase()));
  return kept.length === 0 ? "identity" : kept.join(",").trim();
}
