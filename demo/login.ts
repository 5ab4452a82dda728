import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from "jose";

/** A login service on loopback, for trying things: it asks nobody who they are. */
export interface Login {
  readonly jwksUri: string;
  /** By the names that stand in the demo's requests. */
  readonly tokens: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

/** The address in `policies/demo/account.yaml`. */
export const JWKS_URI = "http://127.0.0.1:8383/keys";

const ISSUER = "https://login.bookshop.example";
const ALG = "ES256";
/** What a client of `/introspect` shows, as basic credentials. */
const CLIENT = "gatehouse:not-a-secret";

interface Key extends GenerateKeyPairResult {
  readonly kid: string;
}

/** Claims as the query of `/token` gives them. */
type Wishes = ReadonlyMap<string, string>;

/**
 * Makes a key and the demo's tokens and starts the service; port 0 takes a free one. It answers `GET /keys`,
 * `GET /.well-known/openid-configuration`, `GET /token?sub=…&aud=…&expires=…&NAME=VALUE` (with `opaque=yes` one that
 * only `POST /introspect` understands), and `POST /rotate` makes another key and signs with that.
 */
export async function startLogin(port: number): Promise<Login> {
  const keys: [Key, ...Key[]] = [await makeKey("demo-1")];
  const opaque = new Map<string, Readonly<Record<string, unknown>>>();
  let base = "";

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const url = new URL(request.url ?? "/", base);
    switch (`${request.method} ${url.pathname}`) {
      case "GET /keys":
        return { keys: await Promise.all(keys.map(publicPart)) };
      case "GET /.well-known/openid-configuration":
        return { issuer: base, jwks_uri: `${base}/keys` };
      case "GET /token": {
        const { opaque: isOpaque, ...claims } = Object.fromEntries(url.searchParams);
        if (isOpaque === undefined) return signToken(keys[0], new Map(Object.entries(claims)));
        const token = randomBytes(24).toString("base64url");
        opaque.set(token, { active: true, sub: "ann", ...claims });
        return token;
      }
      case "POST /introspect": {
        const shown = request.headers.authorization ?? "";
        if (shown !== `Basic ${Buffer.from(CLIENT).toString("base64")}`) return undefined;
        return opaque.get(new URLSearchParams(await text(request)).get("token") ?? "") ?? { active: false };
      }
      case "POST /rotate":
        keys.unshift(await makeKey(`demo-${keys.length + 1}`));
        return keys[0].kid;
      default:
        return undefined;
    }
  };

  const server = createServer((request, response) => {
    answer(request).then(
      (found) => {
        const isText = typeof found === "string";
        const type = isText ? "text/plain" : "application/json";
        response.writeHead(found === undefined ? 404 : 200, { "content-type": type });
        response.end(`${isText ? found : JSON.stringify(found ?? {})}\n`);
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    jwksUri: `${base}/keys`,
    tokens: await demoTokens(keys[0]),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function demoTokens(key: Key): Promise<ReadonlyMap<string, string>> {
  const stranger = await makeKey(key.kid);
  return new Map([
    ["good token", await signToken(key, new Map([["expires", "12h"]]))],
    ["token of bob", await signToken(key, new Map([["sub", "bob"]]))],
    [
      "token of eve from support",
      await signToken(
        key,
        new Map([
          ["sub", "eve"],
          ["role", "support"],
        ]),
      ),
    ],
    ["expired token", await signToken(key, new Map([["expires", "1h ago"]]))],
    ["token for another shop", await signToken(key, new Map([["aud", "toyshop"]]))],
    ["token that a stranger signed", await signToken(stranger, new Map())],
  ]);
}

async function makeKey(kid: string): Promise<Key> {
  return { ...(await generateKeyPair(ALG)), kid };
}

async function publicPart({ publicKey, kid }: Key): Promise<object> {
  return { ...(await exportJWK(publicKey)), kid, alg: ALG, use: "sig" };
}

/** Of ann for the bookshop, good for an hour, unless something else is wished. */
function signToken({ privateKey, kid }: Key, wishes: Wishes): Promise<string> {
  const { expires = "1h", ...claims } = Object.fromEntries(wishes);
  return new SignJWT({ iss: ISSUER, sub: "ann", aud: "bookshop", ...claims })
    .setProtectedHeader({ alg: ALG, kid, typ: "JWT" })
    .setExpirationTime(expires)
    .sign(privateKey);
}
