import { BuiltinError } from "./builtin.js";
import {
  context,
  type Der,
  der,
  enter,
  enterIf,
  isEmpty,
  isNext,
  oidComponents,
  read,
  readBitString,
  readBoolean,
  readOid,
  readSmallInteger,
  tags,
} from "./der.js";
import type { Extension } from "./x509-certificate.js";
import { type NameConstraints, readNameConstraints } from "./x509-constraints.js";
import { type AlternativeNames, readAlternativeNames } from "./x509-san.js";

/** What Go reads from the extensions of a certificate; undefined where an extension is absent. */
export interface Extensions {
  /** Bit 0 is digitalSignature, 5 is keyCertSign; 0 without the extension. */
  readonly keyUsage: number;
  readonly basicConstraints: BasicConstraints | undefined;
  readonly names: AlternativeNames | undefined;
  readonly constraints: NameConstraints | undefined;
  readonly crlUrls: readonly string[] | undefined;
  readonly authorityKeyId: Buffer | undefined;
  readonly subjectKeyId: Buffer | undefined;
  readonly policyConstraints: readonly [number | undefined, number | undefined];
  readonly extendedUsages: readonly string[] | undefined;
  readonly policies: readonly (readonly bigint[])[] | undefined;
  readonly policyMappings: readonly (readonly [string, string])[] | undefined;
  readonly inhibitAnyPolicy: number | undefined;
  readonly ocspUrls: readonly string[] | undefined;
  readonly issuerUrls: readonly string[] | undefined;
  readonly unhandledCritical: readonly (readonly number[])[];
}

interface BasicConstraints {
  readonly isCa: boolean;
  /** -1 without a limit. */
  readonly maxPathLength: number;
}

/** Reads the extensions that Go knows; throws a BuiltinError when one of them is malformed. */
export function readExtensions(extensions: readonly Extension[]): Extensions {
  const read: Record<string, unknown> = {};
  const unhandledCritical: (readonly number[])[] = [];
  for (const extension of extensions) {
    const found = readKnown(extension);
    if (extension.critical && (found === undefined || found.unhandled)) unhandledCritical.push(extension.id);
    Object.assign(read, found?.read);
  }
  return { ...none, ...read, unhandledCritical };
}

const none: Extensions = {
  keyUsage: 0,
  basicConstraints: undefined,
  names: undefined,
  constraints: undefined,
  crlUrls: undefined,
  authorityKeyId: undefined,
  subjectKeyId: undefined,
  policyConstraints: [undefined, undefined],
  extendedUsages: undefined,
  policies: undefined,
  policyMappings: undefined,
  inhibitAnyPolicy: undefined,
  ocspUrls: undefined,
  issuerUrls: undefined,
  unhandledCritical: [],
};

/** What an extension gives; `unhandled` when a part of it is not understood. */
interface Known {
  readonly read: Partial<Extensions>;
  readonly unhandled?: boolean;
}

