import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { HeaderValueOption__Output } from "../../src/proto/generated/envoy/config/core/v3/HeaderValueOption.js";
import type { CheckRequest } from "../../src/proto/index.js";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { makeAuthority } from "../support/certificates.js";
import { checkOver, limitOver } from "../support/grpc-client.js";
import { statusOf } from "../support/server-fixture.js";

/** Every folder below `policies/` with cases beside it is loaded by a server and asked what its cases say. */
const root = fileURLToPath(new URL("../../policies", import.meta.url));

interface ExampleWorkload {
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly service?: string;
}

interface Example {
  readonly name: string;
  readonly workload?: ExampleWorkload;
  readonly request: {
    readonly method?: string;
    readonly path: string;
    readonly host?: string;
    readonly headers?: Readonly<Record<string, string>>;
    /** URI SAN of the client's certificate. */
    readonly from?: string;
    readonly sourceIp?: string;
    readonly body?: string;
    /** When the request came, RFC 3339. */
    readonly time?: string;
  };
  /** So often the request is sent before; each of them is answered with `status`, 200 by default. */
  readonly before?: { readonly times: number; readonly status?: number };
  readonly expect: {
    readonly allowed: boolean;
    readonly status?: number;
    readonly policy?: string;
    readonly rule?: number;
    /** Of a refusal. */
    readonly body?: string;
    /** All headers that the upstream gets in place of the client's. */
    readonly set?: Readonly<Record<string, string>>;
    /** All headers that the upstream does not get. */
    readonly removed?: readonly string[];
    /** All headers of the refusal, or all that the response to an allowed request gets. */
    readonly responseHeaders?: Readonly<Record<string, string>>;
    readonly queryToSet?: Readonly<Record<string, string>>;
    readonly queryToRemove?: readonly string[];
    /** Texts in the dynamic metadata beside our own. */
    readonly metadata?: Readonly<Record<string, string>>;
  };
}

/** A call of Envoy's rate limit service. */
interface RateLimitExample {
  readonly name: string;
  readonly domain: string;
  /** Each as its keys and values, in order. */
  readonly descriptors: readonly Readonly<Record<string, string>>[];
  /** So many calls before are OK. */
  readonly before?: number;
  readonly expect: {
    readonly code: "OK" | "OVER_LIMIT";
    /** What is left of each descriptor's limit; null: it has none. */
    readonly left: readonly (number | null)[];
  };
}

interface Examples {
  readonly workload: ExampleWorkload;
  /** Time stands still then, RFC 3339; absent: it is that of the machine. */
  readonly clock?: string;
  /** What `$NAME` in headers and paths stands for. */
  readonly tokens?: Readonly<Record<string, string>>;
  readonly cases: readonly Example[];
  /** Asked after the cases. */
  readonly rateLimits?: readonly RateLimitExample[];
}

/** google.rpc.Code */
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNAUTHENTICATED = 16;

const authority = makeAuthority();
const certificates = new Map<string, string>();

function certificateFor(uri: string): string {
  const known = certificates.get(uri);
  if (known !== undefined) return known;
  const certificate = encodeURIComponent(authority.issue({ uris: [uri] }).cert);
  certificates.set(uri, certificate);
  return certificate;
}

function toRequest(
  { request }: Example,
  workload: ExampleWorkload,
  tokens: Examples["tokens"] = {},
): CheckRequest {
  const { method = "GET", host = "shop.example", from, sourceIp = "10.0.0.1", body, time } = request;
  const filled = (text: string): string => text.replace(/\$([A-Za-z]+)/g, (all, name) => tokens[name] ?? all);
  const path = filled(request.path);
  const headers = Object.fromEntries(
    Object.entries(request.headers ?? {}).map(([name, value]) => [name, filled(value)]),
  );
  const extensions: Record<string, string> = { "destination.namespace": workload.namespace };
  for (const [key, value] of Object.entries(workload.labels ?? {}))
    extensions[`destination.labels[${key}]`] = value;
  if (workload.service !== undefined) extensions["destination.service.name"] = workload.service;
  const source = { address: { socket_address: { address: sourceIp, port_value: 40_000 } } };
  return {
    attributes: {
      source: from === undefined ? source : { ...source, certificate: certificateFor(from), principal: from },
      request: {
        ...(time !== undefined && { time: { seconds: Date.parse(time) / 1000 } }),
        http: {
          id: "1",
          method,
          path,
          host,
          headers: { ":method": method, ":path": path, ":authority": host, ...headers },
          ...(body !== undefined && { body }),
        },
      },
      context_extensions: extensions,
    },
  };
}

