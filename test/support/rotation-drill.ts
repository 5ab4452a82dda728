import { generateKeyPairSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { SignJWT } from "jose";
import { createCheckClient } from "./grpc-client.js";
import type { OidcServer } from "./oidc.js";
import { requestFor, statusOf } from "./server-fixture.js";

/** What to do when; all in milliseconds. */
export interface DrillTimes {
  /** Before the first rotation, after each one, and after the end of the outage. */
  readonly pauseMs: number;
  readonly outageMs: number;
}

/** What came of a drill. */
export interface DrillResult {
  readonly elapsedMs: number;
  /** Checks of tokens that must pass, and how long the slowest one took. */
  readonly good: number;
  readonly slowestMs: number;
  /** Checks of tokens that must not pass. */
  readonly bad: number;
  /** Answers that should have been others, in words. */
  readonly wrong: readonly string[];
  /** When keys were fetched, from the beginning of the drill on. */
  readonly fetches: readonly number[];
  readonly fetchesInOutage: number;
}

interface DrillOptions {
  readonly oidc: OidcServer;
  /** Where Check is answered, by a configuration that asks for a token of this server. */
  readonly grpc: string;
  readonly times: DrillTimes;
  readonly clients?: number;
}

/** Tokens that are kept to be shown again. */
const remembered = 200;

/**
 * Keys rotate three times, and between the first and the second time the provider's discovery and keys cannot be
 * reached. Meanwhile clients show a fresh token each time, an old one, and a forged one. The provider signs with a
 * key from the moment on at which it publishes it, and rotates only while it can be reached. In the outage one client
 * names keys that do not exist.
 */
export async function runRotationDrill(options: DrillOptions): Promise<DrillResult> {
  const { oidc, grpc, times, clients = 6 } = options;
  const wrong: string[] = [];
  const issued: string[] = [];
  const seen = { good: 0, bad: 0, slowestMs: 0 };
  const began = performance.now();
  const stranger = await makeStranger(oidc);
  let phase = "before";
  let isOver = false;

  const client = async (): Promise<void> => {
    const { check, close } = createCheckClient(grpc);
    const ask = async (token: string, expected: number, what: string): Promise<void> => {
      const start = performance.now();
      const got = await statusOrError(() => check(requestWith(token)));
      const tookMs = performance.now() - start;
      if (expected === 200) seen.slowestMs = Math.max(seen.slowestMs, tookMs);
      seen[expected === 200 ? "good" : "bad"] += 1;
      if (got !== expected) wrong.push(`${phase}: ${what} got ${got} after ${Math.round(tookMs)} ms`);
    };
    while (!isOver) {
      const token = await oidc.accessToken();
      issued.push(token);
      if (issued.length > remembered) issued.shift();
      await ask(token, 200, "a fresh token");
      await ask(issued[Math.floor(Math.random() * issued.length)] ?? token, 200, "an old token");
      await ask(forge(token), 401, "a forged token");
      if (!oidc.reachable) await ask(stranger, 401, "a token of an unknown key");
    }
    close();
  };

  const load = Promise.all(Array.from({ length: clients }, client));
  const enter = async (name: string, ms: number): Promise<void> => {
    phase = name;
    await sleep(ms);
  };
  await enter("before", times.pauseMs);
  oidc.rotate();
  await enter("first rotation", times.pauseMs);
  oidc.reachable = false;
  const outageBegan = performance.now();
  await enter("outage", times.outageMs);
  oidc.reachable = true;
  const outageEnded = performance.now();
  await enter("after the outage", times.pauseMs);
  oidc.rotate();
  await enter("second rotation", times.pauseMs);
  oidc.rotate();
  await enter("third rotation", times.pauseMs);
  isOver = true;
  await load;
  return {
    elapsedMs: performance.now() - began,
    ...seen,
    wrong,
    fetches: oidc.keyFetches.filter((at) => at >= began).map((at) => at - began),
    fetchesInOutage: oidc.keyFetches.filter((at) => at >= outageBegan && at < outageEnded).length,
  };
}

/** How many fetches stand together in one interval at most. */
export function mostInInterval(fetches: readonly number[], intervalMs: number): number {
  return Math.max(
    0,
    ...fetches.map((from) => fetches.filter((at) => at >= from && at < from + intervalMs).length),
  );
}

async function statusOrError(ask: () => Promise<Parameters<typeof statusOf>[0]>): Promise<number | string> {
  try {
    return statusOf(await ask());
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function requestWith(token: string): ReturnType<typeof requestFor> {
  const { attributes } = requestFor("/orders");
  const http = { ...attributes?.request?.http, headers: { authorization: `Bearer ${token}` } };
  return { attributes: { ...attributes, request: { http } } };
}

/** Another subject under the same signature. */
function forge(token: string): string {
  const [header, payload = "", signature] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
  const forged = Buffer.from(JSON.stringify({ ...claims, sub: "root" })).toString("base64url");
  return `${header}.${forged}.${signature}`;
}

function makeStranger({ issuer }: OidcServer): Promise<string> {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return new SignJWT({ sub: "nobody" })
    .setProtectedHeader({ alg: "RS256", kid: "unknown" })
    .setIssuer(issuer)
    .setExpirationTime("1h")
    .sign(privateKey);
}
