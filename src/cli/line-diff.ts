/** One line of a comparison. */
interface Line {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

/** Lines around a change that are shown. */
const CONTEXT = 3;
/** Pairs of lines that are compared for the shortest difference; beyond it everything between is replaced. */
const MAX_PAIRS = 4_000_000;

/** The difference of two texts in the unified format of `diff -u`; empty when they are equal. */
export function unifiedDiff(name: string, before: string, after: string): string {
  if (before === after) return "";
  const lines = compare(linesOf(before), linesOf(after));
  const shown = lines.map((_, i) =>
    lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(({ mark }) => mark !== " "),
  );
  let text = `--- ${name}\n+++ ${name}\n`;
  let old = 1;
  let fresh = 1;
  for (let i = 0; i < lines.length; ) {
    let end = i;
    while (end < lines.length && shown[end]) end++;
    const hunk = lines.slice(i, end);
    const olds = hunk.filter(({ mark }) => mark !== "+").length;
    const news = hunk.filter(({ mark }) => mark !== "-").length;
    if (hunk.length > 0) {
      text += `@@ -${range(old, olds)} +${range(fresh, news)} @@\n`;
      for (const { mark, text: line } of hunk) text += `${mark}${line}\n`;
    }
    old += olds;
    fresh += news;
    i = end;
    for (; i < lines.length && !shown[i]; i++) {
      old++;
      fresh++;
    }
  }
  return text;
}

function range(start: number, length: number): string {
  return `${length === 0 ? start - 1 : start},${length}`;
}

const noNewline = "\n\\ No newline at end of file";

function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") return lines.slice(0, -1);
  return [...lines.slice(0, -1), `${lines.at(-1)}${noNewline}`];
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const rest = Math.min(before.length, after.length) - start;
  while (end < rest && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const kept = (text: string): Line => ({ mark: " ", text });
  return [
    ...before.slice(0, start).map(kept),
    ...between(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(kept),
  ];
}

/** By the longest common subsequence. */
function between(before: readonly string[], after: readonly string[]): Line[] {
  const removed = before.map((text): Line => ({ mark: "-", text }));
  const added = after.map((text): Line => ({ mark: "+", text }));
  if (before.length * after.length > MAX_PAIRS) return [...removed, ...added];
  const width = after.length + 1;
  const longest = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      longest[i * width + j] =
        before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length && j < after.length) {
    const [old, fresh] = [before[i] ?? "", after[j] ?? ""];
    if (old === fresh) {
      lines.push({ mark: " ", text: old });
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      lines.push({ mark: "-", text: old });
      i++;
    } else {
      lines.push({ mark: "+", text: fresh });
      j++;
    }
  }
  return [...lines, ...removed.slice(i), ...added.slice(j)];
}
