import { objectAt, stringAt } from "./arguments.js";
import { fromBase64 } from "./base64.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { bytesOf, trimmed } from "./bytes.js";
import { int64Of } from "./go-integer.js";
import { readPem } from "./pem.js";
import { isArray, isNumber, isSet, type RegoObject, type Value } from "./value.js";
import { type Certificate, readCertificates } from "./x509-certificate.js";
import { certificateJson } from "./x509-json.js";
import { requestJson } from "./x509-request.js";
import { type VerifyOptions, verifyChain } from "./x509-verify.js";

/** The text of bytes with one unit per byte, in which PEM is looked for. */
export function latin1(text: string): string {
  return bytesOf(text).toString("latin1");
}

/** The bytes of base64, which must be one. */
export function mustFromBase64(text: string): Buffer {
  const bytes = fromBase64(text);
  if (bytes === undefined) throw new BuiltinError("illegal base64 data");
  return bytes;
}

/** Certificates in PEM or DER, either of them perhaps in base64. */
function certificatesOf(text: string): readonly Certificate[] {
  const whole = latin1(text);
  if (whole.startsWith("-----BEGIN")) return certificatesOfPem(whole);
  const bytes = mustFromBase64(whole);
  const decoded = bytes.toString("latin1");
  return decoded.startsWith("-----BEGIN") ? certificatesOfPem(decoded) : readCertificates(bytes);
}

function certificatesOfPem(text: string): readonly Certificate[] {
  const blocks: Buffer[] = [];
  for (let block = readPem(text); block !== undefined; block = readPem(block.rest)) {
    if (block.type !== "CERTIFICATE") throw new BuiltinError(`PEM block type is \`${block.type}\``);
    blocks.push(block.bytes);
  }
  return readCertificates(Buffer.concat(blocks));
}

/** undefined where OPA says `[false, []]`. */
function verifiedChain(text: string, options: () => VerifyOptions): readonly Certificate[] | undefined {
  const certificates = attempt(() => certificatesOf(text));
  if (certificates === undefined) return undefined;
  const chosen = options();
  const [root, ...others] = certificates;
  const leaf = others.pop();
  if (root === undefined || leaf === undefined) return undefined;
  return verifyChain(leaf, { root, intermediates: others }, chosen);
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

const verify: Builtin = (args, { nowNs }) => {
  const text = stringAt(args, 0);
  const chain = verifiedChain(text, () => ({ nowNs, dnsName: "", usages: [] }));
  return chain === undefined ? [false, []] : [true, chain.map((one) => certificateJson(one, true))];
};

const verifyWithOptions: Builtin = (args, { nowNs }) => {
  const [text, options] = [stringAt(args, 0), objectAt(args, 1)];
  const chain = verifiedChain(text, () => optionsOf(options, nowNs));
  return chain === undefined ? [false, []] : [true, chain.map((one) => certificateJson(one, false))];
};

function optionsOf(options: RegoObject, nowNs: bigint): VerifyOptions {
  let chosen: VerifyOptions = { nowNs, dnsName: "", usages: [] };
  for (const [key, value] of options) {
    if (typeof key !== "string") continue;
    chosen = { ...chosen, ...option(key, value) };
  }
  return chosen;
}

function option(key: string, value: Value): Partial<VerifyOptions> {
  switch (key) {
    case "DNSName":
      if (typeof value !== "string") throw new BuiltinError("`DNSName` should be a string");
      return { dnsName: trimmed(value, '"') };
    case "CurrentTime":
      return { nowNs: int64(key, value) };
    case "MaxConstraintComparisons":
      int64(key, value);
      return {};
    case "KeyUsages":
      return { usages: usagesOf(value) };
    default:
      throw new BuiltinError(`invalid key option \`${key}\``);
  }
}

function int64(key: string, value: Value): bigint {
  const number = isNumber(value) ? int64Of(value) : undefined;
  if (number === undefined) throw new BuiltinError(`\`${key}\` should be an integer`);
  return number;
}

function usagesOf(value: Value): readonly number[] {
  if (!isArray(value) && !isSet(value)) throw new BuiltinError("`KeyUsages` should be an array or set");
  return [...value]
    .filter((name) => typeof name === "string")
    .map((name) => {
      const number = usageNames.indexOf(trimmed(name, '"'));
      if (number < 0) throw new BuiltinError(`unknown key usage \`${name}\``);
      return number;
    });
}

/** By Go's x509.ExtKeyUsage. */
const usageNames: readonly string[] = [
  "Any",
  "ServerAuth",
  "ClientAuth",
  "CodeSigning",
  "EmailProtection",
  "IPSECEndSystem",
  "IPSECTunnel",
  "IPSECUser",
  "TimeStamping",
  "OCSPSigning",
  "MicrosoftServerGatedCrypto",
  "NetscapeServerGatedCrypto",
  "MicrosoftCommercialCodeSigning",
  "MicrosoftKernelCodeSigning",
].map((name) => `KeyUsage${name}`);

const request: Builtin = (args) => {
  const text = latin1(stringAt(args, 0));
  const bytes = text.startsWith("-----BEGIN CERTIFICATE REQUEST-----")
    ? Buffer.from(text, "latin1")
    : mustFromBase64(text);
  const block = readPem(bytes.toString("latin1"));
  if (block !== undefined && block.type !== "CERTIFICATE REQUEST") {
    throw new BuiltinError("invalid PEM-encoded certificate signing request");
  }
  return requestJson(block?.bytes ?? bytes);
};

/** Certificates and requests of OPA (topdown/crypto.go): what Go's JSON of its x509 structures shows. */
export const x509Builtins: Builtins = {
  "crypto.x509.parse_certificates": (args) =>
    certificatesOf(stringAt(args, 0)).map((one) => certificateJson(one, true)),
  "crypto.x509.parse_and_verify_certificates": verify,
  "crypto.x509.parse_and_verify_certificates_with_options": verifyWithOptions,
  "crypto.x509.parse_certificate_request": request,
};
