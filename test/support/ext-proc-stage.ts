import grpc from "@grpc/grpc-js";
import type { Direction, HeaderLines } from "../../src/envoy/ext-proc/message.js";
import { createExtProcService, type ExtProcService } from "../../src/envoy/index.js";
import { parseAddress } from "../../src/server/address.js";
import { createTransport } from "../../src/server/grpc.js";
import type { Envoy } from "./envoy.js";
import { type Cell, piecesOf } from "./ext-proc-cells.js";
import { type Ask, createProcClients, type Got } from "./ext-proc-clients.js";
import { type ProcListener, startProcEnvoy } from "./ext-proc-envoy.js";
import { programHeader, programmedExchange } from "./ext-proc-exchange.js";
import { type ProcUpstreams, type Reply, startProcUpstreams } from "./ext-proc-upstreams.js";
import { noAccessLog } from "./no-access-log.js";
import { noRateLimitService } from "./no-rate-limits.js";
import { freePort } from "./ports.js";

/** Envoy between clients and upstreams, with the product's service, which does what each request asks for. */
export interface ProcStage {
  readonly envoy: Envoy;
  readonly upstreams: ProcUpstreams;
  readonly service: ExtProcService;
  /** What went wrong in the service, in words. */
  readonly errors: readonly string[];
  /** Headers that somebody had to decide about, by `x-id` of the request. */
  readonly decided: readonly { readonly direction: Direction; readonly lines: HeaderLines }[];
  readonly send: (ask: Omit<Ask, "port"> & { readonly listener: string }) => Promise<Got>;
  stop(): Promise<void>;
}

/** Starts it all on loopback. */
export async function startProcStage(listeners: readonly ProcListener[]): Promise<ProcStage> {
  const errors: string[] = [];
  const decided: { direction: Direction; lines: HeaderLines }[] = [];
  const service = createExtProcService({
    exchange: () => programmedExchange((direction, lines) => decided.push({ direction, lines })),
    observer: {
      opened: () => {},
      received: () => {},
      answered: () => {},
      violated: () => {},
      failed: (why) => errors.push(why),
      closed: () => {},
    },
    onError: (error) => errors.push(String(error)),
  });
  const never = (): never => {
    throw new Error("no check in this test");
  };
  const transport = createTransport({
    authorization: { check: never, refuse: never },
    rateLimit: noRateLimitService,
    accessLog: noAccessLog,
    extProc: service,
    credentials: grpc.ServerCredentials.createInsecure(),
    refusePeer: undefined,
    maxMessageBytes: 16 * 1024 * 1024,
    reflection: false,
    onError: (where, error) => errors.push(`${where}: ${String(error)}`),
  });
  const address = await transport.listen(parseAddress("127.0.0.1:0"));
  if (address.kind !== "tcp") throw new Error("it listens on no port");
  const upstreams = await startProcUpstreams();
  const { http1, http2 } = upstreams;
  const envoy = await startProcEnvoy(listeners, {
    gatehouse: address.port,
    http1,
    http2,
    dead: await freePort(),
  });
  const clients = createProcClients();
  return {
    envoy,
    upstreams,
    service,
    errors,
    decided,
    send({ listener, ...ask }) {
      const port = envoy.ports[listener];
      if (port === undefined) throw new Error(`no listener \`${listener}\``);
      return clients.send({ ...ask, port });
    },
    async stop() {
      clients.close();
      await envoy.stop();
      await transport.drain(100);
      upstreams.stop();
    },
  };
}

/** The request of a cell. */
export function askOf(cell: Cell): Omit<Ask, "port"> & { readonly listener: string } {
  const { id, configured, protocol, direction, action, size } = cell;
  const isGrpc = protocol === "grpc";
  const isRequest = direction === "request";
  const reply: Reply = {
    status: 200,
    size: isRequest ? "one" : size,
    ...(isGrpc ? { trailers: { "grpc-status": "0" }, isGrpc } : {}),
  };
  const program = {
    protocol,
    request: isRequest ? action : "pass",
    response: isRequest ? "pass" : action,
  } as const;
  return {
    listener: configured.name,
    isHttp2: protocol !== "http1",
    method: "POST",
    headers: {
      "x-id": id,
      "x-program": programHeader(program),
      "x-reply": JSON.stringify(reply),
      "x-given": "own",
      "x-remove": "me",
      ...(protocol === "http1" ? {} : { "x-up": "http2" }),
      ...(isGrpc ? { "content-type": "application/grpc", te: "trailers" } : {}),
    },
    pieces: piecesOf({ protocol, size: isRequest ? size : "one" }),
    isSlow: isRequest && size === "slow",
  };
}

/** Does all of them, at most so many at one time, and gives what came of each in order. */
export async function eachOf<In, Out>(
  all: readonly In[],
  atOnce: number,
  work: (one: In) => Promise<Out>,
): Promise<readonly Out[]> {
  const results: Out[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < all.length; at = next++) results[at] = await work(all[at] as In);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}
