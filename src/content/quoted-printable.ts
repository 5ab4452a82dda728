import { ContentError } from "./error.js";

/** Bytes of a line beyond which Go's buffered reader gives up. */
const maxLine = 4_096;

/**
 * Decodes quoted-printable text, whose characters are bytes, as Go's mime/quotedprintable: `=` without two digits
 * stays, unescaped bytes above 0x7f stay. Throws `bad_multipart` for control characters, overlong lines and junk behind
 * a soft line break.
 */
export function decodeQuotedPrintable(text: string): string {
  let out = "";
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline + 1;
    if (end - start > maxLine)
      throw new ContentError("bad_multipart", "line of a quoted-printable part is too long");
    out += decodeLine(text.slice(start, end), newline < 0);
    start = end;
  }
  return out;
}

function decodeLine(whole: string, last: boolean): string {
  let kept = whole.length;
  while (kept > 0 && " \t\r\n".includes(whole.charAt(kept - 1))) kept--;
  const line = whole.slice(0, kept);
  if (!line.endsWith("=")) {
    return unescapeLine(line) + (whole.endsWith("\r\n") ? "\r\n" : whole.endsWith("\n") ? "\n" : "");
  }
  const behind = whole.slice(kept).replace(/^[ \t]+/, "");
  if (!/^\r?\n/.test(behind) && !(behind === "" && line.length > 1 && last)) {
    throw new ContentError("bad_multipart", "invalid bytes after a soft line break");
  }
  return unescapeLine(line.slice(0, -1));
}

function unescapeLine(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those that must be escaped
  if (/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(line) || line.endsWith("=")) {
    throw new ContentError("bad_multipart", "invalid byte in a quoted-printable part");
  }
  return line.replace(/=([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
