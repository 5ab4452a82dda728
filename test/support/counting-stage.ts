import { pino } from "pino";
import { type RunningServer, type ServerOptions, startServer } from "../../src/server/index.js";
import { type CountingEnvoyOptions, startCountingEnvoy } from "./counting-envoy.js";
import type { Envoy } from "./envoy.js";
import { type HttpAnswer, type HttpCall, send } from "./http.js";
import { eventually, makeConfigFolder } from "./server-fixture.js";
import { startUpstream, type Upstream } from "./upstream.js";

/** One server, in this process, and an Envoy in front of an upstream that asks it. */
export interface CountingStage {
  readonly server: RunningServer;
  readonly envoy: Envoy;
  readonly upstream: Upstream;
  /** Sends a request to Envoy. */
  ask(path: string, call?: Partial<HttpCall>): Promise<HttpAnswer>;
  /** The statuses of as many requests, one after the other. */
  statuses(times: number, path: string, call?: Partial<HttpCall>): Promise<readonly number[]>;
  /** The line of Envoy's access log that belongs to an answer. */
  logged(answer: HttpAnswer): Promise<Readonly<Record<string, unknown>>>;
  /** Writes a file of the configuration; fulfilled when it is in force. */
  write(name: string, text: string): Promise<void>;
  stop(): Promise<void>;
}

/** What a stage is made of. */
export interface CountingStageOptions extends Omit<CountingEnvoyOptions, "gatehouse" | "upstream"> {
  /** Texts of configuration by file name. */
  readonly files: Readonly<Record<string, string>>;
  readonly options?: Partial<ServerOptions>;
  /** The one of `test/support/upstream.ts` by default. */
  readonly upstream?: Upstream;
}

/** Starts all; what was started is stopped again when something cannot be. */
export async function startCountingStage(given: CountingStageOptions): Promise<CountingStage> {
  const folder = makeConfigFolder();
  for (const [name, text] of Object.entries(given.files)) folder.write(name, text);
  const undo: (() => unknown)[] = [() => folder.remove()];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const addresses = { grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" };
    const server = await startServer(
      { configPaths: [folder.path], ...addresses, ...given.options },
      { logger: pino({ level: "silent" }), now: Date.now },
    );
    undo.push(() => server.close());
    const upstream = given.upstream ?? (await startUpstream());
    undo.push(upstream.stop);
    const gatehouse = [Number(server.grpcAddress.split(":").at(-1))];
    const envoy = await startCountingEnvoy({ ...given, gatehouse, upstream: upstream.port });
    undo.push(envoy.stop);
    const ask: CountingStage["ask"] = (path, call = {}) =>
      send({ port: envoy.ports["http"] ?? 0, path, ...call });
    return {
      server,
      envoy,
      upstream,
      ask,
      statuses: async (times, path, call) => {
        const found: number[] = [];
        while (found.length < times) found.push((await ask(path, call)).status);
        return found;
      },
      logged: (answer) => logged(envoy, answer),
      write: async (name, text) => {
        const { generation } = server.configuration();
        folder.write(name, text);
        await eventually(() => server.configuration().generation > generation, true, 20_000);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function logged(envoy: Envoy, { headers }: HttpAnswer): Promise<Readonly<Record<string, unknown>>> {
  const id = String(headers["x-request-id"]);
  const find = (): string | undefined =>
    envoy
      .logs()
      .split("\n")
      .find((line) => line.startsWith("{") && line.includes(id));
  await eventually(() => find() !== undefined, true);
  return JSON.parse(find() ?? "{}") as Record<string, unknown>;
}
