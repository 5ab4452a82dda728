import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuiltinError, type Value } from "../../../src/builtins/index.js";
import { jwtDecodeBuiltins } from "../../../src/builtins/jwt-decode.js";
import { jwtSignBuiltins } from "../../../src/builtins/jwt-sign.js";
import { jwtVerifyBuiltins } from "../../../src/builtins/jwt-verify.js";
import { objectOf } from "../../../src/builtins/value.js";
import { anEvaluation, replay } from "./replay.js";

const builtins = { ...jwtDecodeBuiltins, ...jwtVerifyBuiltins, ...jwtSignBuiltins };

function call(name: string, args: readonly Value[], nowNs?: bigint): Value | undefined {
  return builtins[`io.jwt.${name}`]?.(args, anEvaluation(nowNs));
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function hs256(header: object, payload: object): string {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${createHmac("sha256", "secret").update(input).digest("base64url")}`;
}

const second = 1_000_000_000n;

describe("tokens", () => {
  it("are answered as OPA does in every recorded call", () => {
    const { calls, deviations } = replay(builtins, "jwt.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(2_000);
  }, 60_000);

  it("are verified again at each evaluation: one that expired meanwhile is invalid", () => {
    const token = hs256({ alg: "HS256" }, { exp: 1_000 });
    const constraints = objectOf([["secret", "secret"]]);
    expect(call("decode_verify", [token, constraints], 999n * second)).toMatchObject([true, {}, {}]);
    expect(call("decode_verify", [token, constraints], 1_000n * second)).toEqual([
      false,
      new Map(),
      new Map(),
    ]);
  });

  it("are valid with the key of their own algorithm only", () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const input = `${part({ alg: "HS256" })}.${part({})}`;
    const forged = `${input}.${createHmac("sha256", pem).update(input).digest("base64url")}`;
    expect(call("decode_verify", [forged, objectOf([["cert", pem]])])).toEqual([false, new Map(), new Map()]);
    expect(call("verify_rs256", [forged, pem])).toBe(false);
    const signed = `${input}.${sign("sha256", Buffer.from(input), privateKey).toString("base64url")}`;
    expect(call("verify_rs256", [signed, pem])).toBe(true);
    expect(call("verify_rs512", [signed, pem])).toBe(false);
    expect(call("verify_es256", [signed, pem])).toBe(false);
  });

  it("without a signature are invalid whatever their header says", () => {
    for (const alg of ["none", "None", "NONE", "", "HS256"]) {
      const token = `${part({ alg })}.${part({})}.`;
      expect(call("decode_verify", [token, objectOf([["secret", "secret"]])])).toMatchObject([false, {}, {}]);
    }
  });

  it.each([
    ["ES256", "ec", { namedCurve: "P-256" }],
    ["ES384", "ec", { namedCurve: "P-384" }],
    ["ES512", "ec", { namedCurve: "P-521" }],
    ["PS256", "rsa", { modulusLength: 2048 }],
    ["PS512", "rsa", { modulusLength: 2048 }],
  ])("that are signed with %s are verified by it", (alg, type, options) => {
    const { privateKey, publicKey } = generateKeyPairSync(type as "ec", options as { namedCurve: string });
    const [secret, open] = [privateKey, publicKey].map((key) =>
      JSON.stringify(key.export({ format: "jwk" })),
    );
    const token = call("encode_sign_raw", [JSON.stringify({ alg }), "{}", secret ?? ""]) as string;
    expect(call(`verify_${alg.toLowerCase()}`, [token, open ?? ""])).toBe(true);
    expect(call("decode_verify", [token, objectOf([["cert", open ?? ""]])])).toMatchObject([true, {}, {}]);
    expect(call(`verify_${alg.toLowerCase()}`, [`${token.slice(0, -8)}AAAAAAAA`, open ?? ""])).toBe(false);
  });

  it("never make a builtin throw anything but a BuiltinError", () => {
    const json = fc.json({ maxDepth: 2 });
    const text = fc.oneof(json, fc.string({ maxLength: 20 }), fc.constant(hs256({ alg: "HS256" }, {})));
    const token = fc
      .tuple(json, json, fc.base64String({ maxLength: 8 }))
      .map(([header, payload, signature]) => {
        const [first, next] = [header, payload].map((each) => Buffer.from(each).toString("base64url"));
        return `${first}.${next}.${signature}`;
      });
    fc.assert(
      fc.property(fc.oneof(token, text), text, (first, key) => {
        for (const name of ["verify_rs256", "verify_es256", "verify_eddsa", "verify_hs256", "decode"]) {
          expect(() => errorOf(() => call(name, [first, key]))).not.toThrow();
        }
        expect(() => errorOf(() => call("decode_verify", [first, objectOf([["cert", key]])]))).not.toThrow();
        expect(() => errorOf(() => call("encode_sign_raw", [first, key, key]))).not.toThrow();
      }),
    );
  });
});

/** Runs; passes BuiltinErrors over. */
function errorOf(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof BuiltinError)) throw error;
  }
}

describe("hostile texts", () => {
  it("cost no more than their length", () => {
    const start = performance.now();
    const wide = Buffer.alloc(300_000, 0xa5).toString("base64url");
    const rsa = JSON.stringify({ kty: "RSA", n: wide, e: "AQAB", d: wide, p: wide, q: `${wide}A`.slice(4) });
    errorOf(() => call("encode_sign_raw", ['{"alg":"RS256"}', "{}", rsa]));
    const quotes = `${'"'.repeat(200_000)}x${'"'.repeat(200_000)}x`;
    errorOf(() => call("decode", [`${part({ cty: "JWT" })}.${Buffer.from(quotes).toString("base64url")}.`]));
    errorOf(() => call("verify_rs256", [".".repeat(1_000_000), "{".repeat(1_000_000)]));
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
