import { LRUCache } from "lru-cache";
import {
  type ByteString,
  type Identity,
  identityFromClientCert,
  identityFromXfcc,
  isWithin,
  type Peer,
  toText,
} from "../attributes/index.js";
import type { ClientCertHeader, ClientCertHeaders } from "../engine/index.js";
import { orRefuse } from "./or-refuse.js";

type Headers = ReadonlyMap<string, readonly ByteString[]>;

/**
 * The caller whose certificate the first present header shows; undefined without any of them. Throws when
 * that header cannot be read or has several lines. Ask it only for peers that are trusted.
 */
type ClientCertReader = (names: readonly ClientCertHeader[], headers: Headers) => Identity | undefined;

/** Who stands behind a trusted proxy; the address stays the proxy's. */
interface Caller {
  readonly source: Peer;
  readonly identity: Identity | undefined;
}

/**
 * Who asks if the peer is a proxy that the mesh trusts to say so; undefined: the peer itself. A trusted proxy that names
 * nobody speaks for a caller without a certificate, never for itself: else everybody who comes through it would have the
 * proxy's own rights. Throws a GatehouseError `bad_request` where the header cannot be read.
 */
export type CallerReader = (
  peer: Peer,
  direct: Identity | undefined,
  headers: Headers,
  trust: ClientCertHeaders,
) => Caller | undefined;

/** A reader with its own memory; `readPem` reads a URL-encoded PEM certificate, or throws. */
export function createCallerReader(readPem: (urlEncodedPem: string) => Identity): CallerReader {
  const readClientCert = createClientCertReader(readPem);
  return (peer, direct, headers, trust) => {
    if (!isTrusted(trust, peer, direct)) return undefined;
    const identity = orRefuse("header with the client certificate", () =>
      readClientCert(trust.headers, headers),
    );
    const { ip, port } = peer;
    return { source: { ip, port, principal: toText(identity?.names[0] ?? "") }, identity };
  };
}

/** Distinct values remembered of each header, and their characters: a value may hold a certificate. */
const maxValues = 2_500;
const maxValueText = 32 * 1024 * 1024;

/** A reader with its own memory; `readPem` reads a URL-encoded PEM certificate, or throws. */
function createClientCertReader(readPem: (urlEncodedPem: string) => Identity): ClientCertReader {
  const readers: Readonly<Record<ClientCertHeader, (value: ByteString) => Identity>> = {
    "x-forwarded-client-cert": remembered((value) => identityFromXfcc(value, readPem)),
    "client-cert": remembered(identityFromClientCert),
  };
  return (names, headers) => {
    for (const name of names) {
      const lines = headers.get(name);
      if (lines === undefined) continue;
      const [value] = lines;
      if (value === undefined || lines.length > 1) throw new Error(`${name} has several lines`);
      return readers[name](value);
    }
    return undefined;
  };
}

function remembered(read: (value: ByteString) => Identity): (value: ByteString) => Identity {
  const known = new LRUCache<ByteString, Identity>({
    max: maxValues,
    maxSize: maxValueText,
    // What is empty has no size, and is read to no identity.
    sizeCalculation: (_, value) => Math.max(value.length, 1),
  });
  return (value) => {
    const before = known.get(value);
    if (before !== undefined) return before;
    const identity = read(value);
    known.set(value, identity);
    return identity;
  };
}

/**
 * Whether the TCP peer may say by a header who the caller is: by its address, or by any name of its own
 * certificate (`identity`, and the one that Envoy names).
 */
function isTrusted(
  { trustedRanges, trustedIds }: ClientCertHeaders,
  { ip, principal }: Peer,
  identity: Identity | undefined,
): boolean {
  if (ip !== undefined && trustedRanges.some((range) => isWithin(ip, range))) return true;
  return trustedIds.some((id) => id === principal || identity?.names.includes(id) === true);
}
