import { stringAt } from "./arguments.js";
import { fromBase64, fromBase64UrlLax } from "./base64.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { bytesOf, textOf } from "./bytes.js";

const encoder =
  (encode: (bytes: Buffer) => string): Builtin =>
  (args) =>
    encode(bytesOf(stringAt(args, 0)));

const decoder =
  (decode: (text: string) => Buffer | undefined, name: string): Builtin =>
  (args) => {
    const bytes = decode(stringAt(args, 0));
    if (bytes === undefined) throw new BuiltinError(`illegal ${name} data`);
    return textOf(bytes);
  };

/** Go's `hex.DecodeString`: pairs of digits in any case. */
function fromHex(text: string): Buffer | undefined {
  return text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text) ? Buffer.from(text, "hex") : undefined;
}

/** `base64.*`, `base64url.*` and `hex.*` of OPA (topdown/encoding.go). */
export const encodingBuiltins: Builtins = {
  "base64.encode": encoder((bytes) => bytes.toString("base64")),
  "base64.decode": decoder(fromBase64, "base64"),
  "base64.is_valid": ([text]) => typeof text === "string" && fromBase64(text) !== undefined,
  "base64url.encode": encoder((bytes) => urlAlphabet(bytes.toString("base64"))),
  "base64url.encode_no_pad": encoder((bytes) => bytes.toString("base64url")),
  "base64url.decode": decoder(fromBase64UrlLax, "base64url"),
  "hex.encode": encoder((bytes) => bytes.toString("hex")),
  "hex.decode": decoder(fromHex, "hex"),
};

function urlAlphabet(base64: string): string {
  return base64.replace(/\+/g, "-").replace(/\//g, "_");
}
