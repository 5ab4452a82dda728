import { brotliCompressSync, gunzipSync, gzipSync } from "node:zlib";
import { SignJWT } from "jose";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { extProcCountersOf, extProcOf, type HttpManager, startBodyEnvoy } from "../support/body-envoy.js";
import { bodyPolicies } from "../support/body-policies.js";
import { roomInDay } from "../support/day.js";
import type { Envoy } from "../support/envoy.js";
import { jwksOf, makeKey } from "../support/key-endpoint.js";
import { type ConfigFolder, eventually, makeConfigFolder } from "../support/server-fixture.js";
import { beginCall, call, type Got, type SlowCallOptions } from "../support/slow-call.js";
import {
  type Speak,
  type SpokenUpstream,
  saysJson,
  startSpokenUpstream,
} from "../support/spoken-upstream.js";

// What policies do by ext_proc in a real Envoy: alone in the chain, and behind ext_authz.

const issuer = "https://id.shop.example";
const key = makeKey("k");
const bearer = async (roles: readonly string[]): Promise<SlowCallOptions> => ({
  headers: {
    authorization: `Bearer ${await new SignJWT({ sub: "ann", roles })
      .setProtectedHeader({ alg: "ES256", kid: key.kid })
      .setIssuer(issuer)
      .setExpirationTime("5m")
      .sign(key.privateKey)}`,
  },
});

const card = "4111111111111111";
const customer = JSON.stringify({ name: "Ann", card, email: "ann@shop.example", internal: { rank: 3 } });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Each piece by itself. */
const slowly =
  (type: string, pieces: readonly string[]): Speak =>
  async (_, response) => {
    response.writeHead(200, { "content-type": type });
    for (const piece of pieces) {
      response.write(piece);
      await pause(30);
    }
    response.end();
  };

const encoded =
  (encoding: string, bytes: Buffer, type = "application/json"): Speak =>
  (_, response) => {
    response.writeHead(200, { "content-type": type, "content-encoding": encoding }).end(bytes);
  };

const events = [
  'data: {"text":"hel',
  'lo"}\n\n',
  `data: {"text":"pay with ${card.slice(0, 5)}`,
  card.slice(5, 9),
  `${card.slice(9)} now"}\n`,
  '\ndata: {"usage":{"total_tokens":60}}\n\ndata: [DONE]\n\n',
];

type Chain = "alone" | "behind";
const chains = ["alone", "behind"] as const;

let folder: ConfigFolder;
let server: RunningServer;
let upstream: SpokenUpstream;
const envoys: Partial<Record<Chain | "trusting" | "blind", Envoy>> = {};

