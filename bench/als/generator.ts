/** Streams access logs as ten Envoys would, or asks for checks at a fixed rate: jobs over IPC, one after the other. */
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { frameOf, startCall } from "../load/grpc-call.js";
import { type LogMessage, numbered, type ProxyLog, proxyLog, type Sampled } from "./entries.js";
import type { Job, JobResult } from "./job.js";

const JOB_MS = 120_000;
const ENVOYS = 10;
const LOG = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";
const CHECK = "/envoy.service.auth.v3.Authorization/Check";

const pools = new Map<Sampled, readonly ProxyLog[]>();

function poolOf(sampled: Sampled): readonly ProxyLog[] {
  const pool = pools.get(sampled) ?? Array.from({ length: ENVOYS }, (_, i) => proxyLog(i, sampled));
  pools.set(sampled, pool);
  return pool;
}

/** Entries so far, of all jobs. */
let sent = 0;

/** With numbers that no other entries have. */
function renewed(message: LogMessage): Buffer {
  const frame = numbered(message, sent + 1);
  sent += message.entries;
  return frame;
}

type EntriesJob = Extract<Job, { kind: "entries" }>;

interface Envoy {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  readonly answer: Promise<Buffer>;
  readonly log: ProxyLog;
}

async function streamEntries({ port, count, rate, sampled }: EntriesJob): Promise<JobResult> {
  const envoys = poolOf(sampled).map((log): Envoy => {
    const session = connect(`http://127.0.0.1:${port}`);
    const { stream, answer } = startCall(session, LOG);
    stream.write(log.first);
    return { session, stream, answer, log };
  });
  // Who reports is said long before.
  await sleep(50);
  const started = performance.now();
  const before = sent;
  const due = (): number => (rate === undefined ? count : ((performance.now() - started) / 1000) * rate);
  for (let turn = 0; sent - before < count; ) {
    while (sent - before < Math.min(due(), count)) {
      const { stream, log } = envoys[turn % ENVOYS] as Envoy;
      const message = log.messages[Math.floor(turn / ENVOYS) % log.messages.length] as LogMessage;
      turn += 1;
      if (!stream.write(renewed(message)) && rate === undefined) await once(stream, "drain");
    }
    await sleep(1);
  }
  const seconds = (performance.now() - started) / 1000;
  for (const { stream } of envoys) stream.end();
  await Promise.all(envoys.map(({ answer }) => answer));
  for (const { session } of envoys) session.close();
  return { seconds, entries: sent - before, latencies: [] };
}

type ChecksJob = Extract<Job, { kind: "checks" }>;

/** More than wait on a machine that keeps up; a server refuses streams without end. */
const MAX_UNDER_WAY = 64;

/** Does not wait for one answer before it asks again. */
async function askChecks({ port, count, rate, payload }: ChecksJob): Promise<JobResult> {
  const session = connect(`http://127.0.0.1:${port}`);
  const frame = frameOf(Buffer.from(payload, "base64"));
  const latencies: number[] = [];
  const answers: Promise<void>[] = [];
  let underWay = 0;
  const ask = async (): Promise<void> => {
    const asked = performance.now();
    const { stream, answer } = startCall(session, CHECK);
    stream.end(frame);
    await answer;
    latencies.push(performance.now() - asked);
    underWay -= 1;
  };
  const started = performance.now();
  while (answers.length < count) {
    const due = ((performance.now() - started) / 1000) * rate;
    while (answers.length < Math.min(due, count) && underWay < MAX_UNDER_WAY) {
      underWay += 1;
      answers.push(ask());
    }
    await sleep(1);
  }
  await Promise.all(answers);
  const seconds = (performance.now() - started) / 1000;
  session.close();
  return { seconds, entries: 0, latencies: latencies.sort((a, b) => a - b) };
}

process.on("message", (job: Job) => {
  const late = setTimeout(() => process.exit(1), JOB_MS);
  (job.kind === "entries" ? streamEntries(job) : askChecks(job)).then(
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
