import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SpecialPolicy } from "../support/body-special-policies.js";
import { noFaults, type SpecialStage, startSpecialStage } from "../support/body-special-stage.js";
import type { Reply } from "../support/ext-proc-upstreams.js";
import { eventually } from "../support/server-fixture.js";
import { beginCall, type SlowCall } from "../support/slow-call.js";
import { askForWebsocket, type Upgrading } from "../support/upgrade-client.js";

// What is no plain request and its response, through a real Envoy and a whole Gatehouse: upgrades, clients that wait or
// go away, a filter that was told to observe only, and answers that an earlier filter gave.

let stage: SpecialStage;
beforeAll(async () => {
  stage = await startSpecialStage();
});
afterAll(() => stage?.stop());

const plain = { "content-type": "text/plain" };
const json = { "content-type": "application/json" };
const openStreams = (): Promise<number> => stage.total("gatehouse_ext_proc_streams_open");
const messages = async (part: string): Promise<number> => (await stage.parts())[part] ?? 0;

describe("a websocket", () => {
  const upgrade = (path: string, policy: SpecialPolicy, body?: string): Upgrading =>
    askForWebsocket(stage.port("http"), path, { "x-id": path, "x-policy": policy }, body);

  test.each(["none", "heads", "masked", "streamed", "closed", "orders"] as const)(
    "goes on both ways, and nobody looks at its bytes (%s)",
    async (policy) => {
      const path = `/websocket/${policy}`;
      const socket = upgrade(path, policy);
      await eventually(() => socket.sofar.endsWith("\r\n\r\nhello"), true);
      expect(socket.sofar).toMatch(/^HTTP\/1\.1 101 /);
      expect(socket.sofar.includes("x-checked: yes")).toBe(policy === "heads");
      for (const said of ["abc from the client", "and more abc"]) {
        socket.say(said);
        await eventually(() => socket.sofar.endsWith(said), true);
      }
      expect(await openStreams()).toBeLessThan(2);
      socket.leave();
      await eventually(openStreams, 0);
      const { outcome, response, body } = await stage.record(path);
      expect([outcome, (response as { response_code: number }).response_code]).toEqual(["allowed", 101]);
      const acted = policy === "heads" ? { changes: 1 } : { changes: 0, response_bytes: 0, refused: null };
      expect(body).toEqual(policy === "none" ? null : expect.objectContaining(acted));
    },
  );

  test("whose request brings a body that has to be seen is refused", async () => {
    const socket = upgrade("/websocket/body", "orders", '{"total":7}');
    await eventually(() => socket.sofar.startsWith("HTTP/1.1 500 "), true);
    socket.leave();
    expect(await stage.record("/websocket/body")).toMatchObject({
      outcome: "denied",
      body: { refused: { policy: "", reason: "body_not_sent", phase: "request" } },
    });
    expect(await stage.total("gatehouse_ext_proc_violations_total", 'what="body_not_sent"')).toBe(1);
  });
});

describe("a client that waits for 100 (Continue)", () => {
  async function order(
    path: string,
    total: number,
  ): Promise<{ hasContinued: boolean; answer: IncomingMessage }> {
    const body = JSON.stringify({ total });
    const request = httpRequest({
      host: "127.0.0.1",
      port: stage.port("http"),
      method: "POST",
      path,
      headers: {
        ...json,
        expect: "100-continue",
        "content-length": body.length,
        "x-id": path,
        "x-policy": "orders",
      },
      agent: false,
    });
    let hasContinued = false;
    request.on("continue", () => {
      hasContinued = true;
      request.end(body);
    });
    request.flushHeaders();
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    return { hasContinued, answer };
  }

  test.each([
    [7, 200, "allowed"],
    [7000, 403, "denied"],
  ])("sends its body (a total of %d), and gets %d", async (total, status, outcome) => {
    const path = `/continue/${total}`;
    const { hasContinued, answer } = await order(path, total);
    expect([hasContinued, answer.statusCode]).toEqual([true, status]);
    await text(answer);
    expect(stage.upstreams.seen.get(path)?.digest).toBe(
      total > 1000 ? undefined : JSON.stringify('{"total":7}'),
    );
    const bytes = String(total).length + 10;
    expect(await stage.record(path)).toMatchObject({ outcome, body: { request_bytes: bytes } });
  });
});

