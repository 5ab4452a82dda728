import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { GatehouseError } from "../diagnostics/index.js";
import { isLoopback, type ListenAddress } from "./address.js";
import { type Guard, text } from "./admin.js";

interface GuardOptions {
  readonly address: ListenAddress;
  /** Host names that are allowed beside IPs and localhost. */
  readonly hosts: readonly string[];
  readonly tokenFile: string | undefined;
}

/**
 * Who may read the admin pages: requests whose Host header is an IP, localhost or a listed name (a page in a
 * browser that was pointed here by DNS rebinding sends another one), with the bearer token if there is one.
 * Throws `bad_flag` when the address can be reached from other machines and there is no token.
 */
export function createAdminGuard({ address, hosts, tokenFile }: GuardOptions): Guard {
  if (tokenFile === undefined && !isLoopback(address)) {
    throw new GatehouseError(
      "bad_flag",
      "an admin address beyond loopback needs a token, expected --admin-token-file FILE",
    );
  }
  const expected = tokenFile === undefined ? undefined : digest(`Bearer ${readToken(tokenFile)}`);
  const names = new Set(hosts.map((host) => host.toLowerCase()));
  return (request) => {
    if (address.kind === "tcp" && !isKnownHost(request.headers.host ?? "", names)) {
      return text(403, "the Host header is not an IP, localhost or a name given by --admin-host");
    }
    if (expected !== undefined && !timingSafeEqual(digest(request.headers.authorization ?? ""), expected)) {
      return text(401, "a bearer token is needed");
    }
    return undefined;
  };
}

function isKnownHost(header: string, names: ReadonlySet<string>): boolean {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(header);
  if (match === null) return false;
  if (match[1] !== undefined) return isIP(match[1]) === 6;
  const name = (match[2] ?? "").toLowerCase();
  return name === "localhost" || isIP(name) === 4 || names.has(name);
}

function readToken(file: string): string {
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read the admin token file \`${file}\``, { cause });
  }
  if (token === "") throw new GatehouseError("bad_flag", `the admin token file \`${file}\` is empty`);
  return token;
}

/** Compared instead of the text, so that neither content nor length shows in the time it takes. */
function digest(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}
