import { z } from "zod";
import { type IpRange, ipRange, parseIp } from "../attributes/index.js";
import { codes, type Finding, finding } from "../diagnostics/index.js";
import type { ClientCertHeader, ClientCertHeaders } from "../engine/index.js";
import { parseCidr } from "../matchers/index.js";

/** `Mesh.spec.clientCertHeaders` as written. */
interface Given {
  readonly headers: readonly ClientCertHeader[];
  readonly trustedPeers: readonly string[];
}

/** A trust domain, alone or with a path of whole segments (SPIFFE-ID section 2). */
const spiffeId = /^spiffe:\/\/[a-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/;

const isPeer = (text: string): boolean => spiffeId.test(text) || parseCidr(text) !== undefined;

/** `Mesh.spec.clientCertHeaders`; both lists are empty when absent. */
export const clientCertHeaders: z.ZodType<Given, { [K in keyof Given]?: Given[K] | undefined }> =
  z.strictObject({
    headers: z.array(z.enum(["x-forwarded-client-cert", "client-cert"])).default([]),
    trustedPeers: z
      .array(z.string().refine(isPeer, "expected an IP address, a CIDR range or a SPIFFE id"))
      .default([]),
  });

/** Says when one list is there without the other, and when everybody is trusted. */
export function checkClientCertHeaders({ headers, trustedPeers }: Given): Finding[] {
  if (headers.length > 0 === trustedPeers.length > 0) {
    return trustedPeers.flatMap((peer, i) => {
      if (parseCidr(peer)?.prefixLen !== 0) return [];
      const message = `\`${peer}\` is every address, so that any peer can say who called; expected the proxies that set the header`;
      return [finding(codes.everybodyTrusted, ["spec", "clientCertHeaders", "trustedPeers", i], message)];
    });
  }
  const missing = headers.length > 0 ? "trustedPeers" : "headers";
  const message = `\`clientCertHeaders\` has no effect without \`${missing}\``;
  return [finding(codes.clientCertHeadersInPart, ["spec", "clientCertHeaders"], message)];
}

/** What the reader of requests needs; undefined when no header is believed from anybody. */
export function toClientCertHeaders({ headers, trustedPeers }: Given): ClientCertHeaders | undefined {
  if (headers.length === 0 || trustedPeers.length === 0) return undefined;
  return {
    headers,
    trustedRanges: trustedPeers.flatMap(toRange),
    trustedIds: trustedPeers.filter((peer) => spiffeId.test(peer)),
  };
}

function toRange(text: string): readonly IpRange[] {
  const range = parseCidr(text);
  const ip = range && parseIp(range.addressPrefix);
  return range === undefined || ip === undefined ? [] : [ipRange(ip, range.prefixLen)];
}
