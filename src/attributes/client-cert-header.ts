import { Buffer } from "node:buffer";
import type { ByteString } from "./attributes.js";
import { breaksLine } from "./header-syntax.js";
import { type Identity, identityOfDer } from "./identity.js";

/** One certificate in `x-forwarded-client-cert`: values by lower-case key, in order. */
type Element = ReadonlyMap<string, readonly ByteString[]>;

/** Keys that Envoy writes more than once; of any other, two would be a question of which one counts. */
const repeatable: ReadonlySet<string> = new Set(["by", "uri", "dns"]);
const keyCharacters = /^[A-Za-z0-9_-]+$/;
const byteSequence = /^ *:((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?): *$/;

/**
 * The caller as Envoy's `x-forwarded-client-cert` names it: the last element, which the proxy next to us
 * wrote; those before it came to that proxy and prove nothing, but must be well formed, so that no quote of
 * theirs can move where the last one begins. `Cert`, read by `readPem`, wins over what stands beside it, since
 * Envoy writes URI SANs as they are, commas and semicolons included. Throws when it is malformed.
 */
export function identityFromXfcc(value: ByteString, readPem: (urlEncodedPem: string) => Identity): Identity {
  if (breaksLine(value)) throw new Error("x-forwarded-client-cert holds a control character");
  const element = lastElement(value);
  const pem = element.get("cert")?.[0];
  if (pem !== undefined) return withoutNul(readPem(pem));
  const names = [...(element.get("uri") ?? []), ...(element.get("dns") ?? [])].filter((name) => name !== "");
  return { names: [...names, element.get("subject")?.[0] ?? ""] };
}

/**
 * The caller as RFC 9440's `client-cert` names it: one DER certificate as a byte sequence (RFC 8941 section
 * 3.3.5), padded, without parameters. Throws for anything else.
 */
export function identityFromClientCert(value: ByteString): Identity {
  const base64 = byteSequence.exec(value)?.[1];
  if (base64 === undefined || base64 === "") throw new Error("client-cert is no byte sequence");
  return withoutNul(identityOfDer(Buffer.from(base64, "base64")));
}

/**
 * A name with a NUL byte is one that another program on the way may have read up to there. (Of the
 * connection's own certificate such a name is compared whole, as Envoy does.)
 */
function withoutNul(identity: Identity): Identity {
  if (identity.names.some((name) => name.includes("\0")))
    throw new Error("certificate name holds a NUL byte");
  return identity;
}

function lastElement(value: ByteString): Element {
  let element = new Map<string, ByteString[]>();
  let at = skipSpace(value, 0);
  for (;;) {
    const equals = value.indexOf("=", at);
    const key = equals < 0 ? "" : value.slice(at, equals).toLowerCase();
    if (!keyCharacters.test(key)) throw new Error("x-forwarded-client-cert has no key where one is expected");
    const [text, behind] =
      value[equals + 1] === '"' ? quoted(value, equals + 2, key) : plain(value, equals + 1);
    const known = element.get(key);
    if (known === undefined) element.set(key, [text]);
    else if (repeatable.has(key)) known.push(text);
    else throw new Error("x-forwarded-client-cert has a key twice");
    if (value[behind] === ";") {
      at = behind + 1;
      continue;
    }
    const end = skipSpace(value, behind);
    if (end === value.length) return element;
    if (value[end] !== ",") throw new Error("x-forwarded-client-cert goes on behind a quoted value");
    element = new Map();
    at = skipSpace(value, end + 1);
  }
}

/** A value up to `,` or `;`, and where that is. */
function plain(value: ByteString, start: number): [text: ByteString, behind: number] {
  let end = start;
  for (; end < value.length; end++) {
    const c = value[end];
    if (c === "," || c === ";") break;
    if (c === '"') throw new Error("x-forwarded-client-cert has a quote inside a value");
  }
  let last = end;
  while (last > start && (value[last - 1] === " " || value[last - 1] === "\t")) last--;
  return [value.slice(start, last), end];
}

/**
 * A value behind its opening quote, and where it ends. Envoy writes a subject as RFC 2253 text, in which
 * backslashes escape already, and escapes nothing more: so its escapes stay, and it equals the certificate's.
 */
function quoted(value: ByteString, start: number, key: string): [text: ByteString, behind: number] {
  let end = start;
  while (end < value.length && value[end] !== '"') end += value[end] === "\\" ? 2 : 1;
  if (end >= value.length) throw new Error("x-forwarded-client-cert has a quote that is not closed");
  const text = value.slice(start, end);
  return [key === "subject" ? text : text.replace(/\\(.)/g, "$1"), end + 1];
}

function skipSpace(value: ByteString, start: number): number {
  let at = start;
  while (value[at] === " " || value[at] === "\t") at++;
  return at;
}
