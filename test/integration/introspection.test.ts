import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { text as readText } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createIntrospectionClient, type EgressOptions } from "../../src/adapters/index.js";
import type { CredentialCheck, CredentialVerdict } from "../../src/authn/index.js";
import {
  completeTokenIntrospection,
  createIntrospectionCheck,
  type IntrospectionEvent,
  parseTokenIntrospection,
} from "../../src/credentials/index.js";
import { freePort } from "../support/ports.js";

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly form: URLSearchParams;
}

interface Endpoint {
  readonly port: number;
  readonly seen: Seen[];
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ending.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** An endpoint that reads the question and leaves the answer to the test. */
async function anEndpoint(respond: (response: ServerResponse, seen: Seen) => unknown): Promise<Endpoint> {
  const seen: Seen[] = [];
  const server = createHttpServer(async (request, response) => {
    const { method, url, headers } = request;
    const one = { method, url, headers, form: new URLSearchParams(await readText(request)) };
    seen.push(one);
    await respond(response, one);
  });
  return { port: await listen(server), seen };
}

const json =
  (answer: unknown, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  };

interface Made {
  readonly check: CredentialCheck;
  readonly events: IntrospectionEvent[];
}

function aCheck(
  port: number,
  spec: Readonly<Record<string, unknown>> = {},
  egress: EgressOptions = { allowHosts: [], allowCidrs: [], denyPrivate: false },
): Made {
  const head = { apiVersion: "gatehouse.dev/v1alpha1", kind: "TokenIntrospection", annotations: new Map() };
  const parsed = parseTokenIntrospection({
    ...head,
    name: "opaque",
    namespace: "shop",
    spec: {
      endpoint: `http://127.0.0.1:${port}/introspect?tenant=a`,
      clientId: "gate:house",
      clientSecretEnv: "S",
      ...spec,
    },
  });
  const whole = parsed.spec && completeTokenIntrospection(parsed.spec, ["s3cr+t &/ü"]).spec;
  if (whole === undefined) throw new Error(JSON.stringify(parsed.findings));
  const client = createIntrospectionClient(egress);
  ending.push(() => client.close());
  const events: IntrospectionEvent[] = [];
  const ports = {
    introspect: client.introspect(whole),
    observe: (event: IntrospectionEvent) => void events.push(event),
  };
  return { check: createIntrospectionCheck(whole, ports), events };
}

const brief = ({ payload, refusal }: CredentialVerdict): unknown =>
  refusal === undefined ? payload : `${refusal.httpStatus} ${refusal.reason}`;

const judge = async ({ check }: Made, token = "opaque~t/+oken=="): Promise<unknown> =>
  brief(await check.judge(token, Date.now()));

const failed = "500 introspection_failed";
const good = { active: true, sub: "alice" };

describe("the question to an introspection endpoint", () => {
  it("is a form with the token, and says who asks as RFC 6749 has it", async () => {
    const endpoint = await anEndpoint(json(good));
    const made = aCheck(endpoint.port, { tokenTypeHint: "access_token" });
    expect(await judge(made)).toMatchObject({ sub: "alice" });
    const [seen] = endpoint.seen;
    expect(seen?.method).toBe("POST");
    expect(seen?.url).toBe("/introspect?tenant=a");
    expect(seen?.headers).toMatchObject({
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      host: `127.0.0.1:${endpoint.port}`,
    });
    const [, basic = ""] = seen?.headers.authorization?.split(" ") ?? [];
    expect(Buffer.from(basic, "base64").toString()).toBe("gate%3Ahouse:s3cr%2Bt+%26%2F%C3%BC");
    expect([...(seen?.form ?? [])]).toEqual([
      ["token", "opaque~t/+oken=="],
      ["token_type_hint", "access_token"],
    ]);
  });

  it("may carry the client in its form instead", async () => {
    const endpoint = await anEndpoint(json(good));
    await judge(aCheck(endpoint.port, { clientAuth: "post" }));
    expect(endpoint.seen[0]?.headers.authorization).toBeUndefined();
    expect(Object.fromEntries(endpoint.seen[0]?.form ?? [])).toMatchObject({
      client_id: "gate:house",
      client_secret: "s3cr+t &/ü",
    });
  });

  it("is one for all requests that wait", async () => {
    const endpoint = await anEndpoint(async (response) => {
      await wait(50);
      json(good)(response);
    });
    const made = aCheck(endpoint.port);
    await Promise.all(Array.from({ length: 100 }, () => judge(made)));
    expect(endpoint.seen).toHaveLength(1);
  });
});

describe("an introspection endpoint that", () => {
  it.each<[string, (response: ServerResponse) => unknown, unknown, IntrospectionEvent]>([
    ["says 500", json(good, 500), failed, "status"],
    ["says 401 to us", json({ error: "invalid_client" }, 401), failed, "status"],
    ["says 201", json(good, 201), failed, "status"],
    ["says 204", (r) => r.writeHead(204).end(), failed, "status"],
    [
      "answers HTML",
      (r) => r.writeHead(200, { "content-type": "text/html" }).end("<h1>active</h1>"),
      failed,
      "malformed",
    ],
    ['answers active:"true"', json({ ...good, active: "true" }), "401 introspection_inactive", "inactive"],
    ["answers active: 1", json({ ...good, active: 1 }), "401 introspection_inactive", "inactive"],
    ["answers nothing", (r) => r.writeHead(200).end(), failed, "malformed"],
    ["answers gzip unasked", (r) => r.writeHead(200).end("\x1f\x8b\x08"), failed, "malformed"],
    [
      "answers a megabyte",
      (r) => r.writeHead(200).end(`{"active":true,"sub":"${"a".repeat(1_000_000)}"}`),
      failed,
      "too_large",
    ],
    [
      "ends in the middle",
      (r) => {
        r.writeHead(200, { "content-length": "500" }).write('{"active":true}');
        setTimeout(() => r.destroy(), 20);
      },
      failed,
      "connect",
    ],
    ["breaks the connection", (r) => r.destroy(), failed, "connect"],
    ["says 101", (r) => r.writeHead(101).end(), failed, "status"],
  ])("%s", async (_what, respond, verdict, event) => {
    const endpoint = await anEndpoint(respond);
    const made = aCheck(endpoint.port);
    expect(await judge(made)).toEqual(verdict);
    expect(made.events).toEqual([event]);
  });

  it("redirects is not followed", async () => {
    const other = await anEndpoint(json(good));
    const endpoint = await anEndpoint((r) =>
      r.writeHead(307, { location: `http://127.0.0.1:${other.port}/` }).end(),
    );
    expect(await judge(aCheck(endpoint.port))).toBe(failed);
    expect(other.seen).toEqual([]);
  });

  it.each([
    ["never answers", () => {}],
    [
      "sends byte after byte",
      async (r: ServerResponse) => {
        r.writeHead(200);
        for (let i = 0; i < 100 && !r.destroyed; i++) {
          r.write(" ");
          await wait(20);
        }
      },
    ],
  ])("%s ends at the deadline", async (_what, respond) => {
    const endpoint = await anEndpoint(respond);
    const made = aCheck(endpoint.port, { timeout: "200ms" });
    const start = performance.now();
    expect(await judge(made)).toBe(failed);
    expect(performance.now() - start).toBeLessThan(1500);
    expect(made.events).toEqual(["timeout"]);
  });

  it("is not there", async () => {
    const made = aCheck(await freePort());
    expect(await judge(made)).toBe(failed);
    expect(made.events).toEqual(["connect"]);
  });

  it("speaks no HTTP", async () => {
    const port = await listen(createServer((socket) => socket.end("SSH-2.0-x\r\n")));
    expect(await judge(aCheck(port))).toBe(failed);
  });

  it("may not be connected to", async () => {
    const endpoint = await anEndpoint(json(good));
    const made = aCheck(endpoint.port, {}, { allowHosts: [], allowCidrs: [], denyPrivate: true });
    expect(await judge(made)).toBe(failed);
    expect(made.events).toEqual(["egress"]);
    expect(endpoint.seen).toEqual([]);
  });

  it("comes back is asked again at once", async () => {
    let up = false;
    const endpoint = await anEndpoint((r) => json(good, up ? 200 : 503)(r));
    const made = aCheck(endpoint.port);
    expect(await judge(made)).toBe(failed);
    up = true;
    expect(await judge(made)).toMatchObject({ sub: "alice" });
  });

  it("is closed meanwhile leaves no request without a verdict", async () => {
    const endpoint = await anEndpoint(() => {});
    const made = aCheck(endpoint.port);
    const verdict = judge(made);
    await wait(50);
    await ending.pop()?.();
    expect(await verdict).toBe(failed);
    expect(await judge(made)).toBe(failed);
  });
});
