import { STATUS_CODES } from "node:http";
import { pino } from "pino";
import type { JsonObject } from "../../src/attributes/index.js";
import { fromStruct } from "../../src/envoy/index.js";
import type { CheckRequest } from "../../src/proto/index.js";
import { type RunningServer, type ServerOptions, startServer } from "../../src/server/index.js";
import { besideOf, checkRequestOf, type Described, linesOf } from "../unit/envoy/ext-proc/described.js";
import { encodeRequest, fromPlainStruct, type Plain, toStruct } from "../unit/envoy/ext-proc/messages.js";
import { type CheckClient, createCheckClient } from "./grpc-client.js";
import { openProcessingClient, type ProcessingClient, requestBody } from "./processing-stream.js";
import { type ConfigFolder, makeConfigFolder } from "./server-fixture.js";
import { nowMs } from "./tokens.js";

/** What a client gets in place of an answer of the upstream. */
export interface Denial {
  readonly status: number;
  readonly grpcStatus: number;
  /** By name; several lines in order. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
}

/** What ext_authz or ext_proc say of a request. */
export interface Said {
  /** Undefined: it goes on. */
  readonly denial: Denial | undefined;
  /** What Envoy keeps as dynamic metadata of the filter; of a refusal too. */
  readonly metadata: JsonObject;
}

/** A server in this process that is asked by both protocols, each over a connection of its own. */
export interface BothServices {
  readonly server: RunningServer;
  authz(described: Described): Promise<Said>;
  /** `authorized`: what ext_authz left as metadata; `body`: of the request, if its policies ask for it. */
  proc(described: Described, more?: { authorized?: JsonObject; body?: string }): Promise<Said>;
  stop(): Promise<void>;
}

/** Of the workload `books` in the namespace `bookshop`. */
const extensions = {
  "destination.namespace": "bookshop",
  "destination.workload.name": "books",
  "destination.labels[app]": "books",
};

/** Starts it with these documents, on `nowMs`. */
export async function startBothServices(
  files: Readonly<Record<string, string>>,
  options: Partial<ServerOptions> = {},
): Promise<BothServices> {
  const folder: ConfigFolder = makeConfigFolder();
  for (const [name, text] of Object.entries(files)) folder.write(name, text);
  const server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0", ...options },
    { logger: pino({ level: "silent" }), now: () => nowMs },
  );
  const authz: CheckClient = createCheckClient(server.grpcAddress);
  const proc: ProcessingClient = await openProcessingClient(Number(server.grpcAddress.split(":").at(-1)), 1);
  return {
    server,
    async authz(described) {
      const request = checkRequestOf({ ...described, extensions });
      const {
        status,
        denied_response: denied,
        dynamic_metadata,
      } = await authz.check(request as CheckRequest);
      const metadata = fromStruct(dynamic_metadata ?? {});
      if (!denied) return { denial: undefined, metadata };
      const puts = (denied.headers ?? []).map(({ header, append_action }) => ({
        name: header?.key ?? "",
        value: header?.value ?? "",
        isAppended: (append_action ?? 0) === 0,
      }));
      return {
        denial: {
          status: Number(denied.status?.code ?? 403),
          grpcStatus: status?.code ?? 0,
          headers: putTogether(puts),
          body: denied.body ?? "",
        },
        metadata,
      };
    },
    async proc(described, { authorized, body } = {}) {
      const answers: Plain[] = [];
      const stream = proc.open((answer) => answers.push(answer));
      stream.send(headersOf(described, authorized, body !== undefined));
      await stream.answered(1);
      if (body !== undefined && answers[0]?.["immediate_response"] === undefined) {
        stream.send(requestBody(Buffer.from(body), true));
        await stream.answered(2);
      }
      stream.end();
      const last = answers.at(-1) ?? {};
      return { denial: denialIn(last), metadata: metadataIn(last) };
    },
    async stop() {
      authz.close();
      proc.close();
      await server.close();
      folder.remove();
    },
  };
}

function headersOf(described: Described, authorized: JsonObject | undefined, hasBody: boolean): Uint8Array {
  const lines = Array.from(linesOf(described), ([key, values]) =>
    values.map((value) => ({ key, raw_value: Buffer.from(value, "latin1") })),
  ).flat();
  const told = besideOf(described).attributes();
  return encodeRequest({
    request_headers: { headers: { headers: lines }, end_of_stream: !hasBody },
    protocol_config: {},
    attributes: { "envoy.filters.http.ext_proc": toStruct(told as Plain) },
    ...(authorized !== undefined && {
      metadata_context: {
        filter_metadata: { "envoy.filters.http.ext_authz": toStruct(authorized as Plain) },
      },
    }),
  });
}

function denialIn(answer: Plain): Denial | undefined {
  const immediate = answer["immediate_response"] as Plain | undefined;
  if (immediate === undefined) return undefined;
  const { set_headers = [] } = (immediate["headers"] ?? {}) as { set_headers?: Plain[] };
  const puts = set_headers.map((option) => {
    const { key, raw_value = "" } = option["header"] as { key: string; raw_value?: string };
    const { value } = (option["append"] ?? {}) as { value?: boolean };
    return { name: key, value: Buffer.from(raw_value, "base64").toString(), isAppended: value === true };
  });
  const status = immediate["status"] as Plain;
  const grpc = (immediate["grpc_status"] ?? {}) as { status?: number };
  return {
    status: codeOf(status["code"]),
    grpcStatus: grpc.status ?? 0,
    headers: putTogether(puts),
    body: Buffer.from(String(immediate["body"] ?? ""), "base64").toString(),
  };
}

function metadataIn(answer: Plain): JsonObject {
  const { fields = {} } = (answer["dynamic_metadata"] ?? {}) as { fields?: Record<string, Plain> };
  const own = fields["envoy.filters.http.ext_proc"]?.["structValue"];
  return own === undefined ? {} : (fromPlainStruct(own as Plain) as JsonObject);
}

/** The decoder gives names of statuses that the proto knows: `TooManyRequests`. */
function codeOf(code: unknown): number {
  const known = Object.entries(STATUS_CODES).find(([, text]) => text?.replace(/[^A-Za-z]/g, "") === code);
  return Number(known?.[0] ?? code);
}

/** Headers as Envoy puts them into an answer that has none. */
function putTogether(
  puts: readonly { readonly name: string; readonly value: string; readonly isAppended: boolean }[],
): Readonly<Record<string, readonly string[]>> {
  const headers = new Map<string, readonly string[]>();
  for (const { name, value, isAppended } of puts) {
    const key = name.toLowerCase();
    headers.set(key, isAppended ? [...(headers.get(key) ?? []), value] : [value]);
  }
  return Object.fromEntries(headers);
}
