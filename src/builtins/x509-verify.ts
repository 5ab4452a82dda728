import { constants, verify } from "node:crypto";
import { ipBytes, unmapped } from "./ip-address.js";
import type { Certificate } from "./x509-certificate.js";
import { allowsNames } from "./x509-constraints.js";
import { extendedUsages, signatureAlgorithmOf } from "./x509-json.js";
import { isUsableRsa } from "./x509-key.js";

/** What a chain is verified against. */
export interface VerifyOptions {
  readonly nowNs: bigint;
  /** A host name or IP address that the leaf must be for; none when empty. */
  readonly dnsName: string;
  /** Numbers of Go's x509.ExtKeyUsage, one of which must be allowed all along the chain. */
  readonly usages: readonly number[];
}

const [usageAny, usageServerAuth] = [0, 1];

/** Signatures that are checked at most, as in Go. */
const maxSignatures = 100;

/**
 * The chain from a leaf to the root over some of the intermediates; undefined when there is no valid one (Go's
 * x509.Certificate.Verify). Chains that require explicit policies are refused.
 */
export function verifyChain(
  leaf: Certificate,
  trust: { readonly root: Certificate; readonly intermediates: readonly Certificate[] },
  options: VerifyOptions,
): readonly Certificate[] | undefined {
  if (!isValid(leaf, [], options)) return undefined;
  if (options.dnsName !== "" && !isFor(leaf, options.dnsName)) return undefined;
  const chains = trust.root.raw.equals(leaf.raw) ? [[leaf]] : chainsFrom([leaf], trust, options);
  return chains.find((chain) => policiesFit(chain) && usagesFit(chain, options.usages) && namesFit(chain));
}

function isValid(certificate: Certificate, below: readonly Certificate[], { nowNs }: VerifyOptions): boolean {
  const { known, notBefore, notAfter, rawSubject } = certificate;
  const child = below.at(-1);
  if (known.unhandledCritical.length > 0) return false;
  if (child !== undefined && !child.rawIssuer.equals(rawSubject)) return false;
  const limit = known.basicConstraints?.maxPathLength ?? -1;
  if (limit >= 0 && below.length - 1 > limit) return false;
  const [start, end] = [notBefore, notAfter].map(({ ms }) => BigInt(ms) * 1_000_000n);
  return start !== undefined && end !== undefined && nowNs >= start && nowNs <= end;
}

/** All chains that go on from one whose last certificate is not trusted by itself. */
function chainsFrom(
  start: readonly Certificate[],
  trust: { readonly root: Certificate; readonly intermediates: readonly Certificate[] },
  options: VerifyOptions,
): readonly (readonly Certificate[])[] {
  const pool = trust.intermediates.filter(
    (one, i, all) => all.findIndex((other) => other.raw.equals(one.raw)) === i,
  );
  let left = maxSignatures;
  const grow = (chain: readonly Certificate[]): readonly (readonly Certificate[])[] => {
    const child = chain.at(-1);
    if (child === undefined) return [];
    const parents = (candidates: readonly Certificate[]): readonly Certificate[] =>
      byKeyId(child, candidates).filter(
        (parent) =>
          left-- > 0 && !isIn(parent, chain) && signed(child, parent) && isValid(parent, chain, options),
      );
    const ended = parents([trust.root]).map((root) => [...chain, root]);
    const authorities = parents(pool).filter((parent) => parent.known.basicConstraints?.isCa === true);
    return [...ended, ...authorities.flatMap((parent) => grow([...chain, parent]))];
  };
  return grow(start);
}

/** Those whose subject is the issuer, those with the right key first, those with another one last. */
function byKeyId(child: Certificate, candidates: readonly Certificate[]): readonly Certificate[] {
  const wanted = child.known.authorityKeyId;
  const rank = ({ known: { subjectKeyId } }: Certificate): number => {
    if (wanted === undefined || subjectKeyId === undefined) {
      return wanted === undefined && subjectKeyId === undefined ? 0 : 1;
    }
    return wanted.equals(subjectKeyId) ? 0 : 2;
  };
  const named = candidates.filter((one) => one.rawSubject.equals(child.rawIssuer));
  return [...named].sort((a, b) => rank(a) - rank(b));
}

