import { Buffer } from "node:buffer";
import type { BodyTransform } from "../../../src/redaction/index.js";

/** All of a body through a transform, cut where the cuts are. */
export function feed(
  transform: BodyTransform,
  body: string | Uint8Array,
  cuts: readonly number[] = [],
): string {
  const bytes = Buffer.from(body as Uint8Array);
  const out: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts.map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b), bytes.length]) {
    // A copy, so that nothing reads beyond it.
    out.push(Buffer.from(transform.push(Buffer.from(bytes.subarray(from, cut)))));
    from = cut;
  }
  out.push(transform.end());
  return Buffer.concat(out).toString();
}

/** Byte by byte. */
export function everyCut(body: string | Uint8Array): number[] {
  return Array.from({ length: Buffer.byteLength(body as string) }, (_, at) => at);
}
