import { Buffer } from "node:buffer";
import { type CompiledDetectors, compileDetectors, type DetectorRule } from "../../../src/redaction/index.js";

/** One rule for each detector and one of an own pattern; what is found becomes its name in brackets. */
export const rules: readonly DetectorRule[] = [
  { name: "card", what: { detector: "paymentCard" }, action: "redact", replacement: "[card]" },
  { name: "iban", what: { detector: "iban" }, action: "redact", replacement: "[iban]" },
  { name: "email", what: { detector: "email" }, action: "redact", replacement: "[email]" },
  { name: "token", what: { detector: "secretToken" }, action: "redact", replacement: "[token]" },
  { name: "key", what: { detector: "privateKey" }, action: "redact", replacement: "[key]" },
  {
    name: "own",
    what: { pattern: "\\bACME-[0-9]{4,8}(?:-[a-z]+)?\\b", maxLength: 24 },
    action: "redact",
    replacement: "[ünser]",
  },
];

export const everything: CompiledDetectors = compileDetectors(rules);

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

// Put together here so that no scanner of repositories takes them for real ones.
const claims = part({ sub: "alice", n: 1 });
export const jwt: string = `${part({ alg: "HS256", typ: "JWT" })}.${claims}.c2lnbmF0dXJl-_`;
export const github: string = `ghp${"_"}${"aB3dE6".repeat(6)}`;
export const aws: string = `AKIA${"IOSFODNN7EXAMPLE"}`;
export const slack: string = `xoxb${"-"}123456789012-abcdefABCDEF`;
export const google: string = `AIza${"SyA-1234567890_abcdefghijklmnopqrst"}`;
export const stripe: string = `sk_live${"_"}4eC39HqLyjWDarjtT1zdp7dc`;
export const anthropic: string = `sk${"-"}ant-api03-abcdef_ghijkl-0123456789`;

export const pem: string = [
  `-----BEGIN RSA ${"PRIVATE"} KEY-----`,
  "MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu",
  `-----END RSA ${"PRIVATE"} KEY-----`,
].join("\n");

/** The text of one transform's output, of chunks of bytes. */
export function through(
  detectors: CompiledDetectors,
  chunks: readonly Uint8Array[],
): { readonly out: Buffer; readonly findings: Record<string, number>; readonly mostHeld: number } {
  const transform = detectors.transform();
  const parts: Uint8Array[] = [];
  let mostHeld = 0;
  for (const chunk of chunks) {
    parts.push(transform.push(chunk));
    mostHeld = Math.max(mostHeld, transform.heldBytes);
  }
  parts.push(transform.end());
  return { out: Buffer.concat(parts), findings: Object.fromEntries(transform.findings), mostHeld };
}

/** A text's bytes cut at places that are taken modulo its length. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((from, n) => bytes.subarray(from, cuts[n] ?? bytes.length));
}
