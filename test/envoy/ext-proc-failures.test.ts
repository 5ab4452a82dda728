import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { extProcOf, startBodyEnvoy } from "../support/body-envoy.js";
import type { Envoy } from "../support/envoy.js";
import { freePort } from "../support/ports.js";
import { type Gatehouse, startGatehouse } from "../support/record-stage.js";
import { type ConfigFolder, eventually, makeConfigFolder } from "../support/server-fixture.js";
import { beginCall, call, type Got, type SlowCall } from "../support/slow-call.js";
import {
  createGate,
  type Gate,
  type SpokenUpstream,
  saysJson,
  startSpokenUpstream,
} from "../support/spoken-upstream.js";

// A `gatehouse serve` that is killed, hangs, or is told to end while a real Envoy asks it, with the default bootstrap and
// with its failure mode turned round.

const card = "4111111111111111";
const customer = JSON.stringify({ name: "Ann", card, email: "ann@shop.example" });

const policies = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: bookshop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/secret]}}]}]}
---
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: orders, namespace: bookshop}
spec:
  match: request.url_path == '/checked'
  request: {body: {maxBytes: 64KiB, onLimit: deny, rules: [{deny: request.body.total > 1000}]}}
---
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: customers, namespace: bookshop}
spec:
  match: request.url_path.startsWith('/whole')
  response: {body: {delivery: whole, fields: [{path: $.card, action: mask, keepLast: 4}]}}
---
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: events, namespace: bookshop}
spec:
  match: request.url_path == '/stream'
  response: {body: {delivery: streamed, detect: [{detector: paymentCard, action: redact}]}}
