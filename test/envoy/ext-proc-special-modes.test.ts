import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Action,
  type Configured,
  everyMode,
  piecesOf,
  suffixOf,
  upperCased,
} from "../support/ext-proc-cells.js";
import { listenerOf, procCounters } from "../support/ext-proc-envoy.js";
import { programHeader } from "../support/ext-proc-exchange.js";
import { eachOf, type ProcStage, startProcStage } from "../support/ext-proc-stage.js";
import type { Reply } from "../support/ext-proc-upstreams.js";
import { eventually } from "../support/server-fixture.js";
import { askForWebsocket } from "../support/upgrade-client.js";

// Responses that are not like others, in every body mode and whatever is done to them, as the client sees them.

let stage: ProcStage;
beforeAll(async () => {
  stage = await startProcStage(everyMode.map(listenerOf));
});
afterAll(() => stage?.stop());

const actions = ["pass", "headers", "mask", "rewrite", "deny"] as const satisfies readonly Action[];
type Tried = (typeof actions)[number];

interface Special {
  readonly name: string;
  readonly method?: "HEAD";
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly reply?: Reply;
  /** Of the response as it is. */
  readonly status: number;
  readonly body: string;
}

const grpc = { "content-type": "application/grpc", te: "trailers", "x-up": "http2" };
const sevenLong = { headers: { "content-length": "7" } };
const bodiless: readonly Special[] = [
  { name: "HEAD", method: "HEAD", reply: { status: 200, size: "none", ...sevenLong }, status: 200, body: "" },
  {
    name: "HEAD over HTTP/2",
    method: "HEAD",
    headers: { "x-up": "http2" },
    reply: { status: 200, size: "none", ...sevenLong },
    status: 200,
    body: "",
  },
  { name: "204", reply: { status: 204, size: "none" }, status: 204, body: "" },
  { name: "304", reply: { status: 304, size: "none", ...sevenLong }, status: 304, body: "" },
  {
    name: "trailers-only",
    headers: grpc,
    reply: { status: 200, size: "none", isGrpc: true, headers: { "grpc-status": "5" } },
    status: 200,
    body: "",
  },
];
const withTrailers: Special = {
  name: "trailers of HTTP/1.1",
  reply: { status: 200, size: "slow", trailers: { "x-late": "1" } },
  status: 200,
  body: Buffer.concat(piecesOf({ protocol: "http1", size: "slow" })).toString(),
};
const envoysOwn: readonly Special[] = [
  {
    name: "no upstream",
    path: "/dead",
    status: 503,
    body: "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
  },
  { name: "a direct response", path: "/direct", status: 418, body: "teapot" },
];

type Seen = Readonly<
  Record<"end" | "status" | "body" | "added" | "removed" | "grpcStatus" | "late", unknown>
>;

async function seen({ name: listener }: Configured, special: Special, action: Tried): Promise<Seen> {
  const { name, method = "GET", path = "/", headers = {}, reply } = special;
  const protocol = special.headers === grpc ? "grpc" : headers["x-up"] === undefined ? "http1" : "http2";
  const { end, status, body, ...got } = await stage.send({
    listener,
    isHttp2: protocol !== "http1",
    method,
    path,
    headers: {
      "x-id": [listener, name, action].join("."),
      "x-program": programHeader({ protocol, request: "pass", response: action }),
      ...(reply !== undefined && { "x-reply": JSON.stringify(reply) }),
      ...headers,
    },
    pieces: [],
  });
  const length = got.headers["content-length"];
  if (end === "whole" && body.length > 0 && length !== undefined) expect(Number(length)).toBe(body.length);
  return {
    end,
    // Of what broke off some may have come.
    status: end === "whole" ? status : 0,
    body: end === "whole" ? String(body) : "",
    added: got.headers["x-added"],
    removed: got.headers["x-remove"] === undefined,
    grpcStatus: special.headers === grpc ? got.headers["grpc-status"] : undefined,
    late: got.trailers["x-late"],
  };
}

const answer = (status: number, body: string): Partial<Seen> => ({ end: "whole", status, body });
const broken: Partial<Seen> = { end: "reset", status: 0, body: "" };
const changed = (body: string): string => `${upperCased(Buffer.from(body))}${suffixOf("http1")}`;

