import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import forge from "node-forge";

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority that lives as long as the test. */
export interface Authority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  issue(subject: CertificateSubject): KeyPair;
}

/** Who a certificate speaks for. SANs stand in the certificate in the order URI, DNS, IP. */
export interface CertificateSubject {
  /** Absent: an empty subject, as SPIFFE certificates have. */
  readonly commonName?: string;
  readonly organization?: string;
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  /** Default: valid from a day ago for ten days. */
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

const DAY_MS = 86_400_000;
let serial = 0;

/** Makes a self-signed authority. RSA, since forge signs with nothing else that Envoy takes. */
export function makeAuthority(commonName: string = "Gatehouse test CA"): Authority {
  const keys = makeKeys();
  const certificate = blank(keys.publicKey, {});
  const name = [{ name: "commonName", value: commonName }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    { name: "subjectKeyIdentifier" },
  ]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  return {
    cert: forge.pki.certificateToPem(certificate),
    issue: (subject) => issue(subject, name, keys.privateKey),
  };
}

/** A subject as Istio's and SPIRE's workloads have: one URI SAN, no common name. */
export function spiffe(
  namespace: string,
  serviceAccount: string,
  trustDomain = "cluster.local",
): CertificateSubject {
  return { uris: [`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`] };
}

function issue(
  subject: CertificateSubject,
  issuer: forge.pki.CertificateField[],
  signer: forge.pki.rsa.PrivateKey,
): KeyPair {
  const keys = makeKeys();
  const certificate = blank(keys.publicKey, subject);
  const attributes: forge.pki.CertificateField[] = [];
  if (subject.organization !== undefined)
    attributes.push({ name: "organizationName", value: subject.organization });
  if (subject.commonName !== undefined) attributes.push({ name: "commonName", value: subject.commonName });
  certificate.setSubject(attributes);
  certificate.setIssuer(issuer);
  const altNames = [
    ...(subject.uris ?? []).map((value) => ({ type: 6, value })),
    ...(subject.dns ?? []).map((value) => ({ type: 2, value })),
    ...(subject.ips ?? []).map((ip) => ({ type: 7, ip })),
  ];
  certificate.setExtensions([
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "extKeyUsage", serverAuth: true, clientAuth: true },
    // RFC 5280 section 4.2.1.6: critical when the subject is empty.
    ...(altNames.length > 0 ? [{ name: "subjectAltName", altNames, critical: attributes.length === 0 }] : []),
  ]);
  certificate.sign(signer, forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate), key: keys.privatePem };
}

function blank(publicKey: forge.pki.rsa.PublicKey, subject: CertificateSubject): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  // A positive number in an even count of hex digits, unique in this process.
  certificate.serialNumber = `01${(++serial).toString(16).padStart(8, "0")}`;
  certificate.validity.notBefore = subject.notBefore ?? new Date(Date.now() - DAY_MS);
  certificate.validity.notAfter = subject.notAfter ?? new Date(Date.now() + 10 * DAY_MS);
  return certificate;
}

interface Keys {
  readonly publicKey: forge.pki.rsa.PublicKey;
  readonly privateKey: forge.pki.rsa.PrivateKey;
  readonly privatePem: string;
}

/** OpenSSL makes the primes: forge's own search takes a second and more. */
function makeKeys(): Keys {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = (key: KeyObject, type: "spki" | "pkcs8"): string =>
    key.export({ type, format: "pem" }).toString();
  const privatePem = pem(pair.privateKey, "pkcs8");
  return {
    publicKey: forge.pki.publicKeyFromPem(pem(pair.publicKey, "spki")),
    privateKey: forge.pki.privateKeyFromPem(privatePem),
    privatePem,
  };
}

/**
 * Writes `certs/ca.pem`, `certs/server.pem` and `certs/server-key.pem` into a folder, where our bootstraps
 * look.
 */
export async function writeServerCertificates(
  folder: string,
  authority: Authority,
  subject: CertificateSubject,
): Promise<void> {
  const certs = join(folder, "certs");
  const server = authority.issue(subject);
  await mkdir(certs, { recursive: true });
  await writeFile(join(certs, "ca.pem"), authority.cert);
  await writeFile(join(certs, "server.pem"), server.cert);
  await writeFile(join(certs, "server-key.pem"), server.key, { mode: 0o600 });
}
