import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { HttpAnswer, HttpQuestion } from "../../src/adapters/http.js";
import type { FakeTime } from "./fake-time.js";

/** A key pair whose public part can be published. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** Makes an ES256 key, which is quick. */
export function makeKey(kid: string): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { kid, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" } };
}

/** JSON text of a JWKS. */
export function jwksOf(...keys: readonly SigningKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

/** What an endpoint of a test answers. */
export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
}

/** Endpoints without a network. */
export interface FakeEndpoints {
  readonly send: (question: HttpQuestion) => Promise<HttpAnswer>;
  /** By URL; a function may throw or return a promise. */
  readonly answers: Map<string, FakeAnswer | (() => FakeAnswer | Promise<FakeAnswer>)>;
  /** URLs that were asked, with the time of each. */
  readonly asked: { readonly url: string; readonly at: number; readonly question: HttpQuestion }[];
}

/** Nothing answers until `answers` says so: then it is 404. */
export function createFakeEndpoints(time: Pick<FakeTime, "now">): FakeEndpoints {
  const answers: FakeEndpoints["answers"] = new Map();
  const asked: FakeEndpoints["asked"] = [];
  return {
    answers,
    asked,
    async send(question) {
      const { scheme, host, port } = question.origin;
      const usual = port === (scheme === "https" ? 443 : 80);
      const url = `${scheme}://${host}${usual ? "" : `:${port}`}${question.path}`;
      asked.push({ url, at: time.now(), question });
      const given = answers.get(url);
      const answer = typeof given === "function" ? await given() : (given ?? { status: 404 });
      return {
        status: answer.status ?? 200,
        headers: answer.headers ?? [],
        body: Buffer.from(answer.body ?? ""),
      };
    },
  };
}
