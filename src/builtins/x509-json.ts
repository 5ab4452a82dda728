import { textOf } from "./bytes.js";
import { ipText } from "./ip-address.js";
import { integer } from "./number.js";
import { type Url, urlText } from "./url.js";
import { objectOf, type Value } from "./value.js";
import type { Certificate, Extension } from "./x509-certificate.js";
import type { NameSpace } from "./x509-constraints.js";
import type { Extensions } from "./x509-extensions.js";
import { type Algorithm, type CertificateKey, pssHash } from "./x509-key.js";
import type { NamePart } from "./x509-name.js";

/** Members of a Go struct as encoding/json shows them: bytes as base64, an empty list as null. */
export type Members = Readonly<Record<string, Value>>;

export function struct(members: Members): Value {
  return objectOf(Object.entries(members));
}

export const base64 = (bytes: Buffer | undefined): Value => bytes?.toString("base64") ?? null;

/** A list that Go only makes for its first item. */
export function list<T>(items: readonly T[] | undefined, show: (item: T) => Value): Value {
  return items === undefined || items.length === 0 ? null : items.map(show);
}

/** Bytes that should be ASCII, one unit each, as Go's text of them; what is no UTF-8 becomes U+FFFD. */
const text = (latin1: string): Value =>
  textOf(Buffer.from(latin1, "latin1")).replace(/[\ud800-\udfff]/gu, "\ufffd");
const plain = (item: string): Value => item;

/** What Go's JSON of an x509.Certificate shows, and what OPA adds: the URIs as texts. */
export function certificateJson(certificate: Certificate, withUriTexts: boolean): Value {
  const { known, signatureAlgorithm } = certificate;
  const uris = known.names?.uris;
  return struct({
    Raw: base64(certificate.raw),
    RawTBSCertificate: base64(certificate.rawTbs),
    RawSubjectPublicKeyInfo: base64(certificate.rawKey),
    RawSubject: base64(certificate.rawSubject),
    RawIssuer: base64(certificate.rawIssuer),
    Signature: base64(certificate.signature),
    SignatureAlgorithm: signatureAlgorithmOf(signatureAlgorithm)?.number ?? 0,
    PublicKeyAlgorithm: keyAlgorithmNumber(certificate.key),
    PublicKey: keyJson(certificate.key),
    Version: certificate.version,
    SerialNumber: integer(certificate.serial),
    Issuer: nameJson(certificate.issuer),
    Subject: nameJson(certificate.subject),
    NotBefore: certificate.notBefore.text,
    NotAfter: certificate.notAfter.text,
    Extensions: list(certificate.extensions, extensionJson),
    ...extensionMembers(known),
    ...namesJson(known.names),
    ...(withUriTexts ? { URIStrings: list(uris, (uri) => urlText(uri)) } : {}),
  });
}

function extensionMembers(known: Extensions): Members {
  const { basicConstraints, constraints, policyConstraints, policies } = known;
  const [explicit, mapping] = policyConstraints;
  const usages = (known.extendedUsages ?? []).map((oid) => [oid, extendedUsages.indexOf(oid)] as const);
  return {
    KeyUsage: known.keyUsage,
    ExtraExtensions: null,
    UnhandledCriticalExtensions: list(known.unhandledCritical, (id) => [...id]),
    ExtKeyUsage: list(
      usages.filter(([, number]) => number >= 0),
      ([, number]) => number,
    ),
    UnknownExtKeyUsage: list(
      usages.filter(([, number]) => number < 0),
      ([oid]) => oid.split(".").map(Number),
    ),
    BasicConstraintsValid: basicConstraints !== undefined,
    IsCA: basicConstraints?.isCa ?? false,
    MaxPathLen: basicConstraints?.maxPathLength ?? 0,
    MaxPathLenZero: basicConstraints?.maxPathLength === 0,
    SubjectKeyId: base64(known.subjectKeyId),
    AuthorityKeyId: base64(known.authorityKeyId),
    OCSPServer: list(known.ocspUrls, text),
    IssuingCertificateURL: list(known.issuerUrls, text),
    CRLDistributionPoints: list(known.crlUrls, text),
    PermittedDNSDomainsCritical: constraints?.critical ?? false,
    ...spaceJson("Permitted", constraints?.permitted),
    ...spaceJson("Excluded", constraints?.excluded),
    PolicyIdentifiers: policies?.filter(isSmallOid).map((oid) => oid.map(Number)) ?? null,
    Policies: list(policies, (oid) => oid.join(".")),
    PolicyMappings: list(known.policyMappings, ([issuer, subject]) =>
      struct({ IssuerDomainPolicy: issuer, SubjectDomainPolicy: subject }),
    ),
    InhibitAnyPolicy: known.inhibitAnyPolicy ?? 0,
    InhibitAnyPolicyZero: known.inhibitAnyPolicy === 0,
    InhibitPolicyMapping: mapping ?? 0,
    InhibitPolicyMappingZero: mapping === 0,
    RequireExplicitPolicy: explicit ?? 0,
    RequireExplicitPolicyZero: explicit === 0,
  };
}

function isSmallOid(oid: readonly bigint[]): boolean {
  return oid.every((part) => part < 2n ** 31n);
}

function spaceJson(prefix: string, space: NameSpace | undefined): Members {
  return {
    [`${prefix}DNSDomains`]: list(space?.dns, plain),
    [`${prefix}EmailAddresses`]: list(space?.emails, plain),
    [`${prefix}URIDomains`]: list(space?.uris, plain),
    [`${prefix}IPRanges`]: list(space?.networks, ({ address, mask }) =>
      struct({ IP: ipText(address), Mask: base64(mask) }),
    ),
  };
}

