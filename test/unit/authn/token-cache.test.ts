import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createTokenCache,
  createTokenVerifier,
  type KeySet,
  type TokenVerifier,
} from "../../../src/authn/index.js";
import { type Jwt, parseJwt } from "../../../src/authn/jwt.js";
import type { VerifiedToken } from "../../../src/authn/token-cache.js";
import { digestOf } from "../../../src/authn/token-readings.js";
import { keptBytes } from "../../support/cost.js";
import { aSigner, countedKeys, keySet, noFindings } from "../../support/tokens.js";

const signer = aSigner("k");

function jwtOf(token: string): Jwt {
  const jwt = parseJwt(token);
  if (typeof jwt === "string") throw new Error(jwt);
  return jwt;
}
const verified = (size = 1): VerifiedToken => ({
  jwt: { ...jwtOf(signer.token()), payloadPart: "p".repeat(size) },
  accepted: [],
});

describe("remembered tokens", () => {
  // The cache reads its clock again when a timer of it has run.
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("are forgotten at their end", () => {
    const cache = createTokenCache(10, Date.now);
    const token = verified();
    cache.set("a", token, 30_000);
    vi.advanceTimersByTime(29_000);
    expect(cache.get("a")).toBe(token);
    vi.advanceTimersByTime(2000);
    expect(cache.get("a")).toBeUndefined();
  });

  it("are not remembered past their end", () => {
    const cache = createTokenCache(10, Date.now);
    cache.set("a", verified(), 0);
    cache.set("b", verified(), -5000);
    expect([cache.get("a"), cache.get("b")]).toEqual([undefined, undefined]);
  });

  it("may end in the year 584 554 051 223", () => {
    const cache = createTokenCache(10, Date.now);
    cache.set("a", verified(), 2 ** 64 * 1000);
    vi.advanceTimersByTime(86_400_000);
    expect(cache.get("a")).toBeDefined();
  });

  it("are at most so many, those used last", () => {
    const cache = createTokenCache(2, Date.now);
    cache.set("a", verified(), 1000);
    cache.set("b", verified(), 1000);
    cache.get("a");
    cache.set("c", verified(), 1000);
    expect(["a", "b", "c"].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true]);
  });

  it("hold at most 32 million characters together", () => {
    const cache = createTokenCache(10_000, Date.now);
    for (let i = 0; i < 1000; i++) cache.set(String(i), verified(65_536), 1000);
    const kept = Array.from({ length: 1000 }, (_, i) => cache.get(String(i))).filter((token) => token);
    expect(kept.length).toBeGreaterThan(400);
    expect(kept.length).toBeLessThanOrEqual(512);
  });

  it("are none where none may be", () => {
    const cache = createTokenCache(0, Date.now);
    cache.set("a", verified(), 1000);
    expect(cache.get("a")).toBeUndefined();
  });
});

describe("a verifier", () => {
  const make = (): TokenVerifier => createTokenVerifier(createTokenCache(10, () => performance.now()));
  const token = signer.token();
  /** As a rule makes it. */
  const nameOf = (text: string, { generation }: KeySet): string =>
    `${generation}:${digestOf(noFindings().readings, text)}`;
  const verify = (verifier: TokenVerifier, keys: KeySet, text = token): ReturnType<TokenVerifier["verify"]> =>
    verifier.verify(nameOf(text, keys), jwtOf(text), keys.keys, 60_000);

  it("remembers a token whose signature is good, without the signature", async () => {
    const verifier = make();
    const keys = keySet(signer);
    const result = await verify(verifier, keys);
    expect(verifier.known(nameOf(token, keys))).toBe(result);
    expect(result).toMatchObject({ jwt: { signature: Buffer.alloc(0) } });
  });

  it("remembers the parts as they stand in the token, and all else that was read", async () => {
    const { signature: _, ...rest } = jwtOf(token);
    const [headerPart, payloadPart] = token.split(".");
    const result = await verify(make(), keySet(signer));
    expect(result).toMatchObject({ jwt: { ...rest, headerPart, payloadPart } });
  });

  it("keeps nothing alive of the line that a token stood in", async () => {
    const tokens = 100;
    const line = 60_000;
    const verifier = createTokenVerifier(createTokenCache(tokens, () => performance.now()));
    const keys = keySet(signer);
    const bytes = await keptBytes(async () => {
      for (let i = 0; i < tokens; i++) {
        const text = Buffer.from(`${"x".repeat(line)} Bearer ${signer.token({ jti: String(i) })}`);
        await verify(verifier, keys, text.toString("latin1").slice(line + " Bearer ".length));
      }
      return verifier;
    });
    expect(bytes).toBeLessThan((tokens * line) / 2);
  });

  it("remembers nothing of a token whose signature is not", async () => {
    const verifier = make();
    const keys = keySet(aSigner("k"));
    expect(await verify(verifier, keys)).toBe("jwt_verification_failed");
    expect(verifier.known(nameOf(token, keys))).toBeUndefined();
  });

  it("verifies once for all who wait, and again for who comes later when nothing is remembered", async () => {
    const verifier = createTokenVerifier(createTokenCache(0, () => 0));
    const counted = countedKeys(signer);
    const waiting = Array.from({ length: 50 }, () => verify(verifier, counted.keys));
    expect(new Set(await Promise.all(waiting)).size).toBe(1);
    expect(counted.verifications()).toBe(1);
    await verify(verifier, counted.keys);
    expect(counted.verifications()).toBe(2);
  });

  it("knows a token by all of it and by the generation of the keys", async () => {
    const verifier = make();
    const keys = keySet(signer);
    await verify(verifier, keys);
    const [header, payload] = token.split(".");
    const others = [`${token} `, `.${token}`, `${header}.${payload}.c2ln`, signer.token({ sub: "bob" })];
    expect(others.map((other) => verifier.known(nameOf(other, keys)))).toEqual(others.map(() => undefined));
    expect(verifier.known(nameOf(token, keySet(signer)))).toBeUndefined();
  });

  it("does not keep the token in the name that it knows it by", () => {
    const name = digestOf(noFindings().readings, token);
    for (const part of token.split(".")) expect(name).not.toContain(part.slice(0, 16));
    expect(name.length).toBeLessThan(64);
  });
});
