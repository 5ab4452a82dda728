/**
 * Sends requests through Envoy, or what Envoy would send, in a process of its own: takes jobs over IPC, one after the
 * other, and answers each with its time.
 */
import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { requestHeaders } from "../request.js";
import { customerDocument, customers } from "./documents.js";
import type { Expected, Job, JobResult } from "./job.js";
import {
  bodyMode,
  type Message,
  requestHeadersMessage,
  responseBodyMessage,
  responseHeadersMessage,
} from "./messages.js";
import { openProcess, type ProcessStream } from "./stream.js";

const JOB_MS = 120_000;

type Of<Kind extends Job["kind"]> = Extract<Job, { kind: Kind }>;

function hold({ bytes, has = [], lacks = [] }: Expected, body: Buffer): void {
  if (bytes !== undefined && body.length !== bytes)
    throw new Error(`a body has ${body.length} bytes, expected ${bytes}`);
  const wrong = has.find((text) => !body.includes(text)) ?? lacks.find((text) => body.includes(text));
  if (wrong !== undefined)
    throw new Error(`\`${wrong}\` is in a body that must not have it, or is not in one`);
}

/** `parallel` lanes over one connection, until `count` are done. */
async function inLanes(
  { port, count, parallel }: Job,
  one: (session: ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1 << 20 } });
  session.once("connect", () => session.setLocalWindowSize(16 << 20));
  session.setMaxListeners(0);
  let left = count;
  try {
    await Promise.all(
      Array.from({ length: parallel }, async () => {
        while (left-- > 0) await one(session);
      }),
    );
  } finally {
    session.close();
  }
}

const headers = Object.fromEntries(requestHeaders);

/** Of a long body only the length is looked at: holding it would cost this process too much. */
const LONG = 1 << 20;

