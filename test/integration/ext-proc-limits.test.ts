import { connect } from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { type BothServices, startBothServices } from "../support/both-services.js";
import {
  openProcessingClient,
  type ProcessingClient,
  type ProcessingStream,
  requestHeaders,
  responseBody,
  responseHeaders,
} from "../support/processing-stream.js";
import type { Plain } from "../unit/envoy/ext-proc/messages.js";

const [KiB, MiB] = [1024, 1024 * 1024];

const policies = `
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: uploads, namespace: bookshop}
spec:
  match: request.url_path == '/uploads'
  request: {body: {maxBytes: 16MiB, onLimit: deny, rules: [{deny: request.body.bad}]}}
---
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: whole, namespace: bookshop}
spec:
  match: request.url_path == '/whole'
  response: {body: {delivery: whole, fields: [{path: $.card, action: mask}]}}
`;

const opened: { both?: BothServices; client?: ProcessingClient } = {};
afterEach(async () => {
  opened.client?.close();
  await opened.both?.stop();
});

async function start(options: Parameters<typeof startBothServices>[1] = {}): Promise<BothServices> {
  opened.both = await startBothServices({ "policies.yaml": policies }, options);
  return opened.both;
}

const portOf = ({ server }: BothServices): number => Number(server.grpcAddress.split(":").at(-1));

/** JSON of this length. */
function order(length: number, bad = false): string {
  const [head, tail] = [`{"bad": ${bad}, "text": "`, '"}'];
  return `${head}${"x".repeat(length - head.length - tail.length)}${tail}`;
}

const post = { method: "POST", path: "/uploads", headers: [["content-type", "application/json"]] as const };

describe("one message of ext_proc", () => {
  it("may have a body of 5 MiB, and of 16 MiB, which is judged", async () => {
    const both = await start();
    for (const length of [5 * MiB, 16 * MiB]) {
      expect((await both.proc(post, { body: order(length) })).denial).toBeUndefined();
      expect((await both.proc(post, { body: order(length, true) })).denial).toMatchObject({ status: 403 });
    }
    expect((await both.proc(post, { body: order(16 * MiB + 1) })).denial).toMatchObject({ status: 413 });
  });

  it("ends its stream with an error where it is longer than 17 MiB, never with OK", async () => {
    const both = await start({ maxMessageBytes: MiB });
    expect((await both.proc(post, { body: order(2 * MiB) })).denial).toBeUndefined();
    // RESOURCE_EXHAUSTED, or a reset where the rest is still on its way: Envoy answers with 500, or lets it pass where its
    // failure mode allows.
    const long = both.proc(post, { body: order(17 * MiB) });
    await expect(long).rejects.toThrow(/the stream ended with (?:8|cancelled)$/);
  });
});

/** A response under way, of which so much has come. */
async function hold(client: ProcessingClient, length: number, answers: Plain[]): Promise<ProcessingStream> {
  const stream = client.open((answer) => answers.push(answer));
  stream.send(requestHeaders("/whole"));
  await stream.answered(1);
  stream.send(responseHeaders("application/json"));
  for (let sent = 0; sent < length; sent += 64 * KiB) stream.send(responseBody(Buffer.alloc(64 * KiB, " ")));
  return stream;
}

describe("bodies that are held at one time", () => {
  it("are at most --max-held-bytes: the next one gets 503, and has room when others are over", async () => {
    const both = await start({ maxHeldBytes: MiB });
    const client = await openProcessingClient(portOf(both), 1);
    opened.client = client;
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`http://${both.server.adminAddress}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    };
    const settled = async (bytes: number): Promise<void> =>
      expect.poll(() => metric("gatehouse_body_held_bytes"), { timeout: 5000 }).toBe(bytes);
    const [first, second]: [Plain[], Plain[]] = [[], []];
    const one = await hold(client, 768 * KiB, first);
    await settled(768 * KiB);
    const other = await hold(client, 512 * KiB, second);
    await other.answered(2);
    expect(second[1]?.["immediate_response"]).toMatchObject({ status: { code: "ServiceUnavailable" } });
    expect(await metric("gatehouse_body_no_room_total")).toBe(1);
    other.end();
    expect(await other.ended).toBe("0");
    await settled(768 * KiB);
    one.cancel();
    await settled(0);
    const third: Plain[] = [];
    const last = await hold(client, 512 * KiB, third);
    last.send(responseBody(Buffer.from('{"card": "4111"}'), true));
    await last.answered(2);
    last.end();
    expect(await last.ended).toBe("0");
    expect(third.some((answer) => "immediate_response" in answer)).toBe(false);
    await settled(0);
  });
});

describe("a connection", () => {
  it("says that it takes 10,000 streams at one time", async () => {
    const both = await start();
    const session = connect(`http://127.0.0.1:${portOf(both)}`);
    const settings = await new Promise<{ maxConcurrentStreams?: number }>((resolve) =>
      session.once("remoteSettings", resolve),
    );
    session.destroy();
    expect(settings.maxConcurrentStreams).toBe(10_000);
  });
});
