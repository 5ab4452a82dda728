import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { CredentialVerdict } from "../../../src/authn/index.js";
import {
  type ApiKeys,
  createApiKey,
  createApiKeyCheck,
  parseApiKeys,
} from "../../../src/credentials/index.js";
import type { Parsed } from "../../../src/documents/index.js";
import { aDocument, said, someApiKeys } from "./credential-documents.js";

/** Node's own, counted. */
const work = vi.hoisted(() => ({ hmacs: 0, comparisons: 0 }));
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  return {
    ...crypto,
    createHmac: (...args: Parameters<typeof crypto.createHmac>) => {
      work.hmacs += 1;
      return crypto.createHmac(...args);
    },
    timingSafeEqual: (...args: Parameters<typeof crypto.timingSafeEqual>) => {
      work.comparisons += 1;
      return crypto.timingSafeEqual(...args);
    },
  };
});

const now = Date.parse("2026-08-20T12:00:00Z");

/** Bytes that differ from call to call and from run to run not. */
function countingBytes(): (size: number) => Uint8Array {
  let next = 1;
  return (size) => Uint8Array.from({ length: size }, () => (next = (next * 73 + 41) % 251));
}

const random = countingBytes();
const made = createApiKey(random);
const { id, hash, text } = made;
const other = createApiKey(random);

const judge = (token: string, key: Readonly<Record<string, unknown>> = {}, nowMs = now): CredentialVerdict =>
  createApiKeyCheck(someApiKeys({ keys: [{ id, hash, owner: "alice", ...key }] })).judge(
    token,
    nowMs,
  ) as CredentialVerdict;

const reason = (verdict: CredentialVerdict): string => verdict.refusal?.reason ?? "good";

describe("a new API key", () => {
  it("is `gh_`, a public id that begins with a letter, and a secret of 190 bits", () => {
    expect(text).toMatch(/^gh_[A-Za-z][0-9A-Za-z]{9}_[0-9A-Za-z]{32}$/);
    expect(text.startsWith(`gh_${id}_`)).toBe(true);
  });

  it("leaves nothing of its secret in its hash", () => {
    expect(hash).toMatch(/^sha256\$[\w-]{22}\$[\w-]{43}$/);
    expect(hash).not.toContain(text.slice(-8));
  });

  it("has a salt of its own", () => {
    expect(hash.split("$")[1]).not.toBe(other.hash.split("$")[1]);
  });

  it("takes every character alike often", () => {
    let at = 0;
    // Each byte once: 248 of them are four times the alphabet, the others are passed over.
    const all = createApiKey((size) => Uint8Array.from({ length: size }, () => at++ % 256));
    const letters = new Set(all.text.slice(3).replace("_", ""));
    expect(letters.size).toBeGreaterThan(40);
  });
});

describe("an API key in a request", () => {
  it("is its owner", () => {
    const verdict = judge(text, { labels: { team: "a" }, expires: "2026-08-21T00:00:00Z" });
    expect(verdict).toEqual({
      payload: {
        iss: "gatehouse.dev/shop/partners",
        sub: "alice",
        key_id: id,
        labels: { team: "a" },
        exp: Date.parse("2026-08-21T00:00:00Z") / 1000,
      },
      refusal: undefined,
    });
  });

  it("is of the issuer that the document names", () => {
    const spec = someApiKeys({ issuer: "https://keys", keys: [{ id, hash, owner: "alice" }] });
    const verdict = createApiKeyCheck(spec).judge(text, now) as CredentialVerdict;
    expect(verdict.payload).toMatchObject({ iss: "https://keys", sub: "alice" });
  });

  it.each([
    ["of an unknown id", other.text, {}, "api_key_unknown"],
    ["with another secret", `gh_${id}_${other.text.slice(-32)}`, {}, "api_key_unknown"],
    [
      "with one character changed",
      `${text.slice(0, -1)}${text.endsWith("a") ? "b" : "a"}`,
      {},
      "api_key_unknown",
    ],
    ["with its id in another case", text.replace(id, id.toLowerCase()), {}, "api_key_unknown"],
    ["that is over", text, { expires: "2026-08-20T12:00:00Z" }, "api_key_expired"],
    ["that is revoked", text, { revoked: "2030-01-01T00:00:00Z" }, "api_key_revoked"],
    [
      "that is revoked and over",
      text,
      { revoked: "2026-01-01T00:00:00Z", expires: "2026-01-01T00:00:00Z" },
      "api_key_revoked",
    ],
    [
      "with a wrong secret for a key that is over",
      `gh_${id}_${other.text.slice(-32)}`,
      { expires: "2020-01-01T00:00:00Z" },
      "api_key_unknown",
    ],
    ["its hash in its place", hash, {}, "token_malformed"],
    ["cut short", text.slice(0, -8), {}, "token_malformed"],
    ["with white space around", ` ${text}`, {}, "token_malformed"],
    ["twice in one line", `${text},${text}`, {}, "token_malformed"],
    ["empty", "", {}, "token_malformed"],
    ["of a megabyte", `gh_${id}_${"a".repeat(1_000_000)}`, {}, "token_malformed"],
    ["called __proto__", "__proto__", {}, "token_malformed"],
  ])("is refused: %s", (_what, token, key, expected) => {
    const verdict = judge(token, key);
    expect(reason(verdict)).toBe(expected);
    expect({ ...verdict.refusal, reason: "" }).toEqual({
      reason: "",
      httpStatus: 401,
      code: 16,
      body: "API key is not valid",
      challenge: "ApiKey",
    });
  });

  it("is good until the very moment at which it expires", () => {
    const key = { expires: "2026-08-20T14:00:00+02:00" };
    expect(reason(judge(text, key, now - 1))).toBe("good");
    expect(reason(judge(text, key, now))).toBe("api_key_expired");
  });

  it("costs the same work with an unknown id as with a wrong secret or an old key", () => {
    const costs = [other.text, `gh_${id}_${other.text.slice(-32)}`, text].map((token) => {
      work.hmacs = 0;
      work.comparisons = 0;
      judge(token, { expires: "2020-01-01T00:00:00Z" });
      return { ...work };
    });
    expect(costs).toEqual(Array(3).fill({ hmacs: 1, comparisons: 1 }));
  });

  it("whatever it is, ends in a defined outcome and never as somebody", () => {
    const near = fc
      .tuple(fc.nat(text.length), fc.string({ unit: "binary", maxLength: 3 }), fc.nat(3))
      .map(([at, put, cut]) => text.slice(0, at) + put + text.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), near), (token) => {
        fc.pre(token !== text);
        expect(["api_key_unknown", "token_malformed"]).toContain(reason(judge(token)));
      }),
      { numRuns: 500 },
    );
  });
});

