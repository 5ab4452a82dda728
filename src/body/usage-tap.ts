import { type BodyDecoder, createBodyDecoder } from "../redaction/index.js";
import { codingsOf } from "./request-decode.js";
import type { ResponseHead } from "./run.js";
import type { CompiledUsage, UsageMeter } from "./usage.js";

/** A meter, and what it is shown. */
export interface Measuring {
  readonly meter: UsageMeter;
  readonly reads: CompiledUsage["reads"];
}

/** Shows a response's body to the meters that read it, decoded. Neither throws nor rejects. */
export interface UsageTap {
  /** Whether they will be shown it. */
  readonly isReadable: boolean;
  received(chunk: Uint8Array): void | Promise<void>;
  /** Whether all was shown. */
  end(): boolean | Promise<boolean>;
  close(): void;
}

/** Decoded bytes per encoded byte: nothing of them is kept, so that it is time alone that is bounded. */
const maxRatio = 1000;

/** Opens it for one response. */
export function openTap(head: ResponseHead, measuring: readonly Measuring[]): UsageTap {
  const readers = measuring.filter(({ reads }) => reads === "received").map(({ meter }) => meter);
  const codings = codingsOf(head.headers);
  const show = (bytes: Uint8Array): void => {
    if (bytes.length > 0) for (const reader of readers) reader.received(bytes);
  };
  if (codings === undefined || readers.length === 0) {
    const isReadable = codings !== undefined;
    return { isReadable, received: () => {}, end: () => isReadable, close: () => {} };
  }
  if (codings.length === 0) return { isReadable: true, received: show, end: () => true, close: () => {} };
  return decodingTap(createBodyDecoder(codings, maxRatio), show);
}

function decodingTap(decoder: BodyDecoder, show: (bytes: Uint8Array) => void): UsageTap {
  let isBroken = false;
  const attempt = async (work: () => Promise<Uint8Array>): Promise<void> => {
    if (isBroken) return;
    try {
      show(await work());
    } catch {
      // What is said of usage in what cannot be decoded, nobody knows.
      isBroken = true;
    }
  };
  return {
    isReadable: true,
    received: (chunk) => attempt(() => decoder.push(chunk)),
    end: async () => {
      await attempt(() => decoder.end());
      return !isBroken;
    },
    close: () => decoder.close(),
  };
}