beforeAll(async () => {
  await roomInDay(120_000);
  folder = makeConfigFolder();
  folder.write("redaction.key", "0123456789abcdef0123456789abcdef");
  folder.write("policies.yaml", bodyPolicies(issuer, jwksOf(key)));
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  upstream = await startSpokenUpstream({
    "/customers": saysJson(customer),
    "/obliged": saysJson(customer),
    "/obliged/off": saysJson(customer),
    "/orders/open": saysJson(customer),
    "/orders/dutiful": saysJson(customer),
    "/plain": saysJson(customer),
    "/d/json": slowly("application/json", ['{"a":"', card.slice(0, 7), card.slice(7), '","b":1}']),
    "/d/text": slowly("text/plain", ["pay ", card.slice(0, 4), card.slice(4, 15), card.slice(15), " now"]),
    "/d/events": slowly("text/event-stream", events),
    "/no-cards/whole": slowly("text/plain", ["fine so far, ", card.slice(0, 8), card.slice(8)]),
    "/no-cards/streamed": slowly("text/plain", [
      "fine so far, ",
      card.slice(0, 8),
      `${card.slice(8)} `,
      "more",
    ]),
    "/errors/broken": (_, response) => {
      response.writeHead(503, { "content-type": "text/html", "x-powered-by": "php" }).end("<pre>stack trace");
    },
    "/errors/fine": (_, response) => {
      response.writeHead(200, { "content-type": "text/html", "x-powered-by": "php" }).end("<p>fine");
    },
    "/encoded/gzip": encoded("gzip", gzipSync(customer)),
    "/encoded/br": encoded("br", brotliCompressSync(customer)),
    "/encoded/zstd": encoded("zstd", Buffer.from("28b52ffd", "hex")),
    "/encoded/broken": encoded("gzip", Buffer.from(customer)),
    "/compressed": encoded("gzip", gzipSync(`pay ${card} now`), "text/plain"),
    "/tokens/events": slowly("text/event-stream", events),
    "/tokens/json": saysJson('{"text":"hello","usage":{"total_tokens":30}}'),
  });
  const gatehouse = Number(server.grpcAddress.split(":").at(-1));
  const start = (bootstrap: "ext-proc" | "bodies", edit: (manager: HttpManager) => void): Promise<Envoy> =>
    startBodyEnvoy({
      bootstrap,
      gatehouse,
      upstream: upstream.port,
      edit: (manager) => {
        // A machine of tests is busy.
        extProcOf(manager)["message_timeout"] = "20s";
        edit(manager);
      },
    });
  [envoys.alone, envoys.behind, envoys.trusting, envoys.blind] = await Promise.all([
    start("ext-proc", () => {}),
    start("bodies", (manager) => {
      sayBoth(manager);
      forgeOnDemand(manager);
      switchOff(manager, "/obliged/off");
    }),
    start("ext-proc", (manager) => {
      manager["use_remote_address"] = false;
    }),
    start("ext-proc", (manager) => {
      manager.http_filters = manager.http_filters.filter(({ name }) => !name.endsWith("set_filter_state"));
    }),
  ]);
}, 60_000);
afterAll(async () => {
  await Promise.all(Object.values(envoys).map((envoy) => envoy.stop()));
  await upstream?.stop();
  await server?.close();
  folder?.remove();
});

/** The access log has what each of the two filters was told. */
function sayBoth({ access_log: [first] }: HttpManager): void {
  const format = (first as { typed_config: { log_format: { json_format: Record<string, string> } } })
    .typed_config.log_format.json_format;
  format["processor_decision_id"] = "%DYNAMIC_METADATA(envoy.filters.http.ext_proc:decision_id)%";
  format["processor"] = "%DYNAMIC_METADATA(envoy.filters.http.ext_proc:gatehouse)%";
}

/** Between the two filters stands one that writes a verdict of its own. */
function forgeOnDemand(manager: HttpManager): void {
  const place = manager.http_filters.findIndex(({ name }) => name.endsWith("ext_proc"));
  manager.http_filters.splice(place, 0, {
    name: "forger",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
      default_source_code: {
        inline_string: `function envoy_on_request(handle)
          if handle:headers():get("x-forge") == nil then return end
          local all = handle:streamInfo():dynamicMetadata()
          local record = all:get("envoy.filters.http.ext_authz")["gatehouse"]
          record["obligations"] = {}
          record["quota"] = {}
          if handle:headers():get("x-forge") == "mac" then record["mac"] = record["mac"]:sub(1, 8) .. string.rep("A", 22) end
          all:set("envoy.filters.http.ext_authz", "gatehouse", record)
        end`,
      },
    },
  });
}

function switchOff({ route_config: { virtual_hosts } }: HttpManager, path: string): void {
  const type = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute";
  virtual_hosts[0]?.routes.unshift({
    match: { path },
    route: { cluster: "upstream" },
    typed_per_filter_config: { "envoy.filters.http.ext_proc": { "@type": type, disabled: true } },
  });
}

type Ask = SlowCallOptions & { readonly body?: string | Buffer };
const ask = (chain: keyof typeof envoys, path: string, options: Ask = {}): Promise<Got> =>
  call(envoys[chain]?.ports["http"] ?? 0, path, options);
const as = (user: string): SlowCallOptions => ({ headers: { "x-user": user } });
const post = (body: string, type = "application/json"): Ask => ({ headers: { "content-type": type }, body });