const folders = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((path) => basename(path) === "_cases.yaml")
  .map(dirname)
  .sort();

/** The last of several wins, as at Envoy. */
function valuesOf(options: readonly HeaderValueOption__Output[] | undefined): Record<string, string> {
  const headers = (options ?? []).map(({ header }): [string, string] => [
    header?.key ?? "",
    header?.value || (header?.raw_value?.toString() ?? ""),
  ]);
  return Object.fromEntries(headers);
}

describe.each(folders)("the example policies/%s", (folder) => {
  const text = readFileSync(join(root, folder, "_cases.yaml"), "utf8");
  const { workload, clock, tokens, cases, rateLimits = [] } = parse(text) as Examples;
  const now = clock === undefined ? Date.now : () => Date.parse(clock);
  let server: RunningServer;

  beforeAll(async () => {
    const options = {
      configPaths: [join(root, folder)],
      grpcAddress: "127.0.0.1:0",
      adminAddress: "127.0.0.1:0",
    };
    server = await startServer(options, { logger: pino({ level: "silent" }), now });
  });
  afterAll(() => server.close());

  it("loads without an error", () => {
    expect(server.configuration().diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  });

  it.each(cases.map((example) => [example.name, example] as const))("%s", async (_, example) => {
    const request = toRequest(example, example.workload ?? workload, tokens);
    const { times = 0, status: statusBefore = 200 } = example.before ?? {};
    for (let i = 0; i < times; i++) {
      expect(statusOf(await checkOver(server.grpcAddress, request))).toBe(statusBefore);
    }
    const response = await checkOver(server.grpcAddress, request);
    const facts = response.dynamic_metadata?.fields;
    const record = facts?.["gatehouse"]?.structValue?.fields;
    const { allowed, status, policy, rule, body, set, removed, responseHeaders } = example.expect;
    const { queryToSet, queryToRemove, metadata = {} } = example.expect;
    const isQuota = record?.["stage"]?.stringValue === "quota";
    // A policy's own 401 is a refusal by policy.
    const isUnknown = status === 401 && policy === undefined;
    const refusal = isQuota ? RESOURCE_EXHAUSTED : isUnknown ? UNAUTHENTICATED : PERMISSION_DENIED;
    expect(response.status?.code ?? 0).toBe(allowed ? 0 : refusal);
    if (status !== undefined) expect(response.denied_response?.status?.code).toBe(status);
    if (policy !== undefined) expect(record?.["policy"]?.stringValue).toBe(policy);
    if (rule !== undefined) expect(record?.["rule"]?.numberValue).toBe(rule);
    if (body !== undefined) expect(response.denied_response?.body).toBe(body);
    if (set !== undefined) expect(valuesOf(response.ok_response?.headers)).toEqual(set);
    if (removed !== undefined) expect(response.ok_response?.headers_to_remove ?? []).toEqual(removed);
    if (responseHeaders !== undefined) {
      const { ok_response: ok, denied_response: denied } = response;
      expect(valuesOf(ok?.response_headers_to_add ?? denied?.headers)).toEqual(responseHeaders);
    }
    if (queryToSet !== undefined) {
      const set = response.ok_response?.query_parameters_to_set ?? [];
      expect(Object.fromEntries(set.map(({ key, value }) => [key, value]))).toEqual(queryToSet);
    }
    if (queryToRemove !== undefined) {
      expect(response.ok_response?.query_parameters_to_remove).toEqual(queryToRemove);
    }
    for (const [key, text] of Object.entries(metadata)) expect(facts?.[key]?.stringValue).toBe(text);
  });

  it.each(rateLimits.map((example) => [example.name, example] as const))("%s", async (_, example) => {
    const { domain, expect: wanted, before = 0 } = example;
    const descriptors = example.descriptors.map((entries) => ({
      entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
    }));
    for (let i = 0; i < before; i++) {
      expect((await limitOver(server.grpcAddress, { domain, descriptors })).code).toBe("OK");
    }
    expect(await limitOver(server.grpcAddress, { domain, descriptors })).toEqual(wanted);
  });
});

it("there are examples", () => {
  expect(folders.length).toBeGreaterThan(2);
});
