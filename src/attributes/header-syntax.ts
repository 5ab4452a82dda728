/** RFC 9110 section 5.6.2 token. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const unsafe = /[\0\r\n]/;

/** What belongs to one connection (RFC 9110 section 7.6.1), or frames the message. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether a header can have this name; a pseudo-header's is none. */
export function isFieldName(name: string): boolean {
  return token.test(name);
}

/**
 * Whether a header's lower-case name speaks of one connection or one message's framing, so that it never goes
 * on.
 */
export function isHopByHop(name: string): boolean {
  return hopByHop.has(name);
}

/**
 * Whether a header of this lower-case name may be set or removed on its way to the upstream. Pseudo-headers are no
 * field names; `host` is one of them under its old name.
 */
export function isEditableHeader(name: string): boolean {
  return isFieldName(name) && name !== "host" && !isHopByHop(name);
}

/** Whether a text holds what could end a header line: CR, LF or NUL. */
export function breaksLine(text: string): boolean {
  return unsafe.test(text);
}