function get(session: ClientHttp2Session, expected: Expected): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: true });
    const isLong = (expected.bytes ?? 0) > LONG;
    const chunks: Buffer[] = [];
    let status = 0;
    let length = 0;
    stream.on("response", (head) => {
      status = head[":status"] ?? 0;
    });
    stream.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (!isLong) chunks.push(chunk);
    });
    stream.on("error", reject);
    stream.on("end", () => {
      try {
        if (status !== 200) throw new Error(`answered with ${status}: ${Buffer.concat(chunks).toString()}`);
        if (!isLong) hold(expected, Buffer.concat(chunks));
        else if (length !== expected.bytes)
          throw new Error(`a body has ${length} bytes, expected ${expected.bytes}`);
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
}

function part(answer: Message, name: string): Message {
  const found = answer[name];
  if (found == null) throw new Error(`expected \`${name}\`, got ${JSON.stringify(answer).slice(0, 300)}`);
  return found as Message;
}

/** The mode in which the response's body is sent: as an answer asks for it, or as it was. */
function modeAfter(answer: Message, before: number): number {
  const override = answer["mode_override"] as Message | null;
  return override == null ? before : ((override["response_body_mode"] as number | null) ?? 0);
}

/** `ProcessingMode.HeaderSendMode` SKIP. */
const skip = 2;

function skipsResponse(answer: Message): boolean {
  const override = answer["mode_override"] as Message | null;
  return override != null && override["response_header_mode"] === skip;
}

function streamed(answer: Message): { readonly body: Buffer; readonly isLast: boolean } {
  const response = part(part(answer, "response_body"), "response");
  const { body, end_of_stream } = part(part(response, "body_mutation"), "streamed_response");
  return { body: (body as Buffer | null) ?? Buffer.alloc(0), isLast: end_of_stream === true };
}

/** Sends the head of a response, and waits as Envoy does: not where the body is asked for in pieces already. */
async function sendHead(
  stream: ProcessStream,
  head: Uint8Array,
  mode: number,
): Promise<{ readonly mode: number; readonly isAnswered: boolean }> {
  await stream.send(head);
  if (mode === bodyMode.FULL_DUPLEX_STREAMED) return { mode, isAnswered: false };
  const answer = await stream.next();
  part(answer, "response_headers");
  return { mode: modeAfter(answer, mode), isAnswered: true };
}

const end = responseBodyMessage(Buffer.alloc(0), true);

async function processing({
  responseHeaders,
  responseBody,
  bodyBytes,
  expected,
}: Of<"streams">): Promise<(session: ClientHttp2Session) => Promise<void>> {
  const configured = bodyMode[responseBody];
  const request = requestHeadersMessage(configured);
  const response = responseHeadersMessage(bodyBytes);
  const body = Buffer.from(bodyBytes === 0 ? "" : customerDocument(bodyBytes));
  const whole = responseBodyMessage(body, true);
  const piece = responseBodyMessage(body, false);
  return async (session) => {
    const stream = openProcess(session);
    await stream.send(request);
    const first = await stream.next();
    part(first, "request_headers");
    if (responseHeaders === "SEND" && !skipsResponse(first)) {
      const { mode, isAnswered } = await sendHead(
        stream,
        response,
        bodyBytes === 0 ? bodyMode.NONE : modeAfter(first, configured),
      );
      if (mode === bodyMode.BUFFERED) {
        await stream.send(whole);
        const answer = part(await stream.next(), "response_body")["response"] as Message | null;
        const mutation = answer?.["body_mutation"] as Message | null | undefined;
        hold(expected, mutation == null ? body : (mutation["body"] as Buffer));
      } else if (mode === bodyMode.FULL_DUPLEX_STREAMED) {
        await stream.send(piece);
        await stream.send(end);
        if (!isAnswered) part(await stream.next(), "response_headers");
        const chunks: Buffer[] = [];
        for (let isLast = false; !isLast; ) {
          const step = streamed(await stream.next());
          chunks.push(step.body);
          isLast = step.isLast;
        }
        hold(expected, Buffer.concat(chunks));
      } else if (bodyBytes > 0) hold(expected, body);
    }
    await stream.close();
  };
}

const QUIET_MS = 1_000;
const QUIET_TURNS = 10;
let release = (): void => {};

/** Goes on until nothing more is taken, or all is sent. */
async function holdOpen({
  port,
  count,
  bodyBytes,
  chunkBytes,
  reads,
}: Of<"held">): Promise<Omit<JobResult, "seconds">> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.setMaxListeners(0);
  const streams: ProcessStream[] = [];
  const headsDue: boolean[] = [];
  let sent = 0;
  let received = 0;
  for (let i = 0; i < count; i++) {
    const stream = openProcess(session);
    streams.push(stream);
    await stream.send(requestHeadersMessage(bodyMode.NONE));
    const first = await stream.next();
    const asked = modeAfter(first, bodyMode.NONE);
    const { mode, isAnswered } = await sendHead(stream, responseHeadersMessage(LONG * 10), asked);
    headsDue.push(!isAnswered);
    if (mode !== bodyMode.FULL_DUPLEX_STREAMED) throw new Error("the body is not asked for");
    if (!reads) stream.http.pause();
  }
  release = () => session.destroy();
  const chunks: { readonly message: Buffer; readonly length: number }[] = [];
  for (const chunk of customers(LONG * 10, chunkBytes)) {
    if (chunks.length * chunkBytes >= bodyBytes) break;
    chunks.push({ message: responseBodyMessage(chunk, false), length: chunk.length });
  }
  let failure: unknown;
  const note = (error: unknown): void => {
    failure ??= error;
  };
  for (const [index, stream] of streams.entries()) {
    const feed = async (): Promise<void> => {
      for (const { message, length } of chunks) {
        await stream.send(message);
        sent += length;
      }
    };
    const drain = async (): Promise<void> => {
      if (headsDue[index]) part(await stream.next(), "response_headers");
      for (;;) {
        const { body } = streamed(await stream.next());
        received += body.length;
      }
    };
    feed().catch(note);
    if (reads && bodyBytes > 0) drain().catch(note);
  }
  for (let quiet = 0, last = -1; quiet < QUIET_TURNS; ) {
    await sleep(QUIET_MS / QUIET_TURNS);
    quiet = last === sent + received ? quiet + 1 : 0;
    last = sent + received;
  }
  // Streams end with the next job, and what waits on them then is no failure.
  if (failure !== undefined) throw failure;
  return { sent, received };
}

async function run(job: Job): Promise<JobResult> {
  release();
  release = () => {};
  const started = performance.now();
  let moved = { sent: 0, received: 0 };
  if (job.kind === "http2") await inLanes(job, (session) => get(session, job.expected));
  else if (job.kind === "streams") await inLanes(job, await processing(job));
  else moved = await holdOpen(job);
  return { seconds: (performance.now() - started) / 1000, ...moved };
}

process.on("message", (job: Job) => {
  const late = setTimeout(() => {
    console.error(`a job took longer than ${JOB_MS} ms`);
    process.exit(1);
  }, JOB_MS);
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
