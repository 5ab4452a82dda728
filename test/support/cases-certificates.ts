import { Buffer } from "node:buffer";
import { generateKeyPairSync, sign } from "node:crypto";
import forge from "node-forge";
import type { KeyPair } from "./certificates.js";

/** One attribute of a subject: its object identifier, its ASN.1 string type, and the bytes of its value. */
export interface Attribute {
  readonly oid: string;
  readonly type: number;
  readonly bytes: string;
}

/** Relative distinguished names in the order of the certificate, each of one or more attributes. */
export type Subject = readonly (readonly Attribute[])[];

const { asn1 } = forge;
const cn = "2.5.4.3";

type StringType = "utf8" | "numeric" | "printable" | "teletex" | "ia5" | "visible" | "universal" | "bmp";

/** ASN.1 string types by name. */
export const stringTypes: Readonly<Record<StringType, number>> = {
  utf8: 12,
  numeric: 18,
  printable: 19,
  teletex: 20,
  ia5: 22,
  visible: 26,
  universal: 28,
  bmp: 30,
};

/** A common name as UTF8String; the text's own bytes are given one character a byte. */
export function commonName(bytes: string, type: number = stringTypes.utf8): Subject {
  return [[{ oid: cn, type, bytes }]];
}

/** One key for all: what is under test is the names. */
const pair = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "der" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

/**
 * A self-signed certificate with any subject and any SANs, `[tag, bytes]` each: 2 is DNS, 6 is URI, 1 is
 * email.
 */
export function oddCertificate(
  subject: Subject,
  names: readonly (readonly [tag: number, bytes: string])[],
): KeyPair {
  const algorithm = sequence([oid("1.2.840.113549.1.1.11"), universal(asn1.Type.NULL, "")]);
  const version = asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [universal(asn1.Type.INTEGER, "\x02")]);
  const tbs = sequence([
    version,
    universal(asn1.Type.INTEGER, "\x01"),
    algorithm,
    nameOf(commonName("issuer")),
    sequence([time(-1), time(1)]),
    nameOf(subject),
    asn1.fromDer(pair.publicKey.toString("latin1")),
    ...(names.length === 0 ? [] : [extensionOf(names)]),
  ]);
  const signature = sign("sha256", Buffer.from(asn1.toDer(tbs).getBytes(), "latin1"), pair.privateKey);
  const whole = sequence([
    tbs,
    algorithm,
    universal(asn1.Type.BITSTRING, `\0${signature.toString("latin1")}`),
  ]);
  const base64 = forge.util.encode64(asn1.toDer(whole).getBytes(), 64);
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: pair.privateKey,
  };
}

function time(days: number): forge.asn1.Asn1 {
  const date = new Date(Date.now() + days * 86_400_000);
  return universal(asn1.Type.UTCTIME, String(asn1.dateToUtcTime(date)));
}

function oid(text: string): forge.asn1.Asn1 {
  return universal(asn1.Type.OID, asn1.oidToDer(text).getBytes());
}

function universal(type: number, bytes: string): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, bytes);
}

function nameOf(subject: Subject): forge.asn1.Asn1 {
  return sequence(
    subject.map((rdn) =>
      asn1.create(
        asn1.Class.UNIVERSAL,
        asn1.Type.SET,
        true,
        rdn.map((attribute) => sequence([oid(attribute.oid), universal(attribute.type, attribute.bytes)])),
      ),
    ),
  );
}

function extensionOf(names: readonly (readonly [tag: number, bytes: string])[]): forge.asn1.Asn1 {
  const general = sequence(
    names.map(([tag, bytes]) => asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, bytes)),
  );
  const value = universal(asn1.Type.OCTETSTRING, asn1.toDer(general).getBytes());
  const extensions = sequence([sequence([oid("2.5.29.17"), value])]);
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, 3, true, [extensions]);
}

function sequence(parts: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts);
}
