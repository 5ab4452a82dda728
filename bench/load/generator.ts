/**
 * A load generator in a process of its own: takes jobs over IPC, one after the other, and answers each with
 * its time.
 */
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { frameOf, startCall } from "./grpc-call.js";
import { type Job, type JobResult, NUMBER_PLACE } from "./job.js";

const JOB_MS = 120_000;
const CHECK = "/envoy.service.auth.v3.Authorization/Check";

async function run(job: Job): Promise<JobResult> {
  const started = performance.now();
  await (job.kind === "grpc" ? grpcCalls(job) : httpRequests(job));
  return { seconds: (performance.now() - started) / 1000 };
}

type GrpcJob = Extract<Job, { kind: "grpc" }>;

/** Calls a method, the same messages in turn, and holds every answer against what is expected or the first. */
async function grpcCalls(job: GrpcJob): Promise<void> {
  const { port, count, parallel, payloads, connections = 1, path = CHECK } = job;
  const sessions = Array.from({ length: connections }, () => connectHttp2(`http://127.0.0.1:${port}`));
  const frames = payloads.map(numbered);
  const judge = answerJudge(job);
  let left = count;
  const lane = async (_: unknown, number: number): Promise<void> => {
    const session = sessions[number % connections];
    while (left-- > 0) {
      const frame = frames[left % frames.length];
      if (session === undefined || frame === undefined) throw new Error("nothing to send");
      judge(await call(session, path, renewed(frame)));
    }
  };
  try {
    await Promise.all(Array.from({ length: parallel }, lane));
  } finally {
    for (const session of sessions) session.close();
  }
}

/** Throws for an answer that is none. */
function answerJudge({ answerStart }: GrpcJob): (answer: Buffer) => void {
  const start = answerStart === undefined ? undefined : Buffer.from(answerStart, "base64");
  let length: number | undefined;
  return (answer) => {
    if (start !== undefined) {
      const got = answer.subarray(5, 5 + start.length);
      if (!got.equals(start)) throw new Error(`an answer begins with ${got.toString("hex")}`);
      return;
    }
    length ??= answer.length;
    // The decision id has a fixed length, so answers differ in content only.
    if (answer.length < 6 || answer.length !== length)
      throw new Error(`an answer has ${answer.length} bytes, expected ${length}`);
  };
}

/** A message and the place of its number, -1 without one. */
interface Frame {
  readonly bytes: Buffer;
  readonly numberAt: number;
}

function numbered(payload: string): Frame {
  const bytes = frameOf(Buffer.from(payload, "base64"));
  return { bytes, numberAt: bytes.indexOf(NUMBER_PLACE) };
}

let lastNumber = 0;

/** The message; with a number that no other one has, if it has a place for it. */
function renewed({ bytes, numberAt }: Frame): Buffer {
  if (numberAt < 0) return bytes;
  const fresh = Buffer.from(bytes);
  fresh.write(String(++lastNumber).padStart(NUMBER_PLACE.length, "0"), numberAt, "latin1");
  return fresh;
}

function call(session: ClientHttp2Session, path: string, frame: Buffer): Promise<Buffer> {
  const { stream, answer } = startCall(session, path);
  stream.end(frame);
  return answer;
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
