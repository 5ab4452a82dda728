import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { stringAt } from "./arguments.js";
import type { Builtin, Builtins } from "./builtin.js";
import { bytesOf } from "./bytes.js";

const hash =
  (algorithm: string): Builtin =>
  (args) =>
    createHash(algorithm)
      .update(bytesOf(stringAt(args, 0)))
      .digest("hex");

const hmac =
  (algorithm: string): Builtin =>
  (args) =>
    createHmac(algorithm, bytesOf(stringAt(args, 1)))
      .update(bytesOf(stringAt(args, 0)))
      .digest("hex");

/** Whether two strings of bytes are equal, in a time that depends on their lengths only. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Digests and message authentication of OPA (topdown/crypto.go). */
export const hashBuiltins: Builtins = {
  "crypto.md5": hash("md5"),
  "crypto.sha1": hash("sha1"),
  "crypto.sha256": hash("sha256"),
  "crypto.hmac.md5": hmac("md5"),
  "crypto.hmac.sha1": hmac("sha1"),
  "crypto.hmac.sha256": hmac("sha256"),
  "crypto.hmac.sha512": hmac("sha512"),
  "crypto.hmac.equal": (args) => equalInConstantTime(bytesOf(stringAt(args, 0)), bytesOf(stringAt(args, 1))),
};
