import { afterEach, describe, expect, it } from "vitest";
import { type BothServices, startBothServices } from "../support/both-services.js";
import {
  bodyIn,
  openProcessingClient,
  type ProcessingClient,
  requestHeaders,
  responseBody,
  responseHeaders,
} from "../support/processing-stream.js";

// What SIGTERM does with streams of ext_proc that are under way, as their client sees it; with a real Envoy it is in
// test/envoy/ext-proc-failures.test.ts.

const policies = `
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: whole, namespace: bookshop}
spec: {response: {body: {delivery: whole, fields: [{path: $.card, action: mask}]}}}
`;

const opened: { both?: BothServices; client?: ProcessingClient } = {};
afterEach(async () => {
  opened.client?.close();
  await opened.both?.stop();
});

async function start(drainTimeoutMs: number) {
  const both = await startBothServices({ "policies.yaml": policies }, { drainTimeoutMs });
  const client = await openProcessingClient(Number(both.server.grpcAddress.split(":").at(-1)), 1);
  Object.assign(opened, { both, client });
  return { both, client };
}

const json = responseHeaders("application/json");
const [first, last] = ['{"card": "41', '11"}'].map((text) => Buffer.from(text));

describe("a server that drains", () => {
  it("answers all that is under way, in each phase, then ends, and takes no new stream", async () => {
    const { both, client } = await start(20_000);
    const bodies = ["", "", ""];
    const streams = bodies.map((_, i) =>
      client.open((answer) => {
        bodies[i] += bodyIn(answer).toString();
      }),
    );
    for (const stream of streams) stream.send(requestHeaders("/"));
    await Promise.all(streams.map((stream) => stream.answered(1)));
    // One waits for its response, one for the body, one for the rest of it.
    const [, headed, begun] = streams;
    headed?.send(json);
    begun?.send(json);
    begun?.send(responseBody(first ?? Buffer.alloc(0)));
    const drained = both.server.drain();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await expect(openAndAsk(client)).rejects.toThrow();
    const [waiting] = streams;
    waiting?.send(json);
    waiting?.send(responseBody(first ?? Buffer.alloc(0)));
    headed?.send(responseBody(first ?? Buffer.alloc(0)));
    for (const stream of streams) {
      stream.send(responseBody(last ?? Buffer.alloc(0), true));
      await stream.answered(3);
      stream.end();
    }
    expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual(["0", "0", "0"]);
    expect(new Set(bodies)).toEqual(new Set(['{"card": "****"}']));
    expect(await drained).toBe(true);
  });

  it("fails what takes longer with UNAVAILABLE, whatever was answered before", async () => {
    const { both, client } = await start(300);
    const [asked, held] = [client.open(), client.open()];
    for (const stream of [asked, held]) stream.send(requestHeaders("/"));
    await Promise.all([asked.answered(1), held.answered(1)]);
    held.send(json);
    held.send(responseBody(first ?? Buffer.alloc(0)));
    expect(await both.server.drain()).toBe(false);
    for (const stream of [asked, held]) stream.end();
    expect([await asked.ended, await held.ended]).toEqual(["14", "14"]);
  });
});

async function openAndAsk(client: ProcessingClient): Promise<void> {
  const stream = client.open();
  stream.send(requestHeaders("/"));
  await stream.answered(1);
}
