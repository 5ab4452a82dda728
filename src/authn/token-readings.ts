import { hash } from "node:crypto";
import type { ByteString } from "../attributes/index.js";
import { type Jwt, parseJwt } from "./jwt.js";
import type { JwtReason } from "./jwt-status.js";

/** What was read of the tokens of one request: once, however many rules look at them and how often. */
export interface TokenReadings {
  readonly digests: Map<ByteString, string>;
  readonly parsed: Map<ByteString, Jwt | JwtReason>;
}

/** SHA-256 of the whole token. */
export function digestOf({ digests }: TokenReadings, token: ByteString): string {
  let digest = digests.get(token);
  if (digest === undefined) {
    digest = hash("sha256", token, "base64");
    digests.set(token, digest);
  }
  return digest;
}

/** {@link parseJwt}. */
export function parseOnce({ parsed }: TokenReadings, token: ByteString): Jwt | JwtReason {
  let jwt = parsed.get(token);
  if (jwt === undefined) {
    jwt = parseJwt(token);
    parsed.set(token, jwt);
  }
  return jwt;
}