`;

let folder: ConfigFolder;
let upstream: SpokenUpstream;
let port: number;
const envoys: Partial<Record<Mode, Envoy>> = {};
/** What responses under way wait for. */
let gate: Gate;
let gatehouse: Gatehouse | undefined;

/** The default, and `failure_mode_allow: true`. */
type Mode = "refuses" | "allows";

beforeAll(async () => {
  folder = makeConfigFolder();
  folder.write("policies.yaml", policies);
  port = await freePort();
  upstream = await startSpokenUpstream({
    "/whole": saysJson(customer, { "cache-control": "no-store" }),
    "/whole/slow": async (_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": customer.length });
      response.write(customer.slice(0, 40));
      await gate.opened;
      response.end(customer.slice(40));
    },
    "/stream": async (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: hello\n\n");
      await gate.opened;
      response.end(`data: pay with ${card} now\n\n`);
    },
  });
  const start = (mode: Mode): Promise<Envoy> =>
    startBodyEnvoy({
      bootstrap: "ext-proc",
      gatehouse: port,
      upstream: upstream.port,
      edit: (manager) => {
        if (mode === "allows") extProcOf(manager)["failure_mode_allow"] = true;
      },
    });
  [envoys.refuses, envoys.allows] = await Promise.all([start("refuses"), start("allows")]);
});
afterAll(async () => {
  await Promise.all([envoys.refuses?.stop(), envoys.allows?.stop(), upstream?.stop()]);
  folder?.remove();
});
afterEach(async () => {
  gate?.open();
  gatehouse?.child.kill("SIGCONT");
  await gatehouse?.kill();
  gatehouse = undefined;
});

const portOf = (mode: Mode): number => envoys[mode]?.ports["http"] ?? 0;

async function begin(flags: readonly string[] = []): Promise<Gatehouse> {
  gate = createGate();
  gatehouse = await startGatehouse(folder.path, { port, flags });
  return gatehouse;
}

/** It does its work for new requests, through both Envoys. */
async function isWell(): Promise<void> {
  for (const mode of ["refuses", "allows"] as const) {
    // The first connection after a break may have gone to the one before.
    await eventually(async () => (await call(portOf(mode), "/secret")).status, 403);
    const masked = await call(portOf(mode), "/whole");
    expect([masked.status, JSON.parse(masked.body)]).toEqual([
      200,
      { name: "Ann", card: "************1111", email: "ann@shop.example" },
    ]);
    expect((await order(mode, 7)).status).toBe(200);
    expect((await order(mode, 7000)).status).toBe(403);
  }
}

const json = { "content-type": "application/json" };
const orderOf = (total: number): string => JSON.stringify({ total });
const order = (mode: Mode, total: number): Promise<Got> =>
  call(portOf(mode), "/checked", { headers: json, body: orderOf(total) });

const phases = [
  "before the request's headers",
  "between the request's headers and its body",
  "while the response's headers and body are held",
  "in the middle of a stream",
] as const;
type Phase = (typeof phases)[number];
const underWayPhases = phases.slice(1);

/** An exchange that has come so far. */
interface UnderWay {
  readonly call: SlowCall;
  /** Sends what is still missing, or lets the upstream send it. */
  proceed(): void;
}

/** Brings an exchange into this phase; before the request's headers nothing has been sent. */
async function bring(phase: Phase, mode: Mode, total = 7000): Promise<UnderWay> {
  const message = (part: string): Promise<number> =>
    gatehouse?.total("gatehouse_ext_proc_messages_total", `part="${part}"`) ?? Promise.resolve(0);
  switch (phase) {
    case "before the request's headers":
    case "between the request's headers and its body": {
      const text = orderOf(total);
      const isFirst = phase === "before the request's headers";
      const before = isFirst ? 0 : await message("request_headers");
      const begun = beginCall(portOf(mode), "/checked", {
        method: "POST",
        headers: { ...json, "content-length": String(text.length) },
      });
      if (isFirst) begun.end(text);
      else await eventually(message.bind(null, "request_headers"), before + 1);
      return { call: begun, proceed: () => isFirst || begun.end(text) };
    }
    case "while the response's headers and body are held": {
      const before = await message("response_headers");
      const begun = beginCall(portOf(mode), "/whole/slow");
      begun.end();
      await eventually(message.bind(null, "response_headers"), before + 1);
      return { call: begun, proceed: () => gate.open() };
    }
    case "in the middle of a stream": {
      const begun = beginCall(portOf(mode), "/stream");
      begun.end();
      await eventually(() => begun.sofar, "data: hello\n\n");
      return { call: begun, proceed: () => gate.open() };
    }
  }
}

/** What clients got, and how many of the two requests that have to be looked at came through to the upstream. */
interface Outcome {
  readonly got: Readonly<Partial<Record<Phase, Got>>>;
  readonly calls: number;
}

/** Strikes while one exchange is in each phase; one more begins right after. */
async function through(mode: Mode, strike: () => unknown): Promise<Outcome> {
  const before = upstream.heardAt("/checked").length;
  const exchanges: [Phase, UnderWay][] = [];
  for (const phase of underWayPhases) exchanges.push([phase, await bring(phase, mode)]);
  await strike();
  exchanges.push([phases[0], await bring(phases[0], mode)]);
  const got: Partial<Record<Phase, Got>> = {};
  await Promise.all(
    exchanges.map(async ([phase, { call: begun, proceed }]) => {
      proceed();
      // Nothing but the client's patience ends a stream that hangs.
      const patience = setTimeout(() => begun.giveUp(), 5_000);
      got[phase] = await begun.got;
      clearTimeout(patience);
    }),
  );
  return { got, calls: upstream.heardAt("/checked").length - before };
}

/** By what Envoy does with what it gets no answer to: 500 for a stream that failed, 504 after `message_timeout`. */
const refused = (status: number): object => ({ end: "whole", status, body: "" });
const cutStream = { end: "cut", status: 200, body: "data: hello\n\n" };
const hungStream = { end: "given up", status: 200, body: "data: hello\n\n" };
const unchecked = { end: "whole", status: 200, body: "{}" };
/** Responses come in FULL_DUPLEX_STREAMED, which has neither a message timeout nor a failure mode that allows. */
const killedResponses = { held: refused(500), stream: cutStream };
const hungResponses = { held: { end: "given up", status: 0 }, stream: hungStream };

interface Responses {
  readonly held: object;
  readonly stream: object;
}

const refusedAll = (status: number, { held, stream }: Responses): object => ({
  got: {
    "before the request's headers": refused(status),
    "between the request's headers and its body": refused(status),
    "while the response's headers and body are held": held,
    "in the middle of a stream": stream,
  },
  calls: 0,
});
const allowedAll = ({ held, stream }: Responses): object => ({
  got: {
    "before the request's headers": unchecked,
    "between the request's headers and its body": unchecked,
    "while the response's headers and body are held": held,
    "in the middle of a stream": stream,
  },
  calls: 2,
});

describe.each([
  ["refuses", "failure_mode_allow false: nothing passes without an answer", refusedAll],
  [
    "allows",
    "failure_mode_allow true: requests pass, responses do not",
    (_status: number, responses: Responses) => allowedAll(responses),
  ],
] as const)("Envoy %s (%s)", (mode, _, expected) => {
  test("killed in each phase, and started again", async () => {
    const { kill } = await begin();
    expect(await through(mode, kill)).toMatchObject(expected(500, killedResponses));
    await begin();
    await isWell();
  });

  test("hanging in each phase, and awake again", async () => {
    const { child } = await begin();
    expect(await through(mode, () => child.kill("SIGSTOP"))).toMatchObject(expected(504, hungResponses));
    child.kill("SIGCONT");
    await isWell();
  });
});

test("a stream that hung goes on when Gatehouse does, and is masked", async () => {
  const { child } = await begin();
  const { call: begun, proceed } = await bring("in the middle of a stream", "refuses");
  child.kill("SIGSTOP");
  proceed();
  await new Promise((resolve) => setTimeout(resolve, 500));
  child.kill("SIGCONT");
  expect(await begun.got).toMatchObject({
    end: "whole",
    body: "data: hello\n\ndata: pay with [paymentCard] now\n\n",
  });
});

describe.each([
  ["one process", []],
  ["two workers", ["--workers", "2"]],
] as const)("%s, told to end by SIGTERM,", (_, flags) => {
  test.each(["refuses", "allows"] as const)("answers all that is under way (%s)", async (mode) => {
    const { child, end } = await begin(flags);
    const exchanges: [Phase, number, UnderWay][] = [];
    for (const total of [7, 7000, 8]) {
      for (const phase of underWayPhases) exchanges.push([phase, total, await bring(phase, mode, total)]);
    }
    const before = upstream.heardAt("/checked").length;
    const ended = end();
    // What is new finds nobody.
    await eventually(async () => (await call(portOf("refuses"), "/whole")).status >= 500, true, 20_000);
    for (const [, , { proceed }] of exchanges) proceed();
    for (const [phase, total, { call: begun }] of exchanges) {
      const { end: how, status, body } = await begun.got;
      const answer = [phase, how, status, body];
      if (phase === "in the middle of a stream") {
        const text = "data: hello\n\ndata: pay with [paymentCard] now\n\n";
        expect(answer).toEqual([phase, "whole", 200, text]);
      } else if (phase === "while the response's headers and body are held") {
        expect(answer).toEqual([phase, "whole", 200, customer.replace(/\d{12}(?=1111)/, "*".repeat(12))]);
      } else {
        const [wanted, text] = total > 1000 ? [403, "access denied"] : [200, "{}"];
        expect(answer).toEqual([phase, "whole", wanted, text]);
      }
    }
    await ended;
    expect((await child.exited).code).toBe(0);
    expect(upstream.heardAt("/checked").length - before).toBe(2);
  });

  test("ends what takes longer than --drain-timeout with an error, never as if all were said", async () => {
    const { end } = await begin([...flags, "--drain-timeout", "300ms"]);
    const calls = upstream.heardAt("/checked").length;
    const exchanges: [Phase, UnderWay][] = [];
    for (const phase of underWayPhases) exchanges.push([phase, await bring(phase, "refuses")]);
    await end();
    for (const [, { proceed }] of exchanges) proceed();
    for (const [phase, { call: begun }] of exchanges) {
      const got = await begun.got;
      const isStream = phase === "in the middle of a stream";
      expect(got).toMatchObject(isStream ? cutStream : refused(500));
    }
    expect(upstream.heardAt("/checked").length).toBe(calls);
  });

  test("and replaced under load, lets nothing through unseen", async () => {
    await begin(flags);
    gate.open();
    await isWell();
    let goesOn = true;
    const seen: Record<string, number> = {};
    const heard = upstream.heard.length;
    const paths = ["/secret", "/whole", "/stream", "/checked"];
    const caller = async (i: number): Promise<void> => {
      for (let n = i; goesOn; n++) {
        const path = paths[n % paths.length] ?? "";
        const got = await (path === "/checked" ? order("refuses", 7000) : call(portOf("refuses"), path));
        const kind = `${path} ${got.status} ${got.end}`;
        seen[kind] = (seen[kind] ?? 0) + 1;
        expect(got.body).not.toContain(card);
        // One that is refused costs nothing, and would be asked for thousands of times.
        if (got.status === 500) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const callers = Promise.all(Array.from({ length: 8 }, (_unused, i) => caller(i)));
    for (const strike of ["end", "kill"] as const) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      await gatehouse?.[strike]();
      await begin(flags);
      gate.open();
    }
    await new Promise((resolve) => setTimeout(resolve, 400));
    goesOn = false;
    await callers;
    console.info(seen);
    const allowed =
      /^(?:\/secret (?:403|500) whole|\/whole (?:200|500) whole|\/stream (?:200 whole|500 whole|200 cut)|\/checked (?:403|500) whole)$/;
    expect(Object.keys(seen).filter((kind) => !allowed.test(kind))).toEqual([]);
    for (const kind of ["/secret 403 whole", "/whole 200 whole", "/stream 200 whole", "/checked 403 whole"])
      expect(seen[kind]).toBeGreaterThan(0);
    const unseen = upstream.heard.slice(heard).filter(({ path }) => /^\/(?:secret|checked)/.test(path));
    // Those of `isWell` carry what is allowed.
    expect(unseen.filter(({ path, body }) => path === "/secret" || String(body).includes("7000"))).toEqual(
      [],
    );
    await isWell();
  });
});
