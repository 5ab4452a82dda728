import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type AdapterFactory, type AdapterPayload, type Configuration, Provider } from "oidc-provider";

/** A real OpenID Connect server on loopback, for its tokens, its keys and its introspection. */
export interface OidcServer {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly tokenEndpoint: string;
  readonly introspectionEndpoint: string;
  readonly client: { readonly id: string; readonly secret: string };
  /** Of every JWT that it gives. */
  readonly audience: string;
  /** When its JWKS was asked for, also in vain, by `performance.now`. */
  readonly keyFetches: readonly number[];
  /** When its discovery document was asked for. */
  readonly discoveries: readonly number[];
  /** False: discovery and JWKS end every connection; tokens and introspection go on. */
  reachable: boolean;
  /** Signs with a new key from now on and publishes it; the old ones stay published, as many as `keep` says. */
  rotate(): void;
  /** Gives a new access token by the client credentials grant: signed, or opaque. */
  accessToken(format?: "jwt" | "opaque"): Promise<string>;
  /** Takes back an opaque token (RFC 7009). */
  revoke(token: string): Promise<void>;
  stop(): Promise<void>;
}

/** How the server is to be. */
export interface OidcOptions {
  /** Keys that are published beside the one that signs. */
  readonly keep?: number;
  /** Of its JWKS; none by default, as oidc-provider has it. */
  readonly cacheControl?: string;
  readonly tokenTtlSeconds?: number;
}

const client = { id: "shop", secret: "only-in-tests-0123456789-0123456789" };
const audience = "https://orders.test";
const opaqueResource = "https://opaque.test";
const discoveryPath = "/.well-known/openid-configuration";

/** Starts a server with a key of its own. */
export async function startOidc(options: OidcOptions = {}): Promise<OidcServer> {
  const keyFetches: number[] = [];
  const discoveries: number[] = [];
  const adapter = createStore();
  let keys: readonly JsonWebKey[] = [];
  let handle: (request: IncomingMessage, response: ServerResponse) => unknown = () => {};
  const server = createServer((request, response) => {
    const isKeys = request.url === "/jwks";
    if (isKeys) keyFetches.push(performance.now());
    if (request.url === discoveryPath) discoveries.push(performance.now());
    if (!oidc.reachable && (isKeys || request.url === discoveryPath)) {
      request.socket.destroy();
      return;
    }
    if (isKeys && options.cacheControl !== undefined)
      response.setHeader("cache-control", options.cacheControl);
    void handle(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const post = async (path: string, form: Record<string, string>): Promise<unknown> => {
    const basic = Buffer.from(`${client.id}:${client.secret}`).toString("base64");
    const response = await fetch(`${issuer}${path}`, {
      method: "POST",
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams(form),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };

  const oidc: OidcServer = {
    issuer,
    jwksUri: `${issuer}/jwks`,
    tokenEndpoint: `${issuer}/token`,
    introspectionEndpoint: `${issuer}/token/introspection`,
    client,
    audience,
    keyFetches,
    discoveries,
    reachable: true,
    rotate() {
      // The first one that fits signs.
      keys = [makeKey(), ...keys].slice(0, 1 + (options.keep ?? 2));
      const provider = new Provider(issuer, { ...configure(keys, options.tokenTtlSeconds ?? 300), adapter });
      handle = provider.callback();
    },
    async accessToken(format = "jwt") {
      const resource = format === "jwt" ? audience : opaqueResource;
      const answer = await post("/token", {
        grant_type: "client_credentials",
        scope: "orders:read",
        resource,
      });
      return (answer as { access_token: string }).access_token;
    },
    async revoke(token) {
      await post("/token/revocation", { token });
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  oidc.rotate();
  return oidc;
}

/** Tokens outlive a rotation, as in a real server's database. */
function createStore(): AdapterFactory {
  const stored = new Map<string, AdapterPayload>();
  return (kind) => ({
    upsert: async (id, payload) => void stored.set(`${kind}:${id}`, payload),
    find: async (id) => stored.get(`${kind}:${id}`),
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
    consume: async () => {},
    destroy: async (id) => void stored.delete(`${kind}:${id}`),
    revokeByGrantId: async () => {},
  });
}

let made = 0;

function makeKey(): JsonWebKey {
  made += 1;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: `key-${made}`, alg: "RS256", use: "sig" };
}

function configure(keys: readonly JsonWebKey[], ttl: number): Configuration {
  return {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys: [...keys] } as NonNullable<Configuration["jwks"]>,
    cookies: { keys: ["only-in-tests"] },
    scopes: ["orders:read"],
    ttl: { ClientCredentials: ttl },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: "orders:read",
          audience: resource,
          accessTokenTTL: ttl,
          accessTokenFormat: resource === opaqueResource ? "opaque" : "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  };
}
