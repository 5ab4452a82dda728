import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import type { MethodDefinition, ServiceDefinition } from "@grpc/proto-loader";
import { pino } from "pino";
import { readRateLimitSettings } from "../../src/ratelimit/index.js";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { loadProtos } from "../../src/server/protos.js";
import type { RateLimitCase, RateLimitStep, RequestJson, ResponseJson } from "./ratelimit-case.js";

/** What a running server is given beside the case's own files and environment. */
export interface ReplayOptions {
  readonly sharedKeys: boolean;
  /** Absent: counters in memory. */
  readonly redisUrl?: string;
  readonly workers?: number;
}

/** What came of a step that asks; a reload gives whether it was taken. */
export type StepOutcome =
  | { readonly response: ResponseJson }
  | { readonly error: { readonly code: number; readonly message: string } }
  | { readonly result: "ok" | "refused" };

const SERVICE = "envoy.service.ratelimit.v3.RateLimitService";
const RELOAD_MS = 10_000;
const CALL_MS = 10_000;

/** Replays a case's steps, in order, through the gRPC port of a server of its own. */
export async function replayOverGrpc(one: RateLimitCase, options: ReplayOptions): Promise<StepOutcome[]> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-ratelimit-"));
  const { settings, problems } = readRateLimitSettings(one.env);
  if (problems.length > 0) throw new Error(problems.join("; "));
  await putFiles(folder, one.files);
  const server = await startServer(
    {
      configPaths: [],
      rateLimitPaths: [folder],
      rateLimit: { ...settings, sharedKeys: options.sharedKeys },
      clockOffsetMs: one.clock_unix * 1000 - Date.now(),
      redis: options.redisUrl === undefined ? undefined : redisAt(options.redisUrl),
      workers: options.workers ?? 1,
      allowInvalidStart: true,
      decides: false,
      grpcAddress: "127.0.0.1:0",
      adminAddress: "127.0.0.1:0",
    },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  const client = new grpc.Client(server.grpcAddress, grpc.credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  try {
    const outcomes: StepOutcome[] = [];
    const resetHeader = settings.headers?.reset ?? "";
    for (const step of one.steps) outcomes.push(await play(step, { server, client, folder, resetHeader }));
    return outcomes;
  } finally {
    client.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A machine under load is no reason for another answer. */
function redisAt(url: string): { urls: string[]; cluster: boolean; timeoutMs: number } {
  return { urls: [url], cluster: false, timeoutMs: 5_000 };
}

interface Scene {
  readonly server: RunningServer;
  readonly client: grpc.Client;
  readonly folder: string;
  readonly resetHeader: string;
}

async function play(
  step: RateLimitStep,
  { server, client, folder, resetHeader }: Scene,
): Promise<StepOutcome> {
  if (step.op === "reload") return reload(server, folder, step.files ?? {});
  const { ShouldRateLimit } = loadProtos().packages[SERVICE] as ServiceDefinition;
  const codec = ShouldRateLimit as MethodDefinition<object, object>;
  const bytes =
    step.request === undefined
      ? Buffer.from(step.request_b64 ?? "", "base64")
      : codec.requestSerialize(toMessage(step.request));
  try {
    const answer = await call(client, step.method ?? codec.path, bytes);
    return { response: fromMessage(codec.responseDeserialize(answer) as ResponseMessage, resetHeader) };
  } catch (error) {
    const { code, details } = error as grpc.ServiceError;
    return { error: { code, message: details } };
  }
}

function call(client: grpc.Client, method: string, bytes: Buffer): Promise<Buffer> {
  const same = (value: Buffer): Buffer => value;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + CALL_MS };
    client.makeUnaryRequest(method, same, same, bytes, options, (error, answer) => {
      if (error !== null || answer === undefined) reject(error ?? new Error("no answer"));
      else resolve(answer);
    });
  });
}

async function putFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

async function reload(
  server: RunningServer,
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<StepOutcome> {
  await putFiles(folder, files);
  // A reading may have been under way; the second from now on has seen all files.
  for (let round = 0; round < 2; round++) {
    const before = server.configuration().lastReload;
    server.reload();
    const until = Date.now() + RELOAD_MS;
    while (server.configuration().lastReload === before) {
      if (Date.now() > until) throw new Error("the server did not reload");
      await sleep(5);
    }
  }
  return { result: server.configuration().lastReload?.result === "ok" ? "ok" : "refused" };
}

function toMessage({ domain, descriptors, hits_addend = 0 }: RequestJson): object {
  return {
    domain,
    hits_addend,
    descriptors: descriptors.map(({ entries, limit, hits_addend: hits }) => ({
      entries,
      ...(limit !== undefined && { limit }),
      ...(hits !== undefined && { hits_addend: { value: hits } }),
    })),
  };
}

interface ResponseMessage {
  readonly overall_code?: number;
  readonly statuses?: readonly {
    readonly code?: number;
    readonly current_limit?: {
      readonly name?: string;
      readonly requests_per_unit?: number;
      readonly unit?: number;
    };
    readonly limit_remaining?: number;
    readonly duration_until_reset?: object;
  }[];
  readonly response_headers_to_add?: readonly { readonly key: string; readonly value: string }[];
  readonly dynamic_metadata?: StructMessage;
}

interface StructMessage {
  readonly fields?: Readonly<Record<string, ValueMessage>>;
}

interface ValueMessage {
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: StructMessage;
  readonly listValue?: { readonly values?: readonly ValueMessage[] };
}

const codes = ["UNKNOWN", "OK", "OVER_LIMIT"];
const units = ["UNKNOWN", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR", "WEEK"];

function fromMessage(message: ResponseMessage, resetHeader: string): ResponseJson {
  const metadata = message.dynamic_metadata;
  return {
    overall_code: codes[message.overall_code ?? 0] ?? "?",
    statuses: (message.statuses ?? []).map((status) => ({
      code: codes[status.code ?? 0] ?? "?",
      current_limit:
        status.current_limit === undefined || status.current_limit === null
          ? null
          : {
              name: status.current_limit.name ?? "",
              requests_per_unit: status.current_limit.requests_per_unit ?? 0,
              unit: units[status.current_limit.unit ?? 0] ?? "?",
            },
      limit_remaining: status.limit_remaining ?? 0,
      duration_until_reset: status.duration_until_reset ? "MASKED" : null,
    })),
    response_headers_to_add: (message.response_headers_to_add ?? []).map(({ key, value }) => ({
      key,
      value: key === resetHeader ? "MASKED" : value,
    })),
    ...(metadata && { dynamic_metadata: toObject(metadata) }),
  };
}

function toObject({ fields = {} }: StructMessage): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, toJson(value)]));
}

function toJson(value: ValueMessage): unknown {
  if (value.structValue !== undefined) return toObject(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(toJson);
  return value.stringValue ?? value.boolValue ?? value.numberValue ?? null;
}
