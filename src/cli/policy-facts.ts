import type { BodyPolicy } from "../body/index.js";
import { meshOf, type Resource } from "../config/index.js";
import type { PolicyFacts } from "../doctor/index.js";

const headerKey = /(?:request|req)\.headers\[\s*["']?([A-Za-z0-9_.-]+)["']?\s*\]/g;
const sourceIp = /\bsource\.ip\b/;
const remoteIp = /\bremote\.ip\b/;
const peer = /\bsource\.(?:principal|namespace|service_account|serviceAccount)\b/;
const peerFields = /^(?:not)?(?:principals|namespaces|serviceaccounts|trustdomains|authenticated)$/i;
const addressFields = /^(?:(?:not)?ipBlocks|direct_?remote_?ip|source_?ip)$/i;
const remoteFields = /^(?:(?:not)?remoteIpBlocks|remote_?ip)$/i;

/** What the loaded policies need of Envoy: too much rather than too little. */
export function factsOf(resources: readonly Resource[]): PolicyFacts {
  const mesh = meshOf(resources);
  const found: Found = {
    headers: new Set(),
    sourceIp: false,
    peer: false,
    // Both get the request as it came.
    any: mesh.extensionProviders.length > 0 || resources.some(({ kind }) => kind === "RegoPolicy"),
  };
  for (const header of mesh.settings.clientCertHeaders?.headers ?? []) found.headers.add(header);
  for (const { kind, spec } of resources) {
    if (kind === "Mesh") continue;
    if (kind === "RequestAuthentication" || kind === "TokenIntrospection") found.headers.add("authorization");
    if (kind === "ApiKeys") found.headers.add("x-api-key");
    collect(spec, "", found, 0);
  }
  const bodies = resources.filter(({ kind }) => kind === "BodyPolicy").map(({ spec }) => spec as BodyPolicy);
  const longest = (lengths: readonly (number | undefined)[]): number | undefined =>
    lengths.length === 0 ? undefined : Math.max(...lengths.map((length) => length ?? 0));
  const { xff, xffPerType, envoyJwtPayloadKey } = mesh.settings;
  const isOne = Object.values(xffPerType).every((one) => Object.keys(one).length === 0);
  return {
    readsHeaders: found.headers,
    readsAnyHeader: found.any,
    readsSourceIp: found.sourceIp || found.any,
    readsPeer: found.peer || found.any,
    hasBodyPolicies: bodies.length > 0,
    bodyPolicies: bodies
      .filter(({ dryRun }) => !dryRun)
      .map(({ namespace, name, obligationOnly }) => ({
        name: `${namespace}/${name}`,
        onObligation: obligationOnly,
      })),
    maxBodyBytes: longest(bodies.map(({ request }) => request?.body?.limits.maxBytes)),
    maxResponseBytes: longest(
      bodies.map(({ response }) =>
        response?.body?.delivery === "whole" ? response.body.limits.maxBytes : undefined,
      ),
    ),
    trustsEnvoyJwt: envoyJwtPayloadKey !== undefined,
    xff: isOne ? xff : undefined,
  };
}

interface Found {
  readonly headers: Set<string>;
  sourceIp: boolean;
  peer: boolean;
  readonly any: boolean;
}

/** Documents are some levels deep; what is deeper is a body's schema. */
const MAX_DEPTH = 32;

function collect(value: unknown, field: string, found: Found, depth: number): void {
  if (depth > MAX_DEPTH) return;
  if (typeof value === "string") {
    for (const [, name] of value.matchAll(headerKey)) found.headers.add((name ?? "").toLowerCase());
    if (sourceIp.test(value)) found.sourceIp = true;
    if (remoteIp.test(value)) readsRemote(found);
    if (peer.test(value)) found.peer = true;
    if (/^(?:header|headers|fromHeaders)$/.test(field) && /^[A-Za-z0-9-]+$/.test(value)) {
      found.headers.add(value.toLowerCase());
    }
    return;
  }
  if (Array.isArray(value)) {
    for (const item of value) collect(item, field, found, depth + 1);
    return;
  }
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  for (const [key, item] of Object.entries(value)) {
    const isFilled = Array.isArray(item) ? item.length > 0 : item !== undefined && item !== null;
    if (isFilled && peerFields.test(key)) found.peer = true;
    if (isFilled && addressFields.test(key)) found.sourceIp = true;
    if (isFilled && remoteFields.test(key)) readsRemote(found);
    // `fromHeaders: [{name}]` of tokens, `header: {name}` of Envoy's RBAC.
    collect(
      item,
      key === "name" && /^(?:header|headers|fromHeaders)$/.test(field) ? field : key,
      found,
      depth + 1,
    );
  }
}

/** `remote.ip` is the peer, or what it says in x-forwarded-for. */
function readsRemote(found: Found): void {
  found.sourceIp = true;
  found.headers.add("x-forwarded-for");
}
