import { type ClientHttp2Session, connect } from "node:http2";

/** How requests are sent. */
export interface H2Load {
  readonly port: number;
  /** Path of the request with this number, from 0. */
  readonly pathOf: (index: number) => string;
  /** So many; with `while` at most so many. */
  readonly requests: number;
  /** Asked before each request; false: no more are begun. */
  readonly while?: () => boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** More than one, so that all threads of an Envoy have something to do. */
  readonly connections?: number;
  /** Requests under way on each connection. */
  readonly streams?: number;
}

/** What came of them. */
export interface H2Outcome {
  readonly sent: number;
  /** Answers by status; 0: there was none. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly seconds: number;
}

/** Sends requests over cleartext HTTP/2, each as soon as one before it was answered. */
export async function sendH2({
  port,
  pathOf,
  requests,
  while: goesOn = () => true,
  headers: also = {},
  connections = 4,
  streams = 16,
}: H2Load): Promise<H2Outcome> {
  const statuses: Record<number, number> = {};
  let sent = 0;
  const one = (session: ClientHttp2Session, path: string): Promise<number> =>
    new Promise((resolve) => {
      let status = 0;
      const call = session.request({ ":path": path, ":authority": "books.example", ...also });
      call.on("response", (headers) => {
        status = headers[":status"] ?? 0;
      });
      call.on("error", () => {});
      call.on("close", () => resolve(status));
      call.resume();
    });
  const turn = async (session: ClientHttp2Session): Promise<void> => {
    while (sent < requests && goesOn()) {
      sent += 1;
      const status = await one(session, pathOf(sent - 1));
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  const began = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on("error", () => {});
      await Promise.all(Array.from({ length: streams }, () => turn(session)));
      session.close();
    }),
  );
  return { sent, statuses, seconds: (performance.now() - began) / 1000 };
}
