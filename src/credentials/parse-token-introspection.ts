import { z } from "zod";
import { parseIp } from "../attributes/index.js";
import type { TokenPlaces } from "../authn/index.js";
import { codes, type Finding, finding, hasErrors } from "../diagnostics/index.js";
import {
  durationWithin,
  type Parsed,
  parseHttpUrl,
  type Reference,
  type ResourceDocument,
} from "../documents/index.js";
import { filledText, parseCredential } from "./credential-fields.js";
import type { ClientCredentials, TokenIntrospection } from "./token-introspection.js";

/** RFC 6750 section 2.3 advises against tokens in a query, so there is no parameter unless it is named. */
const bearerHeader: TokenPlaces = {
  headers: [{ name: "authorization", prefix: "Bearer ", opaque: true }],
  params: [],
  cookies: [],
};

/** RFC 6749 section 3.3, which also is what may stand in a challenge. */
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'expected a scope: printable ASCII without space, `"` and `\\`');

const endpoint = z
  .string()
  .refine(isEndpoint, "expected an http or https URL without user, password and fragment");

/** No message repeats it: the secret itself may stand here by mistake. */
const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "expected the name of an environment variable");

const own = z.strictObject({
  endpoint,
  issuer: filledText.optional(),
  clientId: filledText.optional(),
  clientSecretFile: filledText.optional(),
  clientSecretEnv: variable.optional(),
  clientAuth: z.enum(["basic", "post"]).default("basic"),
  requiredScopes: z.array(scope).default([]),
  audiences: z.array(filledText).default([]),
  timeout: durationWithin("1ms", "10s").prefault("2s"),
  cacheTtl: durationWithin("0s", "5m").prefault("30s"),
  tokenTypeHint: filledText.optional(),
  maxTokenBytes: z.int().min(1).max(16_384).default(4096),
});

/** Parses a TokenIntrospection; the client's secret is a reference, see {@link completeTokenIntrospection}. */
export function parseTokenIntrospection(document: ResourceDocument): Parsed<TokenIntrospection> {
  const { spec, findings } = parseCredential(document, own, bearerHeader);
  if (spec === undefined) return { spec: undefined, findings };
  const { issuer, clientId, clientSecretFile, clientSecretEnv, clientAuth, timeout, cacheTtl, ...rest } =
    spec;
  const all = [...findings, ...checkClient(spec), ...checkTransport(spec.endpoint)];
  if (hasErrors(all)) return { spec: undefined, findings: all };
  const references: Reference[] = [];
  let client: ClientCredentials | undefined;
  for (const [secretField, kind, name] of [
    ["clientSecretFile", "file", clientSecretFile],
    ["clientSecretEnv", "env", clientSecretEnv],
  ] as const) {
    if (name === undefined || clientId === undefined) continue;
    references.push({ kind, name, path: ["spec", secretField] });
    client = { id: clientId, secret: "", auth: clientAuth, secretField };
  }
  return {
    spec: {
      ...rest,
      tokenTypeHint: spec.tokenTypeHint,
      issuer: issuer ?? new URL(spec.endpoint).origin,
      anyIssuer: issuer === undefined,
      client,
      timeoutMs: timeout,
      cacheTtlMs: cacheTtl,
    },
    findings: all,
    ...(references.length > 0 && { references }),
  };
}

/** Puts the client's secret in: the text without the line end behind it. */
export function completeTokenIntrospection(
  spec: TokenIntrospection,
  [text]: readonly string[],
): Parsed<TokenIntrospection> {
  const { client } = spec;
  if (client === undefined) return { spec, findings: [] };
  const secret = (text ?? "").replace(/\r?\n$/, "");
  if (secret !== "") return { spec: { ...spec, client: { ...client, secret } }, findings: [] };
  const message = `\`${client.secretField}\` names an empty text, expected the client's secret`;
  return { spec: undefined, findings: [finding(codes.emptyValue, ["spec", client.secretField], message)] };
}

function isEndpoint(text: string): boolean {
  const url = parseHttpUrl(text);
  return url !== undefined && url.username === "" && url.password === "" && !text.includes("#");
}

function checkClient({
  clientId,
  clientSecretFile,
  clientSecretEnv,
}: Pick<z.output<typeof own>, "clientId" | "clientSecretFile" | "clientSecretEnv">): Finding[] {
  const secretField = clientSecretFile === undefined ? "clientSecretEnv" : "clientSecretFile";
  const hasSecret = (clientSecretFile ?? clientSecretEnv) !== undefined;
  if (clientSecretFile !== undefined && clientSecretEnv !== undefined) {
    const message = "expected one of `clientSecretFile` and `clientSecretEnv`, not both";
    return [finding(codes.conflictingFields, ["spec", "clientSecretEnv"], message)];
  }
  if (hasSecret && clientId === undefined) {
    const message = `\`clientId\` is missing, expected it beside \`${secretField}\``;
    return [finding(codes.missingField, ["spec", secretField], message)];
  }
  if (clientId !== undefined && !hasSecret) {
    const message = "`clientSecretFile` or `clientSecretEnv` is missing, expected one beside `clientId`";
    return [finding(codes.missingField, ["spec", "clientId"], message)];
  }
  if (clientId !== undefined) return [];
  const message =
    "no `clientId`, so the endpoint is asked without credentials; expected a client (RFC 7662 section 2.1)";
  return [finding(codes.introspectionWithoutClient, ["spec", "endpoint"], message)];
}

/** Tokens and the secret go there. */
function checkTransport(endpointUrl: string): Finding[] {
  const { protocol, hostname } = new URL(endpointUrl);
  if (protocol === "https:" || isLoopback(hostname)) return [];
  const message = `\`${hostname}\` is asked over http, so tokens and the client's secret can be read on the way; expected https`;
  return [finding(codes.plainTextSecrets, ["spec", "endpoint"], message)];
}

function isLoopback(hostname: string): boolean {
  if (hostname === "localhost" || hostname === "[::1]") return true;
  return hostname.startsWith("127.") && parseIp(hostname) !== undefined;
}
