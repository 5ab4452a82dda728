import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { startServer } from "../../src/server/index.js";
import { type Envoy, startEnvoy } from "../support/envoy.js";
import { send } from "../support/http.js";

// The examples of policies/body, through Envoy as envoy/ext-proc.yaml sets it up.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Null: there is none. */
type Headers = Readonly<Record<string, string | null>>;

interface Exchange {
  readonly name: string;
  readonly request: {
    readonly method?: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly bodyOf?: { readonly text: string; readonly times: number };
  };
  readonly upstream?: {
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | readonly string[];
  };
  readonly expect: {
    readonly status: number;
    readonly headers?: Headers;
    readonly body?: string;
    readonly upstream?: { readonly headers?: Headers; readonly body?: string };
  };
}

const { tokens, cases } = parse(readFileSync(`${ROOT}/policies/body/_exchanges.yaml`, "utf8")) as {
  readonly tokens: Readonly<Record<string, string>>;
  readonly cases: readonly Exchange[];
};

let answer: Exchange["upstream"];
const received: { readonly headers: Readonly<Record<string, unknown>>; readonly body: string }[] = [];
const upstream = createServer(async (request, response) => {
  received.push({ headers: request.headers, body: await textOf(request) });
  const { status = 200, headers = {}, body = "{}" } = answer ?? {};
  response.writeHead(status, { "content-type": "application/json", ...headers });
  for (const chunk of typeof body === "string" ? [body] : body) {
    response.write(chunk);
    // Else Envoy reads them as one.
    if (typeof body !== "string") await sleep(20);
  }
  response.end();
});
let envoy: Envoy;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const server = await startServer(
    { configPaths: [`${ROOT}/policies/body`], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  undo.push(() => server.close());
  const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));
  envoy = await startEnvoy({
    bootstrap: `${ROOT}/envoy/ext-proc.yaml`,
    clusters: { gatehouse: portOf(server.grpcAddress), upstream: (upstream.address() as AddressInfo).port },
  });
  undo.push(() => envoy.stop());
});

afterAll(async () => {
  for (const step of undo.reverse()) await step();
  upstream.closeAllConnections();
  upstream.close();
});

const filled = (headers: Readonly<Record<string, string>> = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      value.replace(/\$([a-z]+)/, (all, token) => tokens[token] ?? all),
    ]),
  );

/** Those that are asked for; null where there is none. */
function among(wanted: Headers, headers: Readonly<Record<string, unknown>>): Headers {
  return Object.fromEntries(
    Object.keys(wanted).map((name) => [name, headers[name] === undefined ? null : String(headers[name])]),
  );
}

test.each(cases.map((example) => [example.name, example] as const))("%s", async (_, example) => {
  const { request, expect: wanted } = example;
  const { bodyOf } = request;
  const body = bodyOf === undefined ? request.body : bodyOf.text.repeat(bodyOf.times);
  answer = example.upstream;
  received.length = 0;
  const came = await send({
    port: envoy.ports["http"] ?? 0,
    method: request.method ?? "GET",
    path: request.path,
    headers: filled(request.headers),
    ...(body !== undefined && { body }),
  });
  expect(came.status).toBe(wanted.status);
  if (wanted.body !== undefined) {
    expect(came.body.replace(/tok_[\w-]{22}/, "tok_TOKEN")).toBe(wanted.body);
  }
  expect(among(wanted.headers ?? {}, came.headers)).toEqual(wanted.headers ?? {});
  const { upstream: passed = {} } = wanted;
  const [got] = received;
  expect(among(passed.headers ?? {}, got?.headers ?? {})).toEqual(passed.headers ?? {});
  if (passed.body !== undefined) expect(got?.body).toBe(passed.body);
});

test("Envoy found nothing wrong with any answer", async () => {
  const stats = await envoy.adminText("/stats?filter=ext_proc");
  const counts = [
    ...stats.matchAll(/(spurious_msgs_received|rejected_header_mutations|streams_failed): (\d+)/g),
  ];
  expect(counts.map(([, name, count]) => [name, count])).toEqual(counts.map(([, name]) => [name, "0"]));
  expect(counts).not.toEqual([]);
});
