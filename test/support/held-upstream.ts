import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Upstream } from "./upstream.js";

/** An upstream whose answers wait until they are let go. */
export interface HeldUpstream extends Upstream {
  /** Requests that wait. */
  readonly waiting: number;
  /** The most that ever waited at one time. */
  readonly most: number;
  /** Answers as many of those that wait, the oldest first. */
  release(count: number): void;
}

/** Starts it on a free loopback port; it does not keep what it got. */
export async function startHeldUpstream(): Promise<HeldUpstream> {
  const held: ServerResponse[] = [];
  let most = 0;
  const server = createServer((_, response) => {
    held.push(response);
    most = Math.max(most, held.length);
    response.once("close", () => {
      const place = held.indexOf(response);
      if (place >= 0) held.splice(place, 1);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    received: [],
    get waiting() {
      return held.length;
    },
    get most() {
      return most;
    },
    release: (count) => {
      for (const response of held.splice(0, count)) response.end("done\n");
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
