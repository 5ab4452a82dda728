import Provider from "oidc-provider";
import { freePort } from "./ports.js";

/** A real authorization server (oidc-provider) that gives out opaque tokens to its clients and introspects them. */
export interface AuthorizationServer {
  readonly issuer: string;
  readonly introspectionEndpoint: string;
  /** A token of the client `orders`, for so long. */
  readonly issue: (scope: string, seconds?: number) => Promise<string>;
  readonly revoke: (token: string) => Promise<void>;
  close(): Promise<void>;
}

/** Who may introspect. Its id and secret need encoding before they fit into Basic credentials. */
export const introspector = { id: "gate:house", secret: "s3cr+t &/%" };

const orders = { id: "orders", secret: "orders-secret" };
const encoded = encodeURIComponent;
const basic = ({ id, secret }: typeof orders): string =>
  `Basic ${Buffer.from(`${encoded(id)}:${encoded(secret)}`).toString("base64")}`;

/** Starts the server on loopback. */
export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  let seconds = 600;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: orders.id,
        client_secret: orders.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: introspector.id,
        client_secret: introspector.secret,
        grant_types: [],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: ["read", "write"],
    ttl: { ClientCredentials: () => seconds },
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientId === introspector.id },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
    },
  });
  const server = provider.listen(port, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const post = async (path: string, form: Record<string, string>): Promise<Response> =>
    fetch(`${issuer}${path}`, {
      method: "POST",
      headers: { authorization: basic(orders) },
      body: new URLSearchParams(form),
    });
  return {
    issuer,
    introspectionEndpoint: `${issuer}/token/introspection`,
    async issue(scope, lifetime = 600) {
      seconds = lifetime;
      const answer = await post("/token", { grant_type: "client_credentials", scope });
      const { access_token: token } = (await answer.json()) as { access_token?: string };
      if (token === undefined) throw new Error(`no token: ${answer.status}`);
      return token;
    },
    async revoke(token) {
      await post("/token/revocation", { token });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