interface Decision {
  readonly decision_id: string;
  readonly allowed: boolean;
  readonly obligations?: readonly string[];
  readonly unmet: readonly string[];
  readonly outcome: string;
  readonly response: object | null;
  readonly body: Readonly<Record<string, unknown>> | null;
}

/** What `/decisions` has of the request that was answered so. */
async function decisionsOf({ headers }: Got): Promise<readonly Decision[]> {
  const id = String(headers["x-request-id"]);
  const answer = await fetch(`http://${server.adminAddress}/decisions?request_id=${id}`);
  return ((await answer.json()) as { decisions: readonly Decision[] }).decisions;
}

/** The only decision, when Envoy's access log has told what became of it. */
async function joined(got: Got): Promise<Decision> {
  let found: readonly Decision[] = [];
  await eventually(
    async () => {
      found = await decisionsOf(got);
      return found.length > 0 && found.every(({ response }) => response !== null);
    },
    true,
    20_000,
  );
  expect(found).toHaveLength(1);
  return found[0] as Decision;
}

async function logged(chain: Chain, { headers }: Got): Promise<Readonly<Record<string, unknown>>> {
  const find = (): string | undefined =>
    envoys[chain]
      ?.logs()
      .split("\n")
      .find((line) => line.startsWith("{") && line.includes(String(headers["x-request-id"])));
  await eventually(() => find() !== undefined, true);
  return JSON.parse(find() ?? "{}") as Record<string, unknown>;
}

