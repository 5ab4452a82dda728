import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import type { ByteString } from "../attributes/index.js";

/** The two parts of a key's text `gh_ID_SECRET`. */
export interface ApiKeyText {
  /** Public: it stands in documents, lists and records. */
  readonly id: string;
  readonly secret: string;
}

/** A new key: what its owner gets, once, and what a document keeps. */
export interface NewApiKey {
  readonly text: string;
  readonly id: string;
  readonly hash: string;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const base62 = `0123456789${letters}`;

/** Ten characters are 59 bits: no two keys of one document share them by chance. */
const idLength = 10;
/** 32 characters are 190 bits. */
const secretLength = 32;

const keyText = /^gh_([0-9A-Za-z]{8,12})_([0-9A-Za-z]{28,64})$/;
const hashText = /^sha256\$([\w-]{22,86})\$([\w-]{43})$/;
const idText = /^[0-9A-Za-z]{8,12}$/;

/** Takes a key's text apart; undefined when it is none. */
export function readApiKey(text: ByteString): ApiKeyText | undefined {
  const match = keyText.exec(text);
  return match === null ? undefined : { id: match[1] ?? "", secret: match[2] ?? "" };
}

/** Whether a text can be the id of a key. */
export function isApiKeyId(text: string): boolean {
  return idText.test(text);
}

/** Makes a key; `random` gives so many unpredictable bytes. */
export function createApiKey(random: (size: number) => Uint8Array): NewApiKey {
  // A letter first, so that no reader of YAML takes an id for a number.
  const id = pick(random, letters, 1) + pick(random, base62, idLength - 1);
  const secret = pick(random, base62, secretLength);
  return { text: `gh_${id}_${secret}`, id, hash: hashSecret(secret, random(16)) };
}

/**
 * `sha256$SALT$HASH` with HMAC-SHA256 keyed by the salt, both parts in base64url. Fast on purpose: slow hashes make
 * up for secrets that people choose; 190 random bits cannot be guessed at any speed, and a slow hash would let every
 * client spend our time.
 */
export function hashSecret(secret: string, salt: Uint8Array): string {
  const digest = createHmac("sha256", salt).update(secret, "latin1").digest("base64url");
  return `sha256$${Buffer.from(salt).toString("base64url")}$${digest}`;
}

/** A hash ready for comparing. */
export interface ExpectedSecret {
  readonly salt: Buffer;
  readonly digest: Buffer;
}

/** Reads what {@link hashSecret} wrote; undefined when it is anything else. */
export function readHash(text: string): ExpectedSecret | undefined {
  const match = hashText.exec(text);
  if (match === null) return undefined;
  const [salt, digest] = [match[1] ?? "", match[2] ?? ""].map((part) => Buffer.from(part, "base64url"));
  return salt === undefined || digest?.byteLength !== 32 ? undefined : { salt, digest };
}

/** Takes the same time for every secret of one length. */
export function isSecret(secret: string, { salt, digest }: ExpectedSecret): boolean {
  return timingSafeEqual(createHmac("sha256", salt).update(secret, "latin1").digest(), digest);
}

function pick(random: (size: number) => Uint8Array, alphabet: string, length: number): string {
  const even = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    for (const byte of random(length)) {
      // Bytes above would make the first characters likelier than the others.
      if (byte < even && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}
