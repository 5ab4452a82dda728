import { BuiltinError } from "./builtin.js";
import {
  context,
  type Der,
  der,
  enter,
  enterIf,
  isEmpty,
  isNext,
  read,
  readBitString,
  readBoolean,
  readInteger,
  readOid,
  readSmallInteger,
  rightAligned,
  tags,
} from "./der.js";
import { type Extensions, readExtensions } from "./x509-extensions.js";
import { type Algorithm, type CertificateKey, readAlgorithm, readPublicKey } from "./x509-key.js";
import { type NamePart, readName } from "./x509-name.js";
import { type CertificateTime, readTime } from "./x509-time.js";

/** An extension as it was written. */
export interface Extension {
  readonly id: readonly number[];
  readonly critical: boolean;
  readonly value: Buffer;
}

/** A certificate (RFC 5280), unverified. */
export interface Certificate {
  readonly raw: Buffer;
  readonly rawTbs: Buffer;
  readonly rawKey: Buffer;
  readonly rawSubject: Buffer;
  readonly rawIssuer: Buffer;
  /** 1 to 3. */
  readonly version: number;
  readonly serial: bigint;
  readonly signatureAlgorithm: Algorithm;
  readonly signature: Buffer;
  readonly issuer: readonly NamePart[];
  readonly subject: readonly NamePart[];
  readonly notBefore: CertificateTime;
  readonly notAfter: CertificateTime;
  readonly key: CertificateKey;
  readonly extensions: readonly Extension[];
  /** What Go reads from the extensions. */
  readonly known: Extensions;
}

/** Certificates one after another in DER, as strict as Go's x509.ParseCertificates; throws a BuiltinError. */
export function readCertificates(bytes: Buffer): readonly Certificate[] {
  const input = der(bytes);
  const certificates: Certificate[] = [];
  while (!isEmpty(input)) certificates.push(readCertificate(input));
  return certificates;
}

/** Exactly one certificate in DER. */
export function oneCertificate(bytes: Buffer): Certificate {
  const input = der(bytes);
  const certificate = readCertificate(input);
  if (!isEmpty(input)) throw new BuiltinError("trailing data behind a certificate");
  return certificate;
}

function readCertificate(outer: Der): Certificate {
  const { whole: raw, body } = read(outer, tags.sequence);
  const input = der(body);
  const { whole: rawTbs, body: tbsBody } = read(input, tags.sequence);
  const tbs = der(tbsBody);
  const versionAt = enterIf(tbs, context(0, true));
  const version = versionAt === undefined ? 1 : readSmallInteger(versionAt) + 1;
  if (version < 1 || version > 3 || (versionAt !== undefined && !isEmpty(versionAt))) {
    throw new BuiltinError("invalid certificate version");
  }
  const serial = readInteger(tbs);
  if (serial < 0n) throw new BuiltinError("negative serial number");
  const inner = read(tbs, tags.sequence).body;
  const outerAlgorithm = read(input, tags.sequence).body;
  if (!inner.equals(outerAlgorithm)) throw new BuiltinError("signature algorithms differ");
  const signatureAlgorithm = readAlgorithm(inner);
  const rawIssuer = read(tbs, tags.sequence).whole;
  const issuer = readName(der(rawIssuer));
  const validity = enter(tbs, tags.sequence);
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)];
  const rawSubject = read(tbs, tags.sequence).whole;
  const subject = readName(der(rawSubject));
  const rawKey = read(tbs, tags.sequence).whole;
  const key = certificateKey(rawKey);
  const extensions = version === 1 ? [] : extensionsOf(tbs, version);
  const signature = rightAligned(readBitString(input));
  return {
    raw,
    rawTbs,
    rawKey,
    rawSubject,
    rawIssuer,
    version,
    serial,
    signatureAlgorithm,
    signature,
    issuer,
    subject,
    notBefore,
    notAfter,
    key,
    extensions,
    known: readExtensions(extensions),
  };
}

/** Go does not know X25519 keys in certificates. */
function certificateKey(info: Buffer): CertificateKey {
  const key = readPublicKey(info);
  return key.type === "X25519" ? { type: "unknown" } : key;
}

function extensionsOf(tbs: Der, version: number): readonly Extension[] {
  for (const uniqueId of [context(1), context(2)]) if (isNext(tbs, uniqueId)) read(tbs);
  const holder = version === 3 ? enterIf(tbs, context(3, true)) : undefined;
  return holder === undefined ? [] : readExtensionList(enter(holder, tags.sequence));
}

/** The extensions in a list; throws a BuiltinError when one comes twice. */
export function readExtensionList(list: Der): readonly Extension[] {
  const extensions: Extension[] = [];
  const seen = new Set<string>();
  while (!isEmpty(list)) {
    const input = enter(list, tags.sequence);
    const id = readOid(input);
    const critical = isNext(input, tags.boolean) && readBoolean(input);
    extensions.push({ id, critical, value: read(input, tags.octetString).body });
    if (seen.has(id.join("."))) throw new BuiltinError("extension comes twice");
    seen.add(id.join("."));
  }
  return extensions;
}
