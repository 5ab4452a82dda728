import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";
import { jwksOf, type SigningKey } from "./key-endpoint.js";

/** One request that reached the issuer. */
export interface IssuerHit {
  readonly path: string;
  /** By `performance.now`. */
  readonly at: number;
}

/** An issuer of tokens on loopback, with discovery and a JWKS that change when told. */
export interface Issuer {
  /** Its name and the address of its documents. */
  readonly issuer: string;
  readonly jwksUri: string;
  readonly hits: readonly IssuerHit[];
  /** Keys that are published from now on. */
  publish(...keys: readonly SigningKey[]): void;
  /** What it answers instead of its documents; `hang`: nothing at all. */
  mode: "up" | "hang" | "failing";
  cacheControl: string | undefined;
  token(key: SigningKey, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  stop(): Promise<void>;
}

/** Starts an issuer that publishes these keys. */
export async function startIssuer(...keys: readonly SigningKey[]): Promise<Issuer> {
  const hits: IssuerHit[] = [];
  let published = keys;
  let base = "";
  const server = createServer((request, response) => {
    hits.push({ path: request.url ?? "", at: performance.now() });
    if (issuer.mode === "hang") return;
    if (issuer.mode === "failing") response.writeHead(500).end("<html>secret of the issuer</html>");
    else if (request.url === "/jwks") answer(response, jwksOf(...published), issuer.cacheControl);
    else if (request.url === "/.well-known/openid-configuration") {
      answer(response, JSON.stringify({ issuer: base, jwks_uri: `${base}/jwks` }), undefined);
    } else response.writeHead(404).end();
  });
  await listen(server);
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: Issuer = {
    issuer: base,
    jwksUri: `${base}/jwks`,
    hits,
    mode: "up",
    cacheControl: undefined,
    publish(...next) {
      published = next;
    },
    token: ({ kid, privateKey }, claims = {}) =>
      new SignJWT({ sub: "alice", ...claims })
        .setProtectedHeader({ alg: "ES256", kid })
        .setIssuer(base)
        .setExpirationTime("5m")
        .sign(privateKey),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return issuer;
}

function answer(response: ServerResponse, body: string, cacheControl: string | undefined): void {
  response.writeHead(200, {
    "content-type": "application/json",
    ...(cacheControl === undefined ? {} : { "cache-control": cacheControl }),
  });
  response.end(body);
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
}