/** The members of alternative names, of certificates and of requests. */
export function namesJson(names: Extensions["names"]): Members {
  return {
    DNSNames: list(names?.dns, plain),
    EmailAddresses: list(names?.emails, plain),
    IPAddresses: list(names?.ips, ipText),
    URIs: list(names?.uris, urlJson),
  };
}

function urlJson(url: Url): Value {
  return struct({
    Scheme: url.scheme,
    Opaque: url.opaque,
    // Go shows none of its members.
    User: url.user === undefined ? null : new Map(),
    Host: url.host,
    Path: url.path,
    RawPath: url.rawPath,
    OmitHost: url.omitHost,
    ForceQuery: url.forceQuery,
    RawQuery: url.rawQuery,
    Fragment: url.fragment,
    RawFragment: url.rawFragment,
  });
}

export function extensionJson({ id, critical, value }: Extension): Value {
  return struct({ Id: [...id], Critical: critical, Value: base64(value) });
}

/** A distinguished name (Go's pkix.Name). */
export function nameJson(parts: readonly NamePart[]): Value {
  const named = parts.flatMap(({ type, value }) =>
    value === null ? [] : [[type.join("."), value] as const],
  );
  const all = (last: number): Value =>
    list(
      named.filter(([type]) => type === `2.5.4.${last}`),
      ([, value]) => value,
    );
  const one = (last: number): Value => named.findLast(([type]) => type === `2.5.4.${last}`)?.[1] ?? "";
  return struct({
    CommonName: one(3),
    SerialNumber: one(5),
    Country: all(6),
    Locality: all(7),
    Province: all(8),
    StreetAddress: all(9),
    Organization: all(10),
    OrganizationalUnit: all(11),
    PostalCode: all(17),
    Names: list(parts, ({ type, value }) => struct({ Type: [...type], Value: value })),
    ExtraNames: null,
  });
}

/** A key as Go shows it; numbers are exact. */
export function keyJson(key: CertificateKey): Value {
  switch (key.type) {
    case "RSA":
      return struct({ N: integer(key.n), E: integer(key.e) });
    case "EC":
      return struct({ Curve: new Map(), X: integer(key.x), Y: integer(key.y) });
    case "DSA":
      return struct({ P: integer(key.p), Q: integer(key.q), G: integer(key.g), Y: integer(key.y) });
    case "Ed25519":
      return base64(key.bytes);
    case "X25519":
      return new Map();
    case "unknown":
      return null;
  }
}

/** Go's x509.PublicKeyAlgorithm. */
export function keyAlgorithmNumber({ type }: CertificateKey): number {
  return { RSA: 1, DSA: 2, EC: 3, Ed25519: 4, X25519: 0, unknown: 0 }[type];
}

/** How a signature was made. */
export interface SignatureAlgorithm {
  /** Go's x509.SignatureAlgorithm. */
  readonly number: number;
  readonly key: "RSA" | "RSA-PSS" | "DSA" | "EC" | "Ed25519";
  /** Undefined where the key type has its own. */
  readonly hash: string | undefined;
}

/** The algorithm that Go takes an identifier for, undefined when it knows none. */
export function signatureAlgorithmOf({ oid, parameters }: Algorithm): SignatureAlgorithm | undefined {
  if (oid === "1.2.840.113549.1.1.10") {
    const hash = pssHash(parameters);
    const number = ["sha256", "sha384", "sha512"].indexOf(hash ?? "") + 13;
    return hash === undefined ? undefined : { number, key: "RSA-PSS", hash };
  }
  const found = signatureAlgorithms[oid];
  return found?.key === "Ed25519" && parameters.length > 0 ? undefined : found;
}

const signatureAlgorithms: Readonly<Record<string, SignatureAlgorithm>> = {
  "1.2.840.113549.1.1.4": { number: 2, key: "RSA", hash: "md5" },
  "1.2.840.113549.1.1.5": { number: 3, key: "RSA", hash: "sha1" },
  "1.3.14.3.2.29": { number: 3, key: "RSA", hash: "sha1" },
  "1.2.840.113549.1.1.11": { number: 4, key: "RSA", hash: "sha256" },
  "1.2.840.113549.1.1.12": { number: 5, key: "RSA", hash: "sha384" },
  "1.2.840.113549.1.1.13": { number: 6, key: "RSA", hash: "sha512" },
  "1.2.840.10040.4.3": { number: 7, key: "DSA", hash: "sha1" },
  "2.16.840.1.101.3.4.3.2": { number: 8, key: "DSA", hash: "sha256" },
  "1.2.840.10045.4.1": { number: 9, key: "EC", hash: "sha1" },
  "1.2.840.10045.4.3.2": { number: 10, key: "EC", hash: "sha256" },
  "1.2.840.10045.4.3.3": { number: 11, key: "EC", hash: "sha384" },
  "1.2.840.10045.4.3.4": { number: 12, key: "EC", hash: "sha512" },
  "1.3.101.112": { number: 16, key: "Ed25519", hash: undefined },
};

/** Extended key usages by Go's x509.ExtKeyUsage. */
export const extendedUsages: readonly string[] = [
  "2.5.29.37.0",
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((last) => `1.3.6.1.5.5.7.3.${last}`),
  "1.3.6.1.4.1.311.10.3.3",
  "2.16.840.1.113730.4.1",
  "1.3.6.1.4.1.311.2.1.22",
  "1.3.6.1.4.1.311.61.1.1",
];
