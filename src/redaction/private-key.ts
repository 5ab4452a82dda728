import type { ByteString } from "../attributes/index.js";
import { type Detector, seeking, undecided } from "./detector.js";

/** Bytes of a block beyond which its end is not looked for: an RSA key of 16384 bits has some 12,700. */
const most = 16_384;

const begin = "-----BEGIN ";
/**
 * RFC 7468, section 13 and 2; OpenSSH, PKCS #1, SEC 1, and OpenPGP (RFC 9580, section 6.2) in front of or
 * behind it.
 */
const label = /^(?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----/;
const labelMost = 16 * 4 + "PRIVATE KEY BLOCK-----".length;
const partOfLabel = /^[A-Z0-9 ]*-{0,5}$/;
const end = /-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----/;

function privateKeyAt(text: ByteString, at: number, final: boolean): number {
  const there = text.slice(at, at + most);
  if (!there.startsWith(begin)) return !final && begin.startsWith(there) ? undecided : 0;
  const head = there.slice(begin.length, begin.length + labelMost);
  const line = label.exec(head);
  if (line === null) return !final && head.length < labelMost && partOfLabel.test(head) ? undecided : 0;
  const tail = end.exec(there);
  if (tail !== null) return tail.index + tail[0].length;
  // A block without an end is not let through for want of it.
  return there.length === most || final ? there.length : undecided;
}

/** PEM blocks of private keys, from the first line to the last, or as far as one may be long. */
export const privateKey: Detector = seeking(most, begin, begin.length, privateKeyAt);
