/** A text that is no YAML 1.1, and where it stops being so. */
export class YamlError extends Error {
  /** 1-based. */
  readonly line: number;
  readonly column: number;

  constructor(message: string, mark: Mark) {
    super(message);
    this.name = "YamlError";
    this.line = mark.line + 1;
    this.column = mark.column + 1;
  }
}

/** A place in a text; line and column are 0-based, in characters, as indentation counts them. */
export interface Mark {
  readonly index: number;
  readonly line: number;
  readonly column: number;
}

/** What may not be read: from `offset` (in UTF-16 units) on the text is not there, for this reason. */
export interface Unreadable {
  readonly offset: number;
  readonly reason: string;
  /** Of what is wrong, which may stand behind `offset`: bytes are read some at a time. */
  readonly place: Mark;
}

/** A reader's place in a text. `NUL` stands for its end: no readable text holds one. */
export interface Cursor {
  readonly text: string;
  readonly unreadable: Unreadable | undefined;
  position: number;
  /** Characters, not UTF-16 units: the length of a simple key is counted so. */
  index: number;
  line: number;
  column: number;
}

export const END = "\0";

/** Starts at the beginning of a text. */
export function startCursor(text: string, unreadable?: Unreadable): Cursor {
  return { text, unreadable, position: 0, index: 0, line: 0, column: 0 };
}

/** The character some places ahead; `END` behind the last. */
export function ahead(cursor: Cursor, distance = 0): string {
  return cursor.text[cursor.position + distance] ?? END;
}

/** Says that so many characters are looked at, which must all be readable. */
export function need(cursor: Cursor, count: number): void {
  const { unreadable } = cursor;
  if (unreadable !== undefined && cursor.position + count > unreadable.offset) {
    throw new YamlError(unreadable.reason, unreadable.place);
  }
}

export function markOf({ index, line, column }: Cursor): Mark {
  return { index, line, column };
}

/** Steps over characters of one line. */
export function skip(cursor: Cursor, count = 1): void {
  for (let i = 0; i < count; i++) {
    const unit = cursor.text.charCodeAt(cursor.position++);
    const isSecondHalf = unit >= 0xdc00 && unit <= 0xdfff;
    if (isSecondHalf) continue;
    cursor.index++;
    cursor.column++;
  }
}

/** Steps over a line break and gives what it means in a scalar. */
export function readBreak(cursor: Cursor): string {
  const first = ahead(cursor);
  const length = first === "\r" && ahead(cursor, 1) === "\n" ? 2 : 1;
  cursor.position += length;
  cursor.index += length;
  cursor.line++;
  cursor.column = 0;
  return first === "\u2028" || first === "\u2029" ? first : "\n";
}

/** Steps over one character and gives it; both halves of a pair come singly. */
export function readOne(cursor: Cursor): string {
  const character = ahead(cursor);
  skip(cursor);
  return character;
}

/** Steps over spaces and tabs. */
export function skipBlanks(cursor: Cursor): void {
  while (isBlank(ahead(cursor))) skip(cursor);
}

/** Steps over a comment, if one begins here. */
export function skipComment(cursor: Cursor): void {
  if (ahead(cursor) !== "#") return;
  while (!endsLine(ahead(cursor))) skip(cursor);
}

/** Whether `---` or `...` stands here, alone at the beginning of a line. */
export function startsIndicator(cursor: Cursor, indicator: "---" | "..."): boolean {
  return (
    cursor.column === 0 &&
    cursor.text.startsWith(indicator, cursor.position) &&
    isSpaceOrEnd(ahead(cursor, 3))
  );
}

export function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}

/** YAML 1.1 has five of them. */
export function isBreak(character: string): boolean {
  switch (character) {
    case "\n":
    case "\r":
    case "\u0085":
    case "\u2028":
    case "\u2029":
      return true;
    default:
      return false;
  }
}

export function endsLine(character: string): boolean {
  return character === END || isBreak(character);
}

export function isSpaceOrEnd(character: string): boolean {
  return isBlank(character) || endsLine(character);
}

/** Of which names of anchors, directives and tag handles are made. */
export function isWord(character: string): boolean {
  return /^[0-9A-Za-z_-]$/.test(character);
}
