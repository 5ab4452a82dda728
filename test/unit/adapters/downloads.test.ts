import { Buffer } from "node:buffer";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { HttpAnswer, HttpQuestion } from "../../../src/adapters/http.js";
import { HttpFailure } from "../../../src/adapters/http-failure.js";
import { createDownloads, type Downloads } from "../../../src/adapters/index.js";
import type { DownloadReference, Egress } from "../../../src/config/index.js";
import { GatehouseError } from "../../../src/diagnostics/index.js";

interface Sent {
  readonly question: HttpQuestion;
  readonly egress: Egress;
}

const egress: Egress = { allowHosts: [], allowCidrs: [], denyPrivate: false };
const reference: DownloadReference = {
  url: "https://a.example:8443/b%2Fc?d=e",
  pollMs: 60_000,
  timeoutMs: 500,
  maxBytes: 100,
};

let sent: Sent[];
let answer: (question: HttpQuestion) => Promise<HttpAnswer>;
let changes: number;
let closed: number;
let downloads: Downloads;

const gives = (body: string, headers: readonly (readonly [string, string])[] = [], status = 200) => {
  answer = async () => ({ status, headers, body: Buffer.from(body) });
};

const fails = (error: Error): void => {
  answer = async () => {
    throw error;
  };
};

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const follow = (...named: DownloadReference[]) => downloads.follow(named, egress);
const now = (): unknown => follow(reference)[0];
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  [sent, changes, closed] = [[], 0, 0];
  downloads = createDownloads({
    onChange: () => changes++,
    clientOf: (given) => ({
      send: (question) => {
        sent.push({ question, egress: given });
        return answer(question);
      },
      close: async () => {
        closed++;
      },
    }),
  });
});

afterEach(() => {
  downloads.close();
  vi.useRealTimers();
});

describe("a URL that is named", () => {
  it("is asked at once, as it is written and under its limits", async () => {
    gives("one");
    expect(now()).toEqual({ text: "", failure: undefined });
    expect(downloads.isWaiting()).toBe(true);
    await pass(0);
    expect(downloads.isWaiting()).toBe(false);
    expect(now()).toEqual({ text: base64("one"), failure: undefined });
    expect(sent).toHaveLength(1);
    expect(sent[0]?.question).toMatchObject({
      origin: { scheme: "https", host: "a.example", port: 8443 },
      method: "GET",
      path: "/b%2Fc?d=e",
      timeoutMs: 500,
      maxBytes: 100,
    });
    expect(sent[0]?.question.headers.has("if-none-match")).toBe(false);
  });

  it("is asked again after its interval, not before", async () => {
    gives("one");
    now();
    await pass(59_999);
    expect(sent).toHaveLength(1);
    await pass(1);
    expect(sent).toHaveLength(2);
    await pass(60_000);
    expect(sent).toHaveLength(3);
  });

  it("tells of something new once, and of the same never", async () => {
    gives("one");
    now();
    await pass(0);
    expect(changes).toBe(1);
    await pass(180_000);
    expect(changes).toBe(1);
    gives("two");
    await pass(60_000);
    expect(changes).toBe(2);
    expect(now()).toEqual({ text: base64("two"), failure: undefined });
  });

  it("is asked by one, however often it is named", async () => {
    gives("one");
    expect(follow(reference, reference)).toHaveLength(2);
    now();
    await pass(0);
    expect(sent).toHaveLength(1);
    expect(follow(reference, reference)).toEqual(Array(2).fill({ text: base64("one"), failure: undefined }));
  });
});

describe("an ETag", () => {
  it("is sent with the next question, and 304 leaves all as it is", async () => {
    gives("one", [["etag", '"v1"']]);
    now();
    await pass(0);
    const before = now();
    gives("", [], 304);
    await pass(60_000);
    expect(sent[1]?.question.headers.get("if-none-match")).toBe('"v1"');
    expect(now()).toEqual(before);
    expect(changes).toBe(1);
  });

  it("is that of the last answer that brought something", async () => {
    gives("one", [["etag", '"v1"']]);
    now();
    await pass(0);
    gives("no", [["etag", '"error"']], 500);
    await pass(60_000);
    gives("two", [["etag", '"v2"']]);
    await pass(60_000);
    expect(sent[2]?.question.headers.get("if-none-match")).toBe('"v1"');
    gives("three");
    await pass(60_000);
    expect(sent[3]?.question.headers.get("if-none-match")).toBe('"v2"');
    await pass(60_000);
    expect(sent.at(-1)?.question.headers.has("if-none-match")).toBe(false);
  });

  it("is left out now and then, since it may have come with another text", async () => {
    gives("one", [["etag", '"v1"']]);
    now();
    await pass(0);
    gives("", [], 304);
    await pass(20 * 60_000);
    expect(sent.slice(1).every(({ question }) => question.headers.has("if-none-match"))).toBe(true);
    gives("two", [["etag", '"v1"']]);
    await pass(60_000);
    expect(sent.at(-1)?.question.headers.has("if-none-match")).toBe(false);
    expect(now()).toEqual({ text: base64("two"), failure: undefined });
  });

  it("makes 304 an answer only where it was asked with one", async () => {
    gives("", [], 304);
    now();
    await pass(0);
    expect(now()).toEqual({ text: "", failure: "status 304" });
  });
});

