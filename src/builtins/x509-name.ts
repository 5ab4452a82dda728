import { BuiltinError } from "./builtin.js";
import { type Der, enter, isEmpty, read, readOid, tags } from "./der.js";

/** One part of a distinguished name. */
export interface NamePart {
  readonly type: readonly number[];
  /** Null where it is no string that Go reads. */
  readonly value: string | null;
}

/** The string types of ASN.1 that Go knows. */
const stringTags: ReadonlySet<number> = new Set([
  tags.t61String,
  tags.printableString,
  tags.utf8String,
  tags.ia5String,
  tags.numericString,
  tags.bmpString,
]);

/**
 * Reads a distinguished name; sets of several attributes are laid flat. A value of another type than a string is an
 * error in a certificate, but not in a request.
 */
export function readName(input: Der, allowsAny = false): readonly NamePart[] {
  const sequence = enter(input, tags.sequence);
  const parts: NamePart[] = [];
  while (!isEmpty(sequence)) {
    const set = enter(sequence, tags.set);
    while (!isEmpty(set)) {
      const attribute = enter(set, tags.sequence);
      const type = readOid(attribute);
      const { tag, body } = read(attribute);
      parts.push({ type, value: allowsAny && !stringTags.has(tag) ? null : textOfString(tag, body) });
    }
  }
  return parts;
}

/** The text of a string type of ASN.1; throws a BuiltinError for a malformed one or another type. */
function textOfString(tag: number, body: Buffer): string {
  const latin = body.toString("latin1");
  switch (tag) {
    case tags.t61String:
      return latin;
    case tags.printableString:
      if (/^[A-Za-z0-9'()+,\-./ :=?*&]*$/.test(latin)) return latin;
      break;
    case tags.utf8String: {
      const text = body.toString("utf8");
      if (Buffer.from(text, "utf8").equals(body)) return text;
      break;
    }
    case tags.ia5String:
      return asciiText(body);
    case tags.numericString:
      if (/^[0-9 ]*$/.test(latin)) return latin;
      break;
    case tags.bmpString:
      return textOfBmp(body);
  }
  throw new BuiltinError("invalid string in a distinguished name");
}

/** Throws a BuiltinError for bytes beyond ASCII. */
export function asciiText(bytes: Buffer): string {
  if (bytes.some((byte) => byte > 0x7f)) throw new BuiltinError("invalid IA5String");
  return bytes.toString("latin1");
}

/** UCS-2, big-endian, perhaps with a terminator. */
function textOfBmp(body: Buffer): string {
  if (body.length % 2 !== 0) throw new BuiltinError("invalid BMPString");
  let text = "";
  for (let i = 0; i < body.length; i += 2) {
    const unit = body.readUInt16BE(i);
    if (unit >= 0xfffe || (unit >= 0xfdd0 && unit <= 0xfdef) || (unit >= 0xd800 && unit <= 0xdfff)) {
      throw new BuiltinError("invalid BMPString");
    }
    if (unit !== 0 || i + 2 < body.length) text += String.fromCharCode(unit);
  }
  return text;
}
