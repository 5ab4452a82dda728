import { BuiltinError } from "./builtin.js";
import { context, type Der, enter, enterIf, isEmpty, read, tags } from "./der.js";
import { ipBytes } from "./ip-address.js";
import { asciiText } from "./x509-name.js";
import { type AlternativeNames, isDomainName } from "./x509-san.js";

/** A network: address and mask, 4 or 16 bytes each. */
export interface Network {
  readonly address: Buffer;
  readonly mask: Buffer;
}

/** Names that a certification authority may, or may not, speak for. */
export interface NameSpace {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  readonly networks: readonly Network[];
}

/** The name constraints of a certificate (RFC 5280 section 4.2.1.10). */
export interface NameConstraints {
  readonly critical: boolean;
  readonly permitted: NameSpace;
  readonly excluded: NameSpace;
  /** Whether names of a kind that is not understood are constrained. */
  readonly unhandled: boolean;
}

/** Reads the extension; throws a BuiltinError when it is malformed or empty. */
export function readNameConstraints(input: Der, critical: boolean): NameConstraints {
  const outer = enter(input, tags.sequence);
  const [permitted, excluded] = [enterIf(outer, context(0, true)), enterIf(outer, context(1, true))];
  const size = (permitted?.bytes.length ?? 0) + (excluded?.bytes.length ?? 0);
  if (!isEmpty(input) || !isEmpty(outer) || size === 0) throw new BuiltinError("invalid name constraints");
  const [allowed, refused] = [readSpace(permitted), readSpace(excluded)];
  return {
    critical,
    permitted: allowed.space,
    excluded: refused.space,
    unhandled: allowed.unhandled || refused.unhandled,
  };
}

function readSpace(input: Der | undefined): { readonly space: NameSpace; readonly unhandled: boolean } {
  const [dns, emails, uris, networks]: [string[], string[], string[], Network[]] = [[], [], [], []];
  let unhandled = false;
  while (input !== undefined && !isEmpty(input)) {
    const { tag, body } = read(enter(input, tags.sequence));
    if (tag === context(1)) emails.push(emailConstraint(asciiText(body)));
    else if (tag === context(2)) dns.push(domainConstraint(asciiText(body)));
    else if (tag === context(6)) uris.push(uriConstraint(asciiText(body)));
    else if (tag === context(7)) networks.push(networkOf(body));
    else unhandled = true;
  }
  return { space: { dns, emails, uris, networks }, unhandled };
}

function domainConstraint(domain: string): string {
  if (!isDomainName(domain, true)) throw new BuiltinError("invalid name constraint");
  return domain;
}

function uriConstraint(domain: string): string {
  if (ipBytes(domain) !== undefined) throw new BuiltinError("invalid name constraint");
  return domainConstraint(domain);
}

function emailConstraint(email: string): string {
  if (!email.includes("@")) return domainConstraint(email);
  if (mailboxOf(email) === undefined) throw new BuiltinError("invalid name constraint");
  return email;
}

function networkOf(body: Buffer): Network {
  if (body.length !== 8 && body.length !== 32) throw new BuiltinError("invalid name constraint");
  const [address, mask] = [body.subarray(0, body.length / 2), body.subarray(body.length / 2)];
  const bits = [...mask].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  if (!/^1*0*$/.test(bits)) throw new BuiltinError("invalid name constraint");
  return { address, mask };
}

interface Mailbox {
  readonly local: string;
  readonly domain: string;
}

/** The parts of an address whose local part is not quoted; others are not understood, so they match nothing. */
function mailboxOf(email: string): Mailbox | undefined {
  const [, local = "", domain = ""] = /^([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+)@([^@]+)$/.exec(email) ?? [];
  const dots = local.startsWith(".") || local.endsWith(".") || local.includes("..");
  if (local === "" || dots || !isDomainName(domain, false)) return undefined;
  return { local, domain: domain.toLowerCase() };
}

/**
 * Whether constraints let a certificate have its names. One that names nothing of a constrained kind may; a name that
 * cannot be understood may not.
 */
export function allowsNames(constraints: NameConstraints, names: AlternativeNames): boolean {
  const { permitted, excluded } = constraints;
  if (sizeOf(names) * (sizeOf(permitted) + sizeOf(excluded)) > maxComparisons) return false;
  const fits = <T, C>(name: T, allowed: readonly C[], refused: readonly C[], match: Match<T, C>): boolean =>
    (allowed.length === 0 || allowed.some((one) => match(name, one, true))) &&
    !refused.some((one) => match(name, one, false));
  const mailboxes = names.emails.map(mailboxOf);
  const hosts = names.uris.map((uri) => hostOf(uri.host));
  return (
    names.ips.every((ip) => fits(ip, permitted.networks, excluded.networks, inNetwork)) &&
    names.dns.every(
      (name) => isDomainName(name, false) && fits(name, permitted.dns, excluded.dns, inDomain),
    ) &&
    hosts.every((host) => host !== undefined && fits(host, permitted.uris, excluded.uris, inDomain)) &&
    mailboxes.every((box) => box !== undefined && fits(box, permitted.emails, excluded.emails, ofMailbox))
  );
}

/** Certificates that would need more are refused. */
const maxComparisons = 250_000;

function sizeOf(names: NameSpace | AlternativeNames): number {
  return Object.values(names as object).reduce((sum: number, list: unknown[]) => sum + list.length, 0);
}

/** Whether a name is under a constraint, which permits or excludes. */
type Match<T, C> = (name: T, constraint: C, permits: boolean) => boolean;

/** A URI's host without its port; undefined for an address or none, which cannot be constrained. */
function hostOf(written: string): string | undefined {
  const host = written.toLowerCase().replace(/:[0-9]*$/, "");
  return host === "" || host.includes(":") || host.includes("[") || ipBytes(host) !== undefined
    ? undefined
    : host;
}

function inNetwork(ip: Buffer, { address, mask }: Network): boolean {
  const masked = (bytes: Buffer): string => [...bytes].map((byte, i) => byte & (mask[i] ?? 0)).join(".");
  return ip.length === address.length && masked(ip) === masked(address);
}

/** `a.b` is in `b`, `.b` and `a.b`; a wildcard is excluded, too, by a constraint that it may stand for. */
function inDomain(name: string, constraint: string, permits: boolean): boolean {
  if (constraint === "") return true;
  const [host, domain] = [name.toLowerCase(), constraint.toLowerCase()];
  if (host === domain || host.endsWith(domain.startsWith(".") ? domain : `.${domain}`)) return true;
  const parent = domain.includes(".") ? domain.slice(domain.indexOf(".")) : undefined;
  return !permits && host.startsWith("*") && host.includes(".") && host.slice(host.indexOf(".")) === parent;
}

function ofMailbox({ local, domain }: Mailbox, constraint: string, permits: boolean): boolean {
  const exact = mailboxOf(constraint);
  if (exact !== undefined) return exact.local === local && exact.domain === domain;
  return inDomain(domain, constraint, permits);
}