describe("an ApiKeys document", () => {
  const parse = (spec: unknown): Parsed<ApiKeys> => parseApiKeys(aDocument("ApiKeys", spec));
  const secret = "hunter2-hunter2-hunter2-hunter2";

  it("may be without keys: then nobody has a good one", () => {
    const spec = someApiKeys({});
    expect(spec.places).toEqual({
      headers: [{ name: "x-api-key", prefix: "", opaque: true }],
      params: [],
      cookies: [],
    });
    expect(reason(createApiKeyCheck(spec).judge(text, now) as CredentialVerdict)).toBe("api_key_unknown");
  });

  it.each([
    [
      "an id given twice",
      [
        { id, hash, owner: "a" },
        { id, hash, owner: "b" },
      ],
      "GH0217 spec.keys.1.id",
    ],
    ["an id that is none", [{ id: "a", hash, owner: "a" }], "GH0108 spec.keys.0.id"],
    ["no hash", [{ id, owner: "a" }], "GH0216 spec.keys.0.hash"],
    ["the secret in place of the hash", [{ id, hash: secret, owner: "a" }], "GH0216 spec.keys.0.hash"],
    ["a number in place of the hash", [{ id, hash: 123_456, owner: "a" }], "GH0216 spec.keys.0.hash"],
    ["a whole key in place of the hash", [{ id, hash: text, owner: "a" }], "GH0216 spec.keys.0.hash"],
    [
      "a hash of another kind",
      [{ id, hash: hash.replace("sha256", "md5"), owner: "a" }],
      "GH0216 spec.keys.0.hash",
    ],
    ["half a hash", [{ id, hash: hash.slice(0, -2), owner: "a" }], "GH0216 spec.keys.0.hash"],
    ["nobody as owner", [{ id, hash, owner: "" }], "GH0108 spec.keys.0.owner"],
    [
      "a day that is none",
      [{ id, hash, owner: "a", expires: "2026-02-30T00:00:00Z" }],
      "GH0108 spec.keys.0.expires",
    ],
    ["a day without a time", [{ id, hash, owner: "a", expires: "2026-02-03" }], "GH0108 spec.keys.0.expires"],
    ["a label that is no text", [{ id, hash, owner: "a", labels: { a: 1 } }], "GH0102 spec.keys.0.labels.a"],
    ["a secret in a field of its own", [{ id, hash, owner: "a", secret }], "GH0101 spec.keys.0.secret"],
  ])("is refused with %s, and no message repeats a secret", (_what, keys, expected) => {
    const parsed = parse({ keys });
    expect(said(parsed)).toEqual([expected]);
    expect(parsed.spec).toBeUndefined();
    const messages = JSON.stringify(parsed.findings.map(({ message, path }) => [message, path]));
    for (const word of [secret, "123456", text]) expect(messages).not.toContain(word);
  });

  it("holds a hash that others can make: HMAC-SHA256 of the secret, keyed by the salt", async () => {
    const { createHmac } = await import("node:crypto");
    const [, salt = "", digest] = hash.split("$");
    const mac = createHmac("sha256", Buffer.from(salt, "base64url"))
      .update(text.slice(-32))
      .digest("base64url");
    expect(mac).toBe(digest);
  });
});
