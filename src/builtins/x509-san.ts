import { BuiltinError } from "./builtin.js";
import { context, type Der, enter, isEmpty, read, tags } from "./der.js";
import { parseUrl, type Url } from "./url.js";
import { asciiText } from "./x509-name.js";

/** The alternative names of a subject. */
export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ips: readonly Buffer[];
  readonly uris: readonly Url[];
}

/** Reads the extension; names of other kinds are skipped. */
export function readAlternativeNames(input: Der): AlternativeNames {
  const list = enter(input, tags.sequence);
  const [dns, emails, ips, uris]: [string[], string[], Buffer[], Url[]] = [[], [], [], []];
  while (!isEmpty(list)) {
    const { tag, body } = read(list);
    if (tag === context(1)) emails.push(asciiText(body));
    else if (tag === context(2)) dns.push(asciiText(body));
    else if (tag === context(6)) uris.push(uriOf(asciiText(body)));
    else if (tag === context(7)) ips.push(addressOf(body));
  }
  return { dns, emails, ips, uris };
}

function uriOf(text: string): Url {
  const url = parseUrl(text);
  if (!isDomainName(url.host, false)) throw new BuiltinError("URI with an invalid domain");
  return url;
}

function addressOf(body: Buffer): Buffer {
  if (body.length !== 4 && body.length !== 16) throw new BuiltinError("IP address of a wrong length");
  return body;
}

/** Whether Go takes a text for a domain name: no empty label, no dot at the end. A constraint may begin with one. */
export function isDomainName(text: string, constraint: boolean): boolean {
  if (text === "") return true;
  const name = constraint ? text.replace(/^\./, "") : text;
  return /^[\x21-\x7e]*$/.test(name) && !text.endsWith(".") && name.split(".").every((label) => label !== "");
}
