import { Buffer } from "node:buffer";

/**
 * One DER element (X.690): its identifier octet and its content. Multi-byte tags do not occur in
 * certificates.
 */
export interface Der {
  readonly tag: number;
  readonly content: Buffer;
  /** Identifier, length and content. */
  readonly raw: Buffer;
}

/** Reads the first element of `bytes`. Throws when it is cut off or has an indefinite length. */
export function readDer(bytes: Uint8Array): Der {
  return readAt(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

/** The elements inside a constructed one. */
export function children(parent: Der): Der[] {
  const elements: Der[] = [];
  for (let at = 0; at < parent.content.length; ) {
    const element = readAt(parent.content, at);
    elements.push(element);
    at += element.raw.length;
  }
  return elements;
}

/** An OBJECT IDENTIFIER's value as dotted decimal. */
export function objectIdentifier(der: Der): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of der.content) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (arcs.length === 0) {
      const first = Math.min(Math.floor(arc / 40), 2);
      arcs.push(first, arc - first * 40);
    } else {
      arcs.push(arc);
    }
    arc = 0;
  }
  return arcs.join(".");
}

function readAt(bytes: Buffer, start: number): Der {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f)
    throw new Error("DER element is malformed");
  const lengthBytes = first & 0x80 ? first & 0x7f : 0;
  if (first === 0x80 || lengthBytes > 4) throw new Error("DER length is malformed");
  const body = start + 2 + lengthBytes;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(start + 2, lengthBytes);
  if (body + length > bytes.length) throw new Error("DER element is cut off");
  return { tag, content: bytes.subarray(body, body + length), raw: bytes.subarray(start, body + length) };
}
