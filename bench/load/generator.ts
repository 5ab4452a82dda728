/**
 * A load generator in a process of its own: takes jobs over IPC, one after the other, and answers each with
 * its time.
 */
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import type { Job, JobResult } from "./job.js";

const JOB_MS = 120_000;

async function run(job: Job): Promise<JobResult> {
  const started = performance.now();
  await (job.kind === "grpc" ? grpcCalls(job) : httpRequests(job));
  return { seconds: (performance.now() - started) / 1000 };
}

/**
 * Calls Check over one HTTP/2 connection, the same messages in turn, and holds every answer against the first.
 */
async function grpcCalls({ port, count, parallel, payloads }: Extract<Job, { kind: "grpc" }>): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const frames = payloads.map(frameOf);
  let left = count;
  let length: number | undefined;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const frame = frames[left % frames.length];
      const answer = frame === undefined ? 0 : await call(session, frame);
      length ??= answer;
      // The decision id has a fixed length, so answers differ in content only.
      if (answer < 6 || answer !== length)
        throw new Error(`an answer has ${answer} bytes, expected ${length}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: parallel }, lane));
  } finally {
    session.close();
  }
}

function frameOf(payload: string): Buffer {
  const message = Buffer.from(payload, "base64");
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

function call(session: ClientHttp2Session, frame: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/envoy.service.auth.v3.Authorization/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    let length = 0;
    stream.on("data", (chunk: Buffer) => {
      length += chunk.length;
    });
    stream.on("trailers", (trailers) => {
      if (trailers["grpc-status"] !== "0")
        reject(new Error(`grpc-status ${String(trailers["grpc-status"])}`));
    });
    stream.on("error", reject);
    stream.on("end", () => resolve(length));
    stream.end(frame);
  });
}

/** GETs over keep-alive HTTP/1.1 connections; each answer must be a 200 with a content-length. */
async function httpRequests({ port, count, parallel, head }: Extract<Job, { kind: "http" }>): Promise<void> {
  let left = count;
  const lane = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket: Socket = connectTcp(port, "127.0.0.1");
      socket.setNoDelay(true);
      let received = "";
      const next = (): void => {
        if (left-- > 0) socket.write(head);
        else {
          socket.destroy();
          resolve();
        }
      };
      socket.setEncoding("latin1");
      socket.on("connect", next);
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("connection closed early")));
      socket.on("data", (text: string) => {
        received += text;
        const end = received.indexOf("\r\n\r\n");
        if (end < 0) return;
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1]);
        if (!received.startsWith("HTTP/1.1 200 ") || Number.isNaN(length)) {
          reject(new Error(`unexpected answer: ${received.slice(0, 200)}`));
          socket.destroy();
          return;
        }
        if (received.length < end + 4 + length) return;
        received = "";
        next();
      });
    });
  await Promise.all(Array.from({ length: parallel }, lane));
}

process.on("message", (job: Job) => {
  const late = setTimeout(() => process.exit(1), JOB_MS);
  run(job).then(
    (result) => {
      clearTimeout(late);
      process.send?.(result);
    },
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