function isIn(certificate: Certificate, chain: readonly Certificate[]): boolean {
  const san = (one: Certificate): string =>
    one.extensions.find(({ id }) => id.join(".") === "2.5.29.17")?.value.toString("hex") ?? "none";
  return chain.some(
    (one) =>
      one.rawSubject.equals(certificate.rawSubject) &&
      one.rawKey.equals(certificate.rawKey) &&
      san(one) === san(certificate),
  );
}

/** Bit 5 of the key usage. */
const keyCertSign = 0x20;

/** Whether a parent may sign certificates, and signed this one. MD5 and SHA-1 do not count. */
function signed(child: Certificate, parent: Certificate): boolean {
  const { keyUsage, basicConstraints } = parent.known;
  const authority = basicConstraints === undefined ? parent.version !== 3 : basicConstraints.isCa;
  if (!authority || (keyUsage !== 0 && (keyUsage & keyCertSign) === 0)) return false;
  const algorithm = signatureAlgorithmOf(child.signatureAlgorithm);
  if (algorithm === undefined || algorithm.hash === "md5" || algorithm.hash === "sha1") return false;
  const { key } = parent;
  if (key.type !== algorithm.key.replace("-PSS", "") || !("key" in key) || key.key === undefined)
    return false;
  if (key.type === "RSA" && !isUsableRsa(key.n, key.e)) return false;
  const padding =
    algorithm.key === "RSA-PSS"
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : {};
  try {
    return verify(algorithm.hash, child.rawTbs, { key: key.key, ...padding }, child.signature);
  } catch {
    return false;
  }
}

/**
 * Whether no certificate requires explicit policies of those that follow, by the counting of RFC 5280 section 6.1; the
 * policy graph, which could tell whether they are there, is not built.
 */
function policiesFit(chain: readonly Certificate[]): boolean {
  const last = chain.length - 1;
  let explicit = last + 1;
  for (let i = last - 1; i >= 0; i--) {
    const one = chain[i];
    if (one === undefined) return false;
    const [required] = one.known.policyConstraints;
    if (one.known.policyMappings?.some((pair) => pair.includes("2.5.29.32.0"))) return false;
    if (explicit === 0 || (i === 0 && required === 0)) return false;
    if (i === 0) continue;
    if (!one.rawIssuer.equals(one.rawSubject)) explicit--;
    if (required !== undefined) explicit = Math.min(explicit, required);
  }
  return chain.length === 1 || explicit > 1;
}

function usagesFit(chain: readonly Certificate[], wanted: readonly number[]): boolean {
  if (wanted.includes(usageAny)) return true;
  const allowed = chain.flatMap(({ known: { extendedUsages: found } }) => {
    if (found === undefined || found.length === 0) return [];
    const numbers = found.map((oid) => extendedUsages.indexOf(oid));
    return numbers.includes(usageAny) ? [] : [numbers];
  });
  const usages = wanted.length === 0 ? [usageServerAuth] : wanted;
  return usages.some((usage) => allowed.every((numbers) => numbers.includes(usage)));
}

/** Whether the constraints of each certificate let those below it have their names. */
function namesFit(chain: readonly Certificate[]): boolean {
  return chain.every(({ known: { constraints } }, i) => {
    if (constraints === undefined) return true;
    return chain
      .slice(0, i)
      .every(({ known: { names } }) => names === undefined || allowsNames(constraints, names));
  });
}

/** Whether a certificate is for a host name or IP address (in brackets or not); its common name does not count. */
function isFor({ known: { names } }: Certificate, written: string): boolean {
  const address = ipBytes(/^\[(.+)\]$/s.exec(written)?.[1] ?? written);
  if (address !== undefined) {
    return (names?.ips ?? []).some((ip) => unmapped(ip).equals(unmapped(address)));
  }
  const host = lowered(written);
  const parts = host.replace(/\.$/, "").split(".");
  return (names?.dns ?? []).map(lowered).some((pattern) => {
    if (!isHost(host.replace(/\.$/, ""), false) || !isHost(pattern, true)) {
      return pattern === host && host !== "" && host !== ".";
    }
    const labels = pattern.split(".");
    const same = labels.every((label, i) => (i === 0 && label === "*") || label === parts[i]);
    return same && labels.length === parts.length;
  });
}

function lowered(text: string): string {
  return text.replace(/[A-Z]+/g, (upper) => upper.toLowerCase());
}

function isHost(host: string, pattern: boolean): boolean {
  const label = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;
  return (
    host !== "*" &&
    host.split(".").every((part, i) => label.test(part) || (pattern && i === 0 && part === "*"))
  );
}
