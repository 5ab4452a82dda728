import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLineLink } from "../../../src/server/line-link.js";

describe("lines over a stream", () => {
  it("arrive whole and in order, however the bytes are cut", async () => {
    const lines = fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", "")));
    await fc.assert(
      fc.asyncProperty(lines, fc.integer({ min: 1, max: 7 }), async (sent, size) => {
        const stream = new PassThrough();
        const received: string[] = [];
        createLineLink(stream).onLine((line) => received.push(line));
        const bytes = Buffer.from(sent.map((line) => `${line}\n`).join(""));
        for (let i = 0; i < bytes.length; i += size) stream.write(bytes.subarray(i, i + size));
        stream.end();
        await new Promise((resolve) => stream.once("close", resolve));
        expect(received).toEqual(sent);
      }),
    );
  });

  it("come to an end once, after which nothing can be sent", async () => {
    const link = createLineLink(new PassThrough());
    expect(link.send("a")).toBe(true);
    const ended = new Promise<void>((resolve) => link.onEnd(resolve));
    link.close();
    await ended;
    expect(link.send("b")).toBe(false);
  });

  it("end without a throw when the stream fails", async () => {
    const stream = new PassThrough();
    const link = createLineLink(stream);
    const ended = new Promise<void>((resolve) => link.onEnd(resolve));
    stream.destroy(new Error("EPIPE"));
    await ended;
    expect(link.send("a")).toBe(false);
  });
});
