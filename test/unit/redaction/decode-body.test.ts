import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { createBodyDecoder, DecodeError, readEncodings } from "../../../src/redaction/index.js";

const text = Buffer.from(Array.from({ length: 300 }, (_, n) => `line ${n * 7919} `).join(""));

async function decode(
  encoding: string,
  body: Uint8Array,
  size = body.length,
  maxRatio = 100,
): Promise<Buffer> {
  const decoder = createBodyDecoder(readEncodings([encoding]) ?? [], maxRatio);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) parts.push(await decoder.push(body.subarray(at, at + size)));
  parts.push(await decoder.end());
  return Buffer.concat(parts);
}

async function faultOf(
  encoding: string,
  body: Uint8Array,
  size?: number,
  maxRatio?: number,
): Promise<string> {
  try {
    await decode(encoding, body, size, maxRatio);
    return "none";
  } catch (error) {
    return error instanceof DecodeError ? error.fault : String(error);
  }
}

const bodies: [string, Buffer][] = [
  ["gzip", zlib.gzipSync(text)],
  ["x-gzip", zlib.gzipSync(text)],
  ["deflate", zlib.deflateSync(text)],
  ["deflate", zlib.deflateRawSync(text)],
  ["br", zlib.brotliCompressSync(text)],
  ["gzip, br", zlib.brotliCompressSync(zlib.gzipSync(text))],
  ["identity, GZIP", zlib.gzipSync(text)],
];

describe("encoded bodies", () => {
  it.each(bodies)("decodes %s however it is cut", async (encoding, body) => {
    for (const size of [body.length, 1, 2, 7, 1000]) expect(await decode(encoding, body, size)).toEqual(text);
  });

  it("decodes a gzip body of several members", async () => {
    const body = Buffer.concat([zlib.gzipSync("one "), zlib.gzipSync("two")]);
    for (const size of [body.length, 1, 24])
      expect((await decode("gzip", body, size)).toString()).toBe("one two");
  });

  it.each(bodies)("refuses %s that is cut off", async (encoding, body) => {
    for (const size of [body.length, 1]) {
      expect(await faultOf(encoding, body.subarray(0, body.length - 5), size)).toBe("malformed");
      expect(await faultOf(encoding, body.subarray(0, 1), size)).toBe("malformed");
    }
  });

  it.each(bodies)("refuses %s with something behind its end", async (encoding, body) => {
    for (const more of ["x", "\0\0", "more and more"]) {
      const all = Buffer.concat([body, Buffer.from(more)]);
      for (const size of [all.length, 1, body.length]) {
        expect(await faultOf(encoding, all, size)).toBe("malformed");
      }
    }
  });

  it.each(bodies)("refuses %s that is none", async (encoding) => {
    expect(await faultOf(encoding, Buffer.from('{"a":1234567890}'))).toBe("malformed");
  });

  it("takes an empty body for empty", async () => {
    expect(await decode("gzip", Buffer.alloc(0))).toHaveLength(0);
  });

  it.each(["gzip", "deflate", "br"])("stops a bomb of %s before it is decoded", async (encoding) => {
    const zeros = Buffer.alloc(5_000_000);
    const bomb =
      encoding === "gzip"
        ? zlib.gzipSync(zeros)
        : encoding === "br"
          ? zlib.brotliCompressSync(zeros, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 3 } })
          : zlib.deflateSync(zeros);
    for (const size of [bomb.length, 500]) expect(await faultOf(encoding, bomb, size)).toBe("ratio");
    expect(await faultOf(encoding, bomb, bomb.length, 100_000_000)).toBe("none");
  });

  it("stops a bomb within another", async () => {
    const bomb = zlib.gzipSync(zlib.gzipSync(Buffer.alloc(50_000_000)));
    expect(await faultOf("gzip, gzip", bomb)).toBe("ratio");
  });

  it("is left anywhere, and decodes nothing any more", async () => {
    for (const [encoding, body] of bodies) {
      const decoder = createBodyDecoder(readEncodings([encoding]) ?? [], 100);
      const waiting = decoder.push(body.subarray(0, body.length - 9)).catch((error: unknown) => error);
      decoder.close();
      decoder.close();
      expect(await waiting).toBeInstanceOf(DecodeError);
      await expect(decoder.push(body)).rejects.toThrow(DecodeError);
      await expect(decoder.end()).rejects.toThrow(DecodeError);
      const ending = createBodyDecoder(readEncodings([encoding]) ?? [], 100);
      await ending.push(body.subarray(0, 20));
      const last = ending.end().catch((error: unknown) => error);
      ending.close();
      expect(await last).toBeInstanceOf(DecodeError);
    }
  });

  it("knows none but gzip, deflate and br, and at most three of them", () => {
    expect(readEncodings(["zstd"])).toBeUndefined();
    expect(readEncodings(["gzip", "aes128gcm"])).toBeUndefined();
    expect(readEncodings(["gzip, gzip", "gzip, gzip"])).toBeUndefined();
    expect(readEncodings(["identity"])).toEqual([]);
    expect(readEncodings(["deflate, gzip"])).toEqual(["deflate", "gzip"]);
  });
});
