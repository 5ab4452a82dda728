import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ResponseHead } from "../../../src/body/index.js";
import type { UsageMeter } from "../../../src/body/usage.js";
import { openTap } from "../../../src/body/usage-tap.js";

function aMeter(shown: string[]): UsageMeter {
  return {
    begin: () => {},
    received: (bytes) => void shown.push(Buffer.from(bytes).toString()),
    delivered: () => {},
    end: () => {},
    commit: () => undefined,
  };
}

function aHead(encoding?: string): ResponseHead {
  const headers = new Map(encoding === undefined ? [] : [["content-encoding", [encoding]]]);
  return { code: 200, headers, hasBody: true };
}

async function shownOf(chunks: readonly Uint8Array[], encoding?: string): Promise<string> {
  const shown: string[] = [];
  const tap = openTap(aHead(encoding), [{ reads: "received", meter: aMeter(shown) }]);
  for (const chunk of chunks) await tap.received(chunk);
  const isWhole = await tap.end();
  tap.close();
  return `${tap.isReadable} ${isWhole} ${shown.join("")}`;
}

describe("the tap of a response's usage", () => {
  const body = Buffer.from('{"usage":7}');

  it("shows a body as it is", async () => {
    expect(await shownOf([body.subarray(0, 4), body.subarray(4)])).toBe('true true {"usage":7}');
  });

  it("shows what an encoded body is", async () => {
    const encoded = gzipSync(body);
    expect(await shownOf([encoded.subarray(0, 9), encoded.subarray(9)], "gzip")).toBe(
      'true true {"usage":7}',
    );
  });

  it("says when it could not be shown to the end", async () => {
    expect(await shownOf([gzipSync(body).subarray(0, 15)], "gzip")).toMatch(/^true false/);
    expect(await shownOf([body], "zstd")).toBe("false false ");
  });

  it("shows nothing to who counts what is delivered", async () => {
    const shown: string[] = [];
    const tap = openTap(aHead(), [{ reads: "delivered", meter: aMeter(shown) }]);
    await tap.received(body);
    expect(await tap.end()).toBe(true);
    expect(shown).toEqual([]);
  });
});
