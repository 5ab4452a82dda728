import { Buffer } from "node:buffer";
import { attributeNames } from "./attribute-names.js";
import type { ByteString } from "./attributes.js";
import { children, type Der, objectIdentifier } from "./der.js";

const utf8Tag = 0x0c;
const bmpTag = 0x1e;
const universalTag = 0x1c;
/** NumericString, PrintableString, TeletexString, IA5String, VisibleString: one byte a character. */
const byteTags = new Set([0x12, 0x13, 0x14, 0x16, 0x1a]);

/**
 * A Name (RFC 5280 section 4.1.2.4) as RFC 2253 text: last RDN first, escaped as OpenSSL does with
 * XN_FLAG_RFC2253.
 */
export function distinguishedName(name: Der): ByteString {
  return children(name)
    .map((rdn) => children(rdn).map(attribute).reverse().join("+"))
    .reverse()
    .join(",");
}

function attribute(pair: Der): string {
  const [type, value] = children(pair);
  if (type === undefined || value === undefined) throw new Error("name attribute is malformed");
  const oid = objectIdentifier(type);
  const shortName = attributeNames.get(oid);
  const text = characters(value);
  if (shortName === undefined || text === undefined)
    return `${shortName ?? oid}=#${value.raw.toString("hex").toUpperCase()}`;
  return `${shortName}=${escaped(text)}`;
}

/** The value's UTF-8 bytes, or undefined for a type that has no text. */
function characters(value: Der): Buffer | undefined {
  if (value.tag === utf8Tag) return value.content;
  if (byteTags.has(value.tag)) return Buffer.from(value.content.toString("latin1"), "utf8");
  if (value.tag === bmpTag)
    return Buffer.from(Buffer.from(value.content).swap16().toString("utf16le"), "utf8");
  if (value.tag !== universalTag) return undefined;
  let text = "";
  for (let at = 0; at + 4 <= value.content.length; at += 4)
    text += String.fromCodePoint(value.content.readUInt32BE(at));
  return Buffer.from(text, "utf8");
}

function escaped(bytes: Buffer): string {
  let text = "";
  for (const [at, byte] of bytes.entries()) {
    const c = String.fromCharCode(byte);
    const edge = (at === 0 && (c === " " || c === "#")) || (at === bytes.length - 1 && c === " ");
    if (byte < 0x20 || byte >= 0x7f) text += `\\${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    else text += edge || ',+"\\<>;'.includes(c) ? `\\${c}` : c;
  }
  return text;
}
