/** A part of a file that holds one YAML document. */
export interface Chunk {
  /** Without its `---` marker, but for what stands on the marker's line. */
  readonly text: string;
  /** 1-based line in the file of the chunk's first line. */
  readonly line: number;
}

/** Comments, blank lines and directives only. */
const contentless = /^(?:[ \t]*(?:#[^\n]*)?\r?\n|%[^\n]*\n)*[ \t]*(?:#[^\n]*)?$/;

/**
 * Cuts a file into its documents at the markers `---` and `...`. These stand at the beginning of a line and
 * may stand there inside nothing else, not even a quoted text (YAML 1.2.2, 9.1.2), so no parser is needed.
 * Documents without content are left out.
 */
export function splitDocuments(text: string): readonly Chunk[] {
  const chunks: Chunk[] = [];
  const end = text.length;
  let start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let line = 1;
  let at = start;
  let chunkLine = 1;
  const close = (stop: number): void => {
    const part = text.slice(start, stop);
    if (!contentless.test(part)) chunks.push({ text: part, line: chunkLine });
  };
  while (at < end) {
    const marker = markerAt(text, at);
    const newline = text.indexOf("\n", at);
    const next = newline === -1 ? end : newline + 1;
    if (marker !== undefined) {
      close(at);
      const bare = marker === "..." || text.slice(at + 3, next).trim() === "";
      start = bare ? next : at + 3;
      chunkLine = bare ? line + 1 : line;
    }
    at = next;
    line++;
  }
  close(end);
  return chunks;
}

function markerAt(text: string, at: number): "---" | "..." | undefined {
  const c = text.charCodeAt(at);
  if (c !== 0x2d && c !== 0x2e) return undefined;
  if (text.charCodeAt(at + 1) !== c || text.charCodeAt(at + 2) !== c) return undefined;
  const after = text.charCodeAt(at + 3);
  const ends = Number.isNaN(after) || after === 0x20 || after === 0x09 || after === 0x0a || after === 0x0d;
  if (!ends) return undefined;
  return c === 0x2d ? "---" : "...";
}
