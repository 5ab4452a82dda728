import { X509Certificate } from "node:crypto";
import type { ByteString } from "./attributes.js";
import { children, type Der, objectIdentifier, readDer } from "./der.js";
import { distinguishedName } from "./distinguished-name.js";

/** The names of a client certificate, in the order in which Envoy tries them. */
export interface Identity {
  /** All URI SANs, then all DNS SANs, then the subject (RFC 2253 text, may be empty). */
  readonly names: readonly ByteString[];
}

/** What a SPIFFE id of Istio's form says: `spiffe://TD/ns/NAMESPACE/sa/ACCOUNT`. */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const subjectAltName = "2.5.29.17";
const dnsTag = 0x82;
const uriTag = 0x86;

/**
 * Reads the names of a certificate as Envoy sends it: one URL-encoded PEM block. The names come from the DER,
 * byte by byte, because OpenSSL's text form of SANs is ambiguous. Throws when it is no certificate.
 */
export function readIdentity(urlEncodedPem: string): Identity {
  return identityOf(new X509Certificate(decodeURIComponent(urlEncodedPem)));
}

/** Reads the names of a DER certificate with nothing behind it. Throws when it is none. */
export function identityOfDer(der: Uint8Array): Identity {
  const certificate = new X509Certificate(der);
  // Node takes PEM there as well, and ignores what follows.
  if (!certificate.raw.equals(der)) throw new Error("certificate is not DER alone");
  return identityOf(certificate);
}

function identityOf(certificate: X509Certificate): Identity {
  const tbs = children(readDer(certificate.raw))[0];
  if (tbs === undefined) throw new Error("certificate is empty");
  const fields = children(tbs);
  const versioned = fields[0]?.tag === 0xa0 ? 1 : 0;
  const subject = fields[versioned + 4];
  const extensions = fields.find((field) => field.tag === 0xa3);
  const names = extensions === undefined ? [] : alternativeNames(extensions);
  return {
    names: [
      ...names.filter((name) => name.tag === uriTag).map(latin1),
      ...names.filter((name) => name.tag === dnsTag).map(latin1),
      subject === undefined ? "" : distinguishedName(subject),
    ],
  };
}

function alternativeNames(extensions: Der): Der[] {
  for (const extension of children(extensions).flatMap(children)) {
    const parts = children(extension);
    const id = parts[0];
    const value = parts.at(-1);
    if (id === undefined || value === undefined || objectIdentifier(id) !== subjectAltName) continue;
    return children(readDer(value.content));
  }
  return [];
}

function latin1(der: Der): ByteString {
  return der.content.toString("latin1");
}

/** Reads a SPIFFE id of Istio's form; undefined for any other text. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const match = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(uri);
  const [, trustDomain, namespace, serviceAccount] = match ?? [];
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined) return undefined;
  return { trustDomain, namespace, serviceAccount };
}
