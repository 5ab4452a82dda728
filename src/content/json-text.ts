/** An array or object that is being read. */
interface Open {
  /** Of an array: its items so far. */
  items: string;
  /** Of an object. */
  readonly members: Map<string, string> | undefined;
  /** The key that waits for its value. */
  key: string;
}

/**
 * Writes valid JSON again, without reading its numbers: see {@link decodeJson}. Keeps its own stack, so depth is no
 * danger; texts are joined as ropes, so depth does not multiply the cost.
 */
export function normalise(text: string): string {
  const stack: Open[] = [];
  let open: Open = { items: "", members: undefined, key: "" };
  let at = 0;

  const add = (value: string): void => {
    if (open.members === undefined) open.items = open.items === "" ? value : `${open.items},${value}`;
    else if (open.key === "") open.key = value;
    else {
      open.members.set(open.key, value);
      open.key = "";
    }
  };

  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      const end = endOfString(text, at);
      add(stringText(text.slice(at, end)));
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      stack.push(open);
      open = { items: "", members: code === 0x7b ? new Map() : undefined, key: "" };
      at++;
    } else if (code === 0x7d || code === 0x5d) {
      const closed = open.members === undefined ? `[${open.items}]` : `{${joined(open.members)}}`;
      open = stack.pop() as Open;
      add(closed);
      at++;
    } else if (separator(code)) at++;
    else {
      let end = at + 1;
      while (end < text.length && !ends(text.charCodeAt(end))) end++;
      add(text.slice(at, end));
      at = end;
    }
  }
  return open.items;
}

function joined(members: ReadonlyMap<string, string>): string {
  let out = "";
  for (const [key, value] of members) out += out === "" ? `${key}:${value}` : `,${key}:${value}`;
  return out;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x5c) at++;
  }
}

/** Equal strings get equal texts, whichever escapes they were written with. */
function stringText(token: string): string {
  return token.includes("\\")
    ? JSON.stringify((JSON.parse(token) as string).replace(loneSurrogate, "\ufffd"))
    : token;
}

const loneSurrogate = /\p{Surrogate}/gu;

/** White space, comma, colon. */
function separator(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09 || code === 0x2c || code === 0x3a;
}

function ends(code: number): boolean {
  return separator(code) || code === 0x7d || code === 0x5d;
}
