import { Buffer } from "node:buffer";
import { createVerifier, type VerifyOptions } from "../../../src/audit/chain-verify.js";
import { type ChainVerdict, createChain, newChain } from "../../../src/audit/index.js";

/** A file of a chain with these records; times are one second apart. */
export function auditFile(records: readonly string[], key?: Uint8Array): { text: string; head: string } {
  const chain = createChain(newChain("c0ffee"), key);
  const text = chain.begin(0) + records.map((record, i) => chain.next(1_000 * (i + 1), record)).join("");
  return { text, head: chain.head() };
}

/** What a verifier says of files, as a reader would cut them into lines. */
export function verify(files: readonly (string | Buffer)[], options: VerifyOptions = {}): ChainVerdict {
  const verifier = createVerifier(options);
  for (const [i, content] of files.entries()) {
    const bytes = Buffer.from(content);
    verifier.file(`file${i + 1}`);
    for (let start = 0; start < bytes.length; ) {
      const feed = bytes.indexOf(10, start);
      const end = feed < 0 ? bytes.length : feed;
      if (!verifier.line(bytes.subarray(start, end), feed >= 0)) return verifier.end();
      start = end + 1;
    }
  }
  return verifier.end();
}