describe("a client that goes away", () => {
  const begin = (path: string, policy: SpecialPolicy, reply?: Reply, more?: object): SlowCall =>
    beginCall(stage.port("http"), path, {
      ...more,
      headers: {
        "x-id": path,
        "x-policy": policy,
        ...(reply === undefined ? json : { "x-reply": JSON.stringify(reply) }),
      },
    });
  const endless: Reply = { status: 200, size: "slow", headers: plain, trailers: {}, isEndless: true };

  test("in the middle of its body: the upstream hears nothing, and no stream is left", async () => {
    const path = "/gone/request";
    const before = await messages("request_headers");
    const call = begin(path, "orders", undefined, { method: "POST" });
    call.write('{"total":');
    await eventually(() => messages("request_headers"), before + 1);
    expect(await openStreams()).toBe(1);
    call.giveUp();
    await eventually(openStreams, 0);
    expect(stage.upstreams.seen.has(path)).toBe(false);
    expect(await stage.record(path)).toMatchObject({
      response: { response_code: 0, flags: "DC" },
      body: { policies: ["bookshop/orders"], request_bytes: 0 },
    });
  });

  test("in the middle of a streamed response: what it got is on record", async () => {
    const path = "/gone/streamed";
    const call = begin(path, "streamed", endless);
    call.end();
    const [piece] = ["[letters]defg"];
    await eventually(() => call.sofar === piece?.repeat(5), true);
    expect(await openStreams()).toBe(1);
    call.giveUp();
    await eventually(openStreams, 0);
    expect(await stage.record(path)).toMatchObject({
      outcome: "allowed",
      response: { response_code: 200, flags: "DC" },
      body: { policies: ["bookshop/streamed"], response_bytes: 35, changes: 5 },
    });
  });

  test("while its response is held: it gets nothing of it", async () => {
    const path = "/gone/held";
    const before = await messages("response_body");
    const call = begin(path, "masked", endless);
    call.end();
    await eventually(async () => (await messages("response_body")) >= before + 1, true);
    await eventually(openStreams, 1);
    call.giveUp();
    expect(await call.got).toMatchObject({ end: "given up", status: 0, body: "" });
    await eventually(openStreams, 0);
    expect(await stage.record(path)).toMatchObject({ response: { flags: "DC" } });
  });

  // Known: Envoy ends such a stream in order, and Gatehouse takes a body that is missing for one that was not sent.
  test.each(["/gone/request", "/gone/held"])("is not on record as refused (%s)", async (path) => {
    expect(await stage.record(path)).toMatchObject({ outcome: "allowed", body: { refused: null } });
  });
});

describe("observability_mode", () => {
  const reply: Reply = { status: 200, size: "slow", headers: plain };

  test.each(["/secret/observed", "/observed/masked", "/observed/streamed", "/observed/closed"] as const)(
    "nothing is held up, refused or changed (%s)",
    async (path) => {
      const policy = (path.split("/").at(-1) ?? "none") as SpecialPolicy;
      const got = await stage.send({ entry: "observed", path, policy, reply });
      expect([got.status, String(got.body), got.headers["x-given"]]).toEqual([
        200,
        "abcdefg".repeat(5),
        "own",
      ]);
    },
  );

  test("a request goes on that would be refused for its body", async () => {
    const path = "/observed/orders";
    const pieces = [Buffer.from('{"total":7000}')];
    const got = await stage.send({
      entry: "observed",
      path,
      policy: "orders",
      method: "POST",
      headers: json,
      pieces,
    });
    expect(got.status).toBe(200);
    expect(stage.upstreams.seen.get(path)?.digest).toBe(JSON.stringify('{"total":7000}'));
  });

  test("Gatehouse hears all of it, and what it found is on record", async () => {
    for (const [path, body] of [
      ["/observed/masked", { changes: 0, response_bytes: 35 }],
      ["/observed/closed", { refused: null, dry_run: [{ reason: "denied_by_policy" }] }],
      ["/observed/orders", { refused: null, dry_run: [{ reason: "denied_by_policy" }] }],
    ] as const)
      await expect.poll(() => stage.records(path), { timeout: 5_000 }).toMatchObject([{ body }]);
  });

  test("what was only observed is not on record as refused", async () => {
    for (const path of ["/secret/observed", "/observed/closed", "/observed/orders"])
      expect(await stage.records(path)).not.toMatchObject([{ outcome: "denied" }]);
  });
});

describe("an answer that a filter in front gave", () => {
  test.each(["302", "429", "200"])("passes as it is where Envoy says whose it is (%s)", async (status) => {
    const path = `/short/told/${status}`;
    const before = await stage.parts();
    const got = await stage.send({ path, policy: "heads", headers: { "x-short": status } });
    expect([got.status, String(got.body), got.headers["x-remove"]]).toEqual([Number(status), "short", "me"]);
    const after = await stage.parts();
    expect(after).toEqual({ ...before, response_headers: (before["response_headers"] ?? 0) + 1 });
    expect(await stage.records(path)).toEqual([]);
  });

  test("passes by its status where Envoy does not say: a redirect could be the upstream's, and is refused", async () => {
    const sent = (status: string) =>
      stage.send({
        entry: "untold",
        path: `/short/${status}`,
        policy: "heads",
        headers: { "x-short": status },
      });
    expect((await sent("429")).status).toBe(429);
    expect((await sent("302")).status).toBe(500);
    expect((await sent("200")).status).toBe(500);
  });
});

test("Envoy had nothing to object to, and no stream is left", async () => {
  for (const entry of ["http", "untold", "observed"] as const)
    await expect.poll(() => stage.faults(entry), { timeout: 5_000 }).toEqual(noFaults);
  await expect.poll(openStreams, { timeout: 5_000 }).toBe(0);
  expect(await stage.total("gatehouse_ext_proc_streams_total", 'result="internal_error"')).toBe(0);
  expect(await stage.total("gatehouse_ext_proc_streams_total", 'result="malformed"')).toBe(0);
});
