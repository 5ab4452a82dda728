import type { ByteString } from "../attributes/index.js";

/** What the lines of an event stream say, in order, in pieces as they come. */
export interface EventLineSink {
  /** A `data` line begins; `prefix`: how, up to its value. */
  data(prefix: ByteString): void;
  /** A comment or a line of any other field begins. */
  other(): void;
  /** A piece of the data's value, or of the other line. */
  piece(text: ByteString): void;
  /** The line is over. The second half of CR LF comes by itself, as the next call. */
  endLine(terminator: ByteString): void;
  /** A line feed that belongs to the carriage return that came last. */
  lateLineFeed(): void;
  /** An empty line: the event is over. */
  blank(terminator: ByteString): void;
}

/** Cuts an event stream (WHATWG HTML, section 9.2) into lines, wherever its chunks are cut. */
export interface EventLines {
  push(text: ByteString): void;
  /** A last line without an end. */
  end(): void;
  /** Of a line whose field is not known yet. */
  readonly heldBytes: number;
  /** Gives what it holds, and forgets it. */
  take(): ByteString;
}

const byteOrderMark = "\xef\xbb\xbf";
const lineEnd = /[\r\n]/g;

/** Of one stream. */
export function createEventLines(sink: EventLineSink): EventLines {
  /** The beginning of a line whose field is not known yet. */
  let head = "";
  let isKnown = false;
  let isFirst = true;
  let isAfterReturn = false;

  /** Tells which line it is, if that can be told. */
  const look = (isWhole: boolean): void => {
    const hasMark = isFirst && head.startsWith(byteOrderMark);
    const field = hasMark ? head.slice(3) : head;
    if (!isWhole) {
      if (isFirst && head.length < 3 && byteOrderMark.startsWith(head)) return;
      // The space behind the colon belongs to the prefix.
      if ("data:".startsWith(field)) return;
    }
    isKnown = true;
    const isData = field.startsWith("data:") || (isWhole && field === "data");
    if (!isData) {
      sink.other();
      if (head !== "") sink.piece(head);
    } else {
      const valueAt = field.startsWith("data: ") ? 6 : Math.min(5, field.length);
      sink.data((hasMark ? byteOrderMark : "") + field.slice(0, valueAt));
      if (field.length > valueAt) sink.piece(field.slice(valueAt));
    }
    head = "";
  };
  const add = (text: ByteString): void => {
    if (isKnown) sink.piece(text);
    else {
      head += text;
      look(false);
    }
  };
  const endLine = (terminator: ByteString): void => {
    const isBlank = !isKnown && (head === "" || (isFirst && head === byteOrderMark));
    if (isBlank) {
      sink.blank(head + terminator);
      head = "";
    } else {
      if (!isKnown) look(true);
      sink.endLine(terminator);
    }
    isKnown = false;
    isFirst = false;
  };

  return {
    push(text) {
      let from = 0;
      if (isAfterReturn && text.length > 0) {
        isAfterReturn = false;
        if (text.startsWith("\n")) {
          sink.lateLineFeed();
          from = 1;
        }
      }
      lineEnd.lastIndex = from;
      for (let found = lineEnd.exec(text); found !== null; found = lineEnd.exec(text)) {
        const at = found.index;
        if (at > from) add(text.slice(from, at));
        from = at + 1;
        endLine(found[0]);
        if (found[0] === "\n") continue;
        if (text[from] === "\n") {
          sink.lateLineFeed();
          from++;
          lineEnd.lastIndex = from;
        } else isAfterReturn = from === text.length;
      }
      if (from < text.length) add(text.slice(from));
    },
    end() {
      if (head !== "") look(true);
    },
    get heldBytes() {
      return head.length;
    },
    take() {
      const held = head;
      head = "";
      return held;
    },
  };
}