/** What is measured of Envoy 1.40, or promised by us. */
function expected({ mode, allowsOverride }: Configured, special: Special, action: Tried): Partial<Seen> {
  const { status, body } = special;
  const isGrpc = special.headers === grpc;
  if (action === "deny") {
    if (isGrpc) return { ...answer(200, ""), grpcStatus: "7" };
    return answer(403, special.method === "HEAD" ? "" : "response_denied");
  }
  const asItIs: Partial<Seen> = {
    ...answer(status, body),
    added: action === "headers" ? "by us" : undefined,
    ...(special.path === undefined && { removed: action === "headers" }),
    grpcStatus: isGrpc ? "5" : undefined,
    late: special === withTrailers ? "1" : undefined,
  };
  if (bodiless.includes(special)) return asItIs;
  const isOwn = special.path !== undefined;
  if (action === "pass" || action === "headers") {
    // Envoy looks for messages of gRPC in its own answers, too, unless it was told not to.
    return mode === "GRPC" && !allowsOverride && isOwn ? answer(500, "") : asItIs;
  }
  if (mode === "GRPC") return answer(500, "response_body_not_sent");
  if (mode === "NONE" && !allowsOverride) return answer(504, "stream timeout");
  if (!isOwn) {
    // Bytes that were kept back cannot go on when trailers follow.
    const isWhole = action === "rewrite";
    if (mode === "STREAMED" && !(isWhole && allowsOverride)) return broken;
    // Whether it was cut off or has trailers Envoy does not say.
    if (mode === "STREAMED" || mode === "BUFFERED_PARTIAL") return answer(502, "response_too_large");
  }
  return { ...asItIs, body: changed(body) };
}

const specials = [...bodiless, withTrailers, ...envoysOwn];

/** Envoy waits for the end of what has none. */
const isHeldByEnvoy = ({ mode, allowsOverride }: Configured): boolean =>
  !allowsOverride && (mode === "BUFFERED" || mode === "BUFFERED_PARTIAL");

const openWebsocket = ({ name }: Configured, action: Tried): ReturnType<typeof askForWebsocket> => {
  const program = programHeader({ protocol: "http1", request: "pass", response: action });
  return askForWebsocket(stage.envoy.ports[name] ?? 0, "/", { "x-program": program });
};

describe.each(everyMode)("in $name", (configured) => {
  test("each comes out as it should", async () => {
    const cells = specials.flatMap((special) => actions.map((action) => ({ special, action })));
    const all = await eachOf(cells, 8, async ({ special, action }) => ({
      cell: `${special.name}, ${action}`,
      ...(await seen(configured, special, action)),
    }));
    expect(all).toMatchObject(
      cells.map(({ special, action }) => ({
        cell: `${special.name}, ${action}`,
        ...expected(configured, special, action),
      })),
    );
  });

  test.each(isHeldByEnvoy(configured) ? [] : actions)(
    "a websocket goes on, or is refused (%s)",
    async (action) => {
      const socket = openWebsocket(configured, action);
      const [status, first] = action === "deny" ? [403, "response_denied"] : [101, "hello"];
      await eventually(() => socket.sofar.endsWith(`\r\n\r\n${first}`), true);
      expect(socket.sofar).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(socket.sofar.includes("x-added: by us")).toBe(action === "headers");
      if (status === 101) {
        socket.say("some bytes");
        await eventually(() => socket.sofar.endsWith("hellosome bytes"), true);
      }
      socket.leave();
    },
  );

  test("Envoy has nothing to object to, and no stream is left", async () => {
    const summary = async (): Promise<Record<string, number>> => {
      const counters = await procCounters(stage.envoy, configured.name);
      const at = (name: string): number => counters.get(name) ?? Number.NaN;
      return {
        spurious: at("spurious_msgs_received"),
        rejected: at("rejected_header_mutations"),
        failed: at("streams_failed"),
        late: at("message_timeouts"),
        open: at("streams_started") - at("streams_closed"),
      };
    };
    const nothing = { spurious: 0, rejected: 0, failed: 0, late: 0, open: 0 };
    await expect.poll(summary, { timeout: 5_000 }).toEqual(nothing);
  });
});

test("a websocket ends by Envoy's own timeout where it was told to buffer bodies, and nothing else", async () => {
  const sockets = everyMode.filter(isHeldByEnvoy).map((configured) => openWebsocket(configured, "pass"));
  expect(sockets).toHaveLength(2);
  for (const socket of sockets) {
    await eventually(() => socket.sofar !== "", true, 20_000);
    expect(socket.sofar).toMatch(/^HTTP\/1.1 (?:408|504) /);
    socket.leave();
  }
});

test("nothing was thrown in the service, and none of its streams is left", async () => {
  await expect.poll(() => stage.service.streams(), { timeout: 5_000 }).toBe(0);
  expect(stage.errors).toEqual([]);
});