const noAnswer = new GatehouseError("timeout", "no answer");

describe("a failure", () => {
  it.each([
    ["another status", () => gives("no", [], 503), "status 503"],
    ["a redirect, which is not followed", () => gives("", [["location", "https://b"]], 302), "status 302"],
    ["nothing", () => gives(""), "empty answer"],
    ["a time that is over", () => fails(noAnswer), "timeout"],
    ["an answer that is too long", () => fails(new HttpFailure("too_large", "x")), "too large"],
    ["a place that may not be asked", () => fails(new HttpFailure("egress", "x")), "egress"],
    ["no connection", () => fails(new HttpFailure("connect", "secret")), "connect"],
  ])("by %s keeps what was there", async (_, happens, failure) => {
    gives("one");
    now();
    await pass(0);
    happens();
    await pass(60_000);
    expect(now()).toEqual({ text: base64("one"), failure });
    expect(changes).toBe(2);
  });

  it("is told once, until it is another or over", async () => {
    gives("no", [], 503);
    now();
    await pass(0);
    expect(changes).toBe(1);
    await pass(30_000);
    expect(changes).toBe(1);
    gives("no", [], 404);
    await pass(10_000);
    expect(changes).toBe(2);
    gives("one");
    await pass(10_000);
    expect(changes).toBe(3);
    expect(now()).toEqual({ text: base64("one"), failure: undefined });
  });

  it("is tried again after 10 s, or the interval when that is shorter", async () => {
    gives("no", [], 503);
    const often = { ...reference, pollMs: 2_000 };
    follow(reference, often);
    await pass(0);
    expect(sent).toHaveLength(2);
    await pass(2_000);
    expect(sent).toHaveLength(3);
    await pass(8_000);
    expect(sent).toHaveLength(8);
  });

  it("ends with the next answer, also when that brings nothing new", async () => {
    gives("one", [["etag", '"v1"']]);
    now();
    await pass(0);
    gives("no", [], 503);
    await pass(60_000);
    gives("", [], 304);
    await pass(10_000);
    expect(now()).toEqual({ text: base64("one"), failure: undefined });
    expect(changes).toBe(3);
  });
});

describe("what may be asked", () => {
  it("is what the Mesh says, and a change of that keeps what was there", async () => {
    gives("one", [["etag", '"v1"']]);
    const strict = { ...egress, denyPrivate: true };
    downloads.follow([reference], egress);
    await pass(0);
    fails(new HttpFailure("egress", "x"));
    expect(downloads.follow([reference], strict)).toEqual([{ text: base64("one"), failure: undefined }]);
    await pass(0);
    expect(sent.map(({ egress }) => egress)).toEqual([egress, strict]);
    expect(downloads.follow([reference], strict)).toEqual([{ text: base64("one"), failure: "egress" }]);
    expect(closed).toBe(1);
  });
});

describe("a URL that is named in another way", () => {
  it("keeps what it gave, and is asked at once", async () => {
    gives("one", [["etag", '"v1"']]);
    now();
    await pass(0);
    gives("", [], 304);
    const often = { ...reference, pollMs: 1_000 };
    expect(follow(often)).toEqual([{ text: base64("one"), failure: undefined }]);
    expect(sent[1]?.question.headers.get("if-none-match")).toBe('"v1"');
    await pass(0);
    expect(follow(often)).toEqual([{ text: base64("one"), failure: undefined }]);
    await pass(1_000);
    expect(sent).toHaveLength(3);
  });
});

describe("a URL that is not named any more", () => {
  it("is not asked again, and its connections are closed", async () => {
    gives("one");
    now();
    await pass(0);
    expect(follow()).toEqual([]);
    await pass(600_000);
    expect(sent).toHaveLength(1);
    expect(closed).toBe(1);
  });

  it("says nothing any more, even when an answer is under way", async () => {
    let arrive: (answer: HttpAnswer) => void = () => {};
    answer = () => new Promise((resolve) => (arrive = resolve));
    now();
    follow();
    arrive({ status: 200, headers: [], body: Buffer.from("one") });
    await pass(600_000);
    expect(changes).toBe(0);
    expect(sent).toHaveLength(1);
  });
});

describe("closing", () => {
  it("stops everything", async () => {
    gives("one");
    follow(reference, { ...reference, url: "https://b/c" });
    await pass(0);
    downloads.close();
    await pass(600_000);
    expect(sent).toHaveLength(2);
    expect(closed).toBe(2);
    expect(downloads.isWaiting()).toBe(false);
  });
});

describe("waiting for all", () => {
  it("ends when each was tried once, well or not", async () => {
    fails(noAnswer);
    now();
    const settled = downloads.settled(5_000);
    await pass(0);
    await settled;
    expect(vi.getTimerCount()).toBe(1);
    expect(downloads.isWaiting()).toBe(false);
  });

  it("ends after its time in any case", async () => {
    answer = () => new Promise(() => {});
    now();
    const settled = downloads.settled(5_000);
    await pass(5_000);
    await settled;
    expect(downloads.isWaiting()).toBe(true);
  });
});
