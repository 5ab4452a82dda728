import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { GatehouseError } from "../diagnostics/index.js";

/** Bytes that a key has at least. */
const MIN_BYTES = 32;
/** Nobody needs a longer one; who names a log file by mistake is told so. */
const MAX_BYTES = 1024;

/**
 * The key by which processes of one group know each other's decisions, base64: the file's content without the white space
 * around it, or a random one where there is no file. Throws `bad_flag` when it cannot be read or is too short.
 */
export function recordKey(file: string | undefined): string {
  if (file === undefined) return randomBytes(MIN_BYTES).toString("base64");
  let content: string;
  try {
    content = readFileSync(file, "latin1").trim();
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read the record key file \`${file}\``, { cause });
  }
  if (content.length < MIN_BYTES || content.length > MAX_BYTES) {
    const found = `the record key file \`${file}\` has ${content.length} bytes`;
    throw new GatehouseError("bad_flag", `${found}, expected ${MIN_BYTES} to ${MAX_BYTES}`);
  }
  return Buffer.from(content, "latin1").toString("base64");
}
