import { X509Certificate } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { PeerCertificate } from "./grpc.js";

/**
 * Says why a caller may not ask, or undefined when one of the names in its certificate is allowed. A name is
 * a URI SAN (`spiffe://…`) or a DNS SAN, compared as a whole; the subject is never looked at.
 */
export function refuseUnlisted(allowed: readonly string[]): (peer: PeerCertificate) => string | undefined {
  const names = new Set(allowed);
  const verdicts = new LRUCache<string, boolean>({ max: 1000 });
  return (peer) => {
    const raw = peer.sslPeerCertificate?.raw;
    if (raw === undefined) return "no client certificate";
    const key = raw.toString("latin1");
    let ok = verdicts.get(key);
    if (ok === undefined) {
      ok = namesOf(raw).some((name) => names.has(name));
      verdicts.set(key, ok);
    }
    return ok ? undefined : "client certificate is not allowed";
  };
}

/**
 * URI and DNS SANs. Node quotes a value that could be mistaken for two, as JSON; such a value is left out,
 * since no sane name needs it.
 */
function namesOf(raw: Buffer): string[] {
  const text = new X509Certificate(raw).subjectAltName ?? "";
  if (text.includes('"')) return [];
  return text
    .split(", ")
    .filter((part) => part.startsWith("URI:") || part.startsWith("DNS:"))
    .map((part) => part.slice("URI:".length));
}