function readKnown({ id, critical, value }: Extension): Known | undefined {
  const input = der(value);
  switch (id.join(".")) {
    case "2.5.29.14":
      notCritical(critical);
      return { read: { subjectKeyId: read(input, tags.octetString).body } };
    case "2.5.29.15":
      return { read: { keyUsage: usageBits(input) } };
    case "2.5.29.17": {
      const names = readAlternativeNames(input);
      const found = [names.dns, names.emails, names.ips, names.uris];
      return { read: { names }, unhandled: found.every((list) => list.length === 0) };
    }
    case "2.5.29.19":
      return { read: { basicConstraints: basicConstraints(enter(input, tags.sequence)) } };
    case "2.5.29.30": {
      const constraints = readNameConstraints(input, critical);
      return { read: { constraints }, unhandled: constraints.unhandled };
    }
    case "2.5.29.31":
      return { read: { crlUrls: crlUrls(enter(input, tags.sequence)) } };
    case "2.5.29.32":
      return { read: { policies: policies(enter(input, tags.sequence)) } };
    case "2.5.29.33":
      return { read: { policyMappings: policyMappings(enter(input, tags.sequence)) } };
    case "2.5.29.35": {
      notCritical(critical);
      const key = enterIf(enter(input, tags.sequence), context(0));
      return { read: { authorityKeyId: key?.bytes } };
    }
    case "2.5.29.36": {
      const limits = enter(input, tags.sequence);
      const explicit = isNext(limits, context(0)) ? readSmallInteger(limits, context(0)) : undefined;
      const mapping = isNext(limits, context(1)) ? readSmallInteger(limits, context(1)) : undefined;
      return { read: { policyConstraints: [explicit, mapping] } };
    }
    case "2.5.29.37": {
      const usages = enter(input, tags.sequence);
      const extendedUsages: string[] = [];
      while (!isEmpty(usages)) extendedUsages.push(readOid(usages).join("."));
      return { read: { extendedUsages } };
    }
    case "2.5.29.54":
      return { read: { inhibitAnyPolicy: readSmallInteger(input) } };
    case "1.3.6.1.5.5.7.1.1":
      notCritical(critical);
      return { read: authorityAccess(enter(input, tags.sequence)) };
    default:
      return undefined;
  }
}

function notCritical(critical: boolean): void {
  if (critical) throw new BuiltinError("extension is wrongly marked critical");
}

function usageBits(input: Der): number {
  const { bytes, unused } = readBitString(input);
  let usage = 0;
  for (let i = 0; i < Math.min(9, bytes.length * 8 - unused); i++) {
    if (((bytes[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0) usage |= 1 << i;
  }
  return usage;
}

function basicConstraints(input: Der): BasicConstraints {
  const isCa = isNext(input, tags.boolean) && readBoolean(input);
  const maxPathLength = isNext(input, tags.integer) ? readSmallInteger(input) : -1;
  if (maxPathLength < -1) throw new BuiltinError("invalid basic constraints");
  return { isCa, maxPathLength };
}

/** The locations in CRL distribution points; undefined without any. */
function crlUrls(points: Der): readonly string[] | undefined {
  const urls: string[] = [];
  while (!isEmpty(points)) {
    const name = enterIf(enter(points, tags.sequence), context(0, true));
    if (name === undefined) continue;
    const full = enter(name, context(0, true));
    while (isNext(full, context(6))) urls.push(read(full).body.toString("latin1"));
  }
  return urls.length === 0 ? undefined : urls;
}

function policies(input: Der): readonly (readonly bigint[])[] {
  const found: (readonly bigint[])[] = [];
  const seen = new Set<string>();
  while (!isEmpty(input)) {
    const { body } = read(enter(input, tags.sequence), tags.oid);
    if (seen.has(body.toString("hex"))) throw new BuiltinError("policy comes twice");
    seen.add(body.toString("hex"));
    found.push(oidComponents(body));
  }
  return found;
}

function policyMappings(input: Der): readonly (readonly [string, string])[] | undefined {
  const found: [string, string][] = [];
  while (!isEmpty(input)) {
    const pair = enter(input, tags.sequence);
    const [issuer, subject] = [read(pair, tags.oid).body, read(pair, tags.oid).body];
    found.push([oidComponents(issuer).join("."), oidComponents(subject).join(".")]);
  }
  return found.length === 0 ? undefined : found;
}

function authorityAccess(input: Der): Partial<Extensions> {
  const urls: Readonly<Record<string, string[]>> = { "1.3.6.1.5.5.7.48.1": [], "1.3.6.1.5.5.7.48.2": [] };
  while (!isEmpty(input)) {
    const access = enter(input, tags.sequence);
    const method = readOid(access).join(".");
    if (isNext(access, context(6))) urls[method]?.push(read(access).body.toString("latin1"));
  }
  const [ocspUrls, issuerUrls] = Object.values(urls).map((list) => (list.length === 0 ? undefined : list));
  return { ocspUrls, issuerUrls };
}
