import { stringAt } from "./arguments.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { bytesOf } from "./bytes.js";
import { isJson, readJson, writeJson } from "./json-text.js";
import { readJwks } from "./jwk.js";
import { signatureBy, tokenAlgorithms } from "./jwt-signature.js";
import { get, isObject, type Value } from "./value.js";

/** A token of a header, a payload and a JWK, all texts of JSON; signed with the first key. */
function signToken(header: string, payload: string, jwk: string): string {
  const [key] = readJwks(jwk);
  const fields = readJson(header);
  if (key === undefined || !isObject(fields)) throw new BuiltinError("no key, or no header");
  const [name, type] = [get(fields, "alg"), get(fields, "typ")];
  const algorithm = typeof name === "string" ? tokenAlgorithms.get(name) : undefined;
  if (algorithm === undefined) throw new BuiltinError("unknown JWS algorithm");
  if ((typeof type !== "string" || type === "JWT") && !isJson(payload)) {
    throw new BuiltinError("type is JWT but payload is not JSON");
  }
  const input = [header, payload].map((part) => bytesOf(part).toString("base64url")).join(".");
  const signature = signatureBy(key, algorithm, Buffer.from(input, "latin1"));
  if (signature === undefined) throw new BuiltinError("key cannot sign with this algorithm");
  return `${input}.${signature.toString("base64url")}`;
}

const encodeSign: Builtin = (args) => {
  const [header, payload, jwk] = [0, 1, 2].map((i) => writeJson(args[i] ?? (null as Value)));
  return signToken(header ?? "", payload ?? "", jwk ?? "");
};

const encodeSignRaw: Builtin = (args) => signToken(stringAt(args, 0), stringAt(args, 1), stringAt(args, 2));

/**
 * `io.jwt.encode_sign` and `io.jwt.encode_sign_raw` of OPA (topdown/tokens.go). ECDSA and PSS signatures are fresh
 * ones at each call.
 */
export const jwtSignBuiltins: Builtins = {
  "io.jwt.encode_sign": encodeSign,
  "io.jwt.encode_sign_raw": encodeSignRaw,
};