async function messages(): Promise<Readonly<Record<string, number>>> {
  const page = await (await fetch(`http://${server.adminAddress}/metrics`)).text();
  const found = page.matchAll(/^gatehouse_ext_proc_messages_total\{part="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, part = "", value]) => [part, Number(value)]));
}

describe.each(chains)("the same decision, with ext_proc %s", (chain) => {
  test("policies refuse and let pass", async () => {
    expect(await ask(chain, "/secret")).toMatchObject({ status: 403, body: "RBAC: access denied" });
    expect(await ask(chain, "/plain")).toMatchObject({ status: 200, body: customer });
    expect(upstream.heardAt("/secret")).toEqual([]);
  });

  test("tokens are verified, and taken away", async () => {
    expect((await ask(chain, "/mine")).status).toBe(403);
    const forged = { headers: { authorization: "Bearer e30.e30.e30" } };
    expect((await ask(chain, "/mine", forged)).status).toBe(401);
    expect((await ask(chain, "/mine", await bearer([]))).status).toBe(200);
    expect(upstream.heardAt("/mine").at(-1)?.headers["authorization"]).toBeUndefined();
  });

  test("quotas are charged once, and tell what is left", async () => {
    const answers: Got[] = [];
    while (answers.length < 3) answers.push(await ask(chain, "/limited", as(`ann-${chain}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers.map(({ headers }) => String(headers["ratelimit"]).replace(/t=\d+/, "t"))).toEqual([
      '"limited";r=1;t',
      '"limited";r=0;t',
      '"limited";r=0;t',
    ]);
    expect(Number(answers[2]?.headers["retry-after"])).toBeGreaterThan(0);
  });

  test("Rego decides, and may name body policies", async () => {
    expect((await ask(chain, "/orders/closed")).status).toBe(403);
    expect((await ask(chain, "/orders/open")).body).toBe(customer);
    const obliged = await ask(chain, "/orders/dutiful");
    expect(JSON.parse(obliged.body)).toMatchObject({ card: "************1111" });
    expect(await joined(obliged)).toMatchObject({
      obligations: ["bookshop/masked-by-duty"],
      unmet: [],
      body: { fulfilled: ["bookshop/masked-by-duty"] },
    });
  });
});

describe("who is at the other end", () => {
  const spoofed = { headers: { "x-forwarded-for": "198.51.100.7" } };

  test.each(["alone", "behind", "trusting"] as const)(
    "is the peer, whatever is claimed (%s)",
    async (chain) => {
      expect((await ask(chain, "/not-loopback", spoofed)).status).toBe(403);
      expect((await ask(chain, "/not-from-there", spoofed)).status).toBe(200);
    },
  );

  test("is not guessed where Envoy does not say: what asks for it refuses", async () => {
    expect((await ask("blind", "/not-loopback", spoofed)).status).toBe(403);
    expect((await ask("blind", "/not-from-there", spoofed)).status).toBe(403);
  });
});

describe("what ext_authz decided", () => {
  test("is not decided again: one record, one charge, one id in both namespaces", async () => {
    const options = as("carried");
    const answers: Got[] = [];
    while (answers.length < 5) answers.push(await ask("behind", "/twice", options));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 429]);
    const first = answers[0] as Got;
    const { decision_id: id } = await joined(first);
    expect(await logged("behind", first)).toMatchObject({
      decision_id: id,
      processor_decision_id: id,
      processor: { carried: true },
    });
  });

  test("comes with who called, although the token is gone", async () => {
    const whole = await ask("behind", "/customers", await bearer(["support"]));
    expect(upstream.heardAt("/customers").at(-1)?.headers["authorization"]).toBeUndefined();
    expect(JSON.parse(whole.body)).toMatchObject({ card });
    const masked = await ask("behind", "/customers", await bearer(["sales"]));
    expect(JSON.parse(masked.body)).toMatchObject({ card: "************1111" });
    expect((await joined(whole)).body).toMatchObject({ policies: ["bookshop/customers"] });
  });

  test.each(["what stands in it", "mac"])("is not believed when a filter has changed %s", async (forge) => {
    const headers = { ...as(`forged-${forge.length}`).headers, "x-forge": forge };
    const answers: Got[] = [];
    while (answers.length < 3) answers.push(await ask("behind", "/twice", { headers }));
    // By both filters, so that each request costs two.
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    const { decision_id: checked, processor_decision_id: processed } = await logged(
      "behind",
      answers[0] as Got,
    );
    expect(processed).not.toBe(checked);
    const page = `http://${server.adminAddress}/decisions?decision_id=${String(processed)}`;
    await eventually(async () => {
      const { decisions } = (await (await fetch(page)).json()) as { decisions: readonly Decision[] };
      return decisions.map(({ allowed }) => allowed).join();
    }, "true");

    const duty = await ask("behind", "/obliged", { headers: { "x-forge": forge } });
    expect(JSON.parse(duty.body)).toMatchObject({ card: "************1111" });
    // Who called is not known any more.
    const token = await bearer(["support"]);
    const known = await ask("behind", "/customers", { headers: { ...token.headers, "x-forge": forge } });
    expect(JSON.parse(known.body)).toMatchObject({ card: "************1111" });
  });
});

describe("obligations", () => {
  test.each(chains)("are carried out, and on record as met (%s)", async (chain) => {
    const got = await ask(chain, "/obliged");
    expect(JSON.parse(got.body)).toMatchObject({ card: "************1111", email: "ann@shop.example" });
    expect(await joined(got)).toMatchObject({
      obligations: ["bookshop/masked-by-duty"],
      unmet: [],
      body: { fulfilled: ["bookshop/masked-by-duty"], changes: 1 },
    });
  });

  test("that nobody carries out are on record as unmet", async () => {
    const got = await ask("behind", "/obliged/off");
    expect(got.body).toBe(customer);
    expect(await joined(got)).toMatchObject({ unmet: ["bookshop/masked-by-duty"] });
    const page = await (await fetch(`http://${server.adminAddress}/decisions?unmet=true`)).json();
    expect((page as { decisions: unknown[] }).decisions).toHaveLength(1);
  });
});

describe.each(chains)("rules over requests (%s)", (chain) => {
  const big = JSON.stringify({ id: 1, text: "x".repeat(1024) });
  test.each([
    ["too long", "/r/size", post(big), 413],
    ["of another type", "/r/type", post("id=1", "application/x-www-form-urlencoded"), 415],
    ["of no type", "/r/type", { body: "{}" }, 415],
    ["against the schema", "/r/schema", post('{"id":"one"}'), 422],
    ["no JSON", "/r/schema", post('{"id":1'), 400],
    ["missing", "/r/schema", { method: "POST", headers: { "content-type": "application/json" } }, 400],
    ["too deep", "/r/depth", post('{"a":{"b":{"c":{}}}}'), 422],
    ["a name twice", "/r/depth", post('{"a":1,"a":2}'), 422],
    ["what a rule denies", "/r/cel", post('{"total":1001}'), 409],
    ["what a rule cannot ask", "/r/cel", post('{"sum":1}'), 409],
  ] as const)("%s: the upstream never sees it", async (name, path, options, status) => {
    const before = upstream.heardAt(path).length;
    const got = await ask(chain, path, options);
    expect([name, got.status]).toEqual([name, status]);
    expect(upstream.heardAt(path).length).toBe(before);
    const phase = async (): Promise<unknown> => {
      const [decision] = await decisionsOf(got);
      return (decision?.body?.["refused"] as { phase?: string } | undefined)?.phase;
    };
    await eventually(phase, "request");
  });

  test("what they allow comes whole, with what they changed", async () => {
    const text = '{"id":1,"internal":{"a":[1]},"text":"ü"}';
    const { status } = await ask(chain, "/r/change", post(text));
    expect(status).toBe(200);
    const heard = upstream.heardAt("/r/change").at(-1);
    expect(JSON.parse(String(heard?.body))).toEqual({ id: 1, text: "ü", source: "gateway" });
    expect(heard?.headers).toMatchObject({
      "content-length": String(heard?.body?.length),
      "x-checked": "yes",
    });
    for (const [path, body] of [
      ["/r/size", "{}"],
      ["/r/schema", '{"id":1}'],
      ["/r/depth", '{"a":{"b":1}}'],
      ["/r/cel", '{"total":1000}'],
    ] as const) {
      expect([path, (await ask(chain, path, post(body))).status]).toEqual([path, 200]);
      expect(String(upstream.heardAt(path).at(-1)?.body)).toBe(body);
    }
  });
});

describe.each(chains)("rules over responses (%s)", (chain) => {
  test("fields are masked, removed, hashed", async () => {
    const got = await ask(chain, "/customers", await bearer([]));
    const { email, ...rest } = JSON.parse(got.body) as Record<string, unknown>;
    expect(rest).toEqual({ name: "Ann", card: "************1111" });
    expect(email).toMatch(/^[\w-]{20,}|^[0-9a-f]{32,}/);
    expect(email).not.toContain("shop");
    const { body } = await joined(got);
    expect(body).toMatchObject({ policies: ["bookshop/customers"], changes: 3 });
    const line = await logged(chain, got);
    const said = chain === "alone" ? (line["decision"] as { body: unknown }).body : line["body"];
    expect(said).toMatchObject({ policies: ["bookshop/customers"], changes: 3 });
  });

  test.each([
    ["json", '{"a":"[paymentCard]","b":1}'],
    ["text", "pay [paymentCard] now"],
    [
      "events",
      'data: {"text":"hello"}\n\ndata: {"text":"pay with [paymentCard] now"}\n\ndata: {"usage":{"total_tokens":60}}\n\ndata: [DONE]\n\n',
    ],
  ])("a card that comes in pieces is found in %s", async (kind, text) => {
    expect(await ask(chain, `/d/${kind}`)).toMatchObject({ end: "whole", status: 200, body: text });
  });

  test("events go out as they come", async () => {
    const begun = beginCall(envoys[chain]?.ports["http"] ?? 0, "/d/events");
    begun.end();
    await eventually(() => begun.sofar.startsWith('data: {"text":"hello"}\n\n'), true);
    expect((await begun.got).end).toBe("whole");
  });

  test("a card refuses the whole response", async () => {
    const got = await ask(chain, "/no-cards/whole");
    expect([got.end, got.status]).toEqual(["whole", 502]);
    expect(got.body).not.toContain("fine");
    expect((await joined(got)).body).toMatchObject({
      refused: { policy: "bookshop/no-cards-whole", reason: "sensitive_data", phase: "response" },
    });
  });

  test("a card breaks a response off of which some has gone out", async () => {
    const got = await ask(chain, "/no-cards/streamed");
    expect(got.end === "cut" || got.status === 502).toBe(true);
    expect(got.body).not.toContain(card.slice(0, 8));
  });

  test("bodies of errors are replaced, headers taken away and set", async () => {
    const broken = await ask(chain, "/errors/broken");
    expect(broken).toMatchObject({ status: 503, body: '{"error":"internal"}' });
    expect(broken.headers).toMatchObject({
      "content-type": "application/json",
      "x-frame-options": "DENY",
    });
    expect(broken.headers["x-powered-by"]).toBeUndefined();
    const fine = await ask(chain, "/errors/fine");
    expect(fine).toMatchObject({ status: 200, body: "<p>fine" });
    expect(fine.headers).toMatchObject({ "content-type": "text/html", "x-frame-options": "DENY" });
    expect(fine.headers["x-powered-by"]).toBeUndefined();
  });

  test.each(["gzip", "br"])("%s is decoded", async (encoding) => {
    const got = await ask(chain, `/encoded/${encoding}`, {
      headers: { "accept-encoding": "gzip, br, zstd" },
    });
    expect(got.status).toBe(200);
    expect(got.headers["content-encoding"]).toBeUndefined();
    expect(JSON.parse(got.body)).toMatchObject({ card: "************1111" });
    expect(upstream.heardAt(`/encoded/${encoding}`).at(-1)?.headers["accept-encoding"]).not.toContain("zstd");
  });

  test("so is what is streamed", async () => {
    const got = await ask(chain, "/compressed");
    const text = got.headers["content-encoding"] === "gzip" ? String(gunzipSync(got.body)) : got.body;
    expect(text).toBe("pay [paymentCard] now");
  });

  test.each(["zstd", "broken"])("an encoding that cannot be read (%s) is refused", async (encoding) => {
    const got = await ask(chain, `/encoded/${encoding}`);
    expect(got.status).toBe(502);
    expect(got.body).not.toContain("Ann");
  });

  test("what a response says that it cost is charged to a quota", async () => {
    const user = as(`tokens-${chain}`);
    expect((await ask(chain, "/tokens/events", user)).status).toBe(200);
    const second = await ask(chain, "/tokens/events", user);
    expect(second.status).toBe(200);
    expect((await joined(second)).body).toMatchObject({ usage: [{ quota: "bookshop/tokens", units: 60 }] });
    await eventually(async () => (await ask(chain, "/tokens/json", user)).status, 429);
    expect((await ask(chain, "/tokens/json", as(`other-${chain}`))).status).toBe(200);
  });
});

test.each(chains)("where no body policy applies no body is sent, and no response (%s)", async (chain) => {
  const envoy = envoys[chain] as Envoy;
  const [before, envoyBefore] = [await messages(), await extProcCountersOf(envoy)];
  for (let i = 0; i < 5; i++) expect((await ask(chain, "/plain", post(customer))).status).toBe(200);
  const [after, envoyAfter] = [await messages(), await extProcCountersOf(envoy)];
  const more = Object.fromEntries(Object.entries(after).map(([part, n]) => [part, n - (before[part] ?? 0)]));
  expect(more).toEqual({
    request_headers: 5,
    request_body: 0,
    request_trailers: 0,
    response_headers: 0,
    response_body: 0,
    response_trailers: 0,
  });
  expect((envoyAfter["stream_msgs_sent"] ?? 0) - (envoyBefore["stream_msgs_sent"] ?? 0)).toBe(5);
});

test("Envoy took every answer for one that it had asked for", async () => {
  onTestFailed(() => console.log(envoys.behind?.logs()));
  for (const chain of chains) {
    const counters = await extProcCountersOf(envoys[chain] as Envoy);
    expect(counters["streams_started"]).toBeGreaterThan(20);
    expect(counters["immediate_responses_sent"]).toBeGreaterThan(5);
    for (const name of [
      "spurious_msgs_received",
      "rejected_header_mutations",
      "message_timeouts",
      "streams_failed",
    ])
      expect([chain, name, counters[name]]).toEqual([chain, name, 0]);
  }
});
