import { Buffer } from "node:buffer";
import {
  bodiless,
  type Expectations,
  edited,
  headsActed,
  letters,
  looked,
  ownAnswer,
  redacted,
  refusedBy,
  unseen,
  untouched,
  withheld,
} from "./body-special-expected.js";
import { grpcFrame, type SpecialAsk } from "./body-special-stage.js";
import { piecesOf } from "./ext-proc-cells.js";

/** Of which each is sent under every policy that its `expect` names. */
export interface Special {
  readonly name: string;
  readonly ask: Omit<SpecialAsk, "path"> & { readonly under?: string };
  readonly expect: Expectations;
}

const text = { "content-type": "text/plain" };
const post = { method: "POST", pieces: [Buffer.from("x")] } as const;
const grpc = {
  isHttp2: true,
  method: "POST",
  headers: { "content-type": "application/grpc", te: "trailers", "x-up": "http2" },
  pieces: [grpcFrame("hello")],
} as const;
const messages = JSON.stringify(
  Buffer.concat(piecesOf({ protocol: "grpc", size: "slow" })).toString("latin1"),
);
const withTrailers = { "x-late": "1" };
const answered = {
  heads: {
    client: `whole 200 ${messages}`,
    headers: edited,
    trailers: { "grpc-status": "0" },
    body: headsActed,
  },
  masked: { client: `whole 200 ${messages}`, trailers: { "grpc-status": "0" }, body: looked("masked") },
};

/** All of them. */
export const specials: readonly Special[] = [
  {
    name: "HEAD",
    ask: {
      method: "HEAD",
      reply: { status: 200, size: "none", headers: { ...text, "content-length": "35" } },
    },
    expect: bodiless(200),
  },
  {
    name: "HEAD over HTTP/2",
    ask: {
      isHttp2: true,
      method: "HEAD",
      headers: { "x-up": "http2" },
      reply: { status: 200, size: "none", headers: { ...text, "content-length": "35" } },
    },
    expect: bodiless(200),
  },
  { name: "204", ask: { reply: { status: 204, size: "none" } }, expect: bodiless(204) },
  {
    name: "304",
    ask: { reply: { status: 304, size: "none", headers: { ...text, "content-length": "35" } } },
    expect: bodiless(304),
  },
  {
    name: "206",
    ask: {
      headers: { range: "bytes=0-0" },
      reply: { status: 206, size: "one", headers: { ...text, "content-range": "bytes 0-0/35" } },
    },
    expect: {
      none: {
        client: 'whole 206 "a"',
        headers: { ...untouched, "content-range": "bytes 0-0/35" },
        parts: "qh",
        body: null,
      },
      heads: {
        client: 'whole 206 "a"',
        headers: { ...edited, "content-range": "bytes 0-0/35" },
        parts: "qh sh",
        body: headsActed,
      },
      masked: { ...withheld, body: refusedBy("masked", "body_type") },
      streamed: { ...withheld, body: refusedBy("streamed", "body_type") },
    },
  },
  {
    name: "an upstream that refuses the connection",
    ask: { under: "/dead" },
    expect: ownAnswer(
      503,
      '"upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"',
      "internal",
    ),
  },
  { name: "a direct response", ask: { under: "/direct" }, expect: ownAnswer(418, '"teapot"', "client") },
  {
    name: "trailers-only",
    ask: {
      ...grpc,
      reply: {
        status: 200,
        size: "none",
        isGrpc: true,
        headers: { "grpc-status": "5", "grpc-message": "gone" },
      },
    },
    expect: Object.fromEntries(
      Object.entries(bodiless(200)).map(([policy, one]) => [
        policy,
        { ...one, headers: { ...one.headers, "grpc-status": "5", "grpc-message": "gone" } },
      ]),
    ),
  },
  {
    name: "gRPC with trailers",
    ask: { ...grpc, reply: { status: 200, size: "slow", isGrpc: true, trailers: { "grpc-status": "0" } } },
    expect: {
      heads: { ...answered.heads, parts: "qh sh" },
      masked: { ...answered.masked, parts: "qh sh sb st" },
      closed: {
        client: 'whole 200 ""',
        headers: { "grpc-status": "7", "grpc-message": "closed" },
        parts: "qh sh sb st",
        body: refusedBy("closed", "denied_by_policy"),
        outcome: "denied",
      },
    },
  },
  {
    name: "gRPC where Envoy's body mode is GRPC",
    ask: {
      ...grpc,
      entry: "grpc",
      reply: { status: 200, size: "slow", isGrpc: true, trailers: { "grpc-status": "0" } },
    },
    expect: {
      heads: { ...answered.heads, parts: "qh sh st" },
      masked: { ...answered.masked, parts: "qh sh st" },
      closed: {
        client: 'whole 200 ""',
        headers: { "grpc-status": "13" },
        parts: "qh sh",
        body: unseen("closed", "response"),
        outcome: "denied",
      },
      orders: {
        client: 'whole 200 ""',
        headers: { "grpc-status": "13" },
        parts: "qh",
        body: unseen("orders", "request"),
        outcome: "denied",
      },
    },
  },
  {
    name: "trailers of HTTP/1.1",
    ask: {
      ...post,
      trailers: withTrailers,
      reply: { status: 200, size: "slow", headers: text, trailers: withTrailers },
    },
    expect: {
      none: { client: `whole 200 "${letters}"`, trailers: withTrailers, parts: "qh", body: null },
      heads: { client: `whole 200 "${letters}"`, trailers: withTrailers, parts: "qh sh", body: headsActed },
      masked: {
        client: `whole 200 "${redacted}"`,
        headers: { etag: undefined },
        trailers: withTrailers,
        parts: "qh sh sb st",
        body: looked("masked", { changes: 5, response_bytes: letters.length }),
      },
      streamed: {
        client: `whole 200 "${redacted}"`,
        trailers: withTrailers,
        parts: "qh sh sb st",
        body: looked("streamed", { changes: 5, response_bytes: letters.length }),
      },
      closed: {
        client: 'whole 451 "closed"',
        trailers: {},
        parts: "qh sh sb st",
        body: refusedBy("closed", "denied_by_policy"),
        outcome: "denied",
      },
    },
  },
  {
    name: "trailers of HTTP/1.1 after no body",
    ask: {
      ...post,
      pieces: [],
      trailers: withTrailers,
      reply: { status: 200, size: "none", headers: text, trailers: withTrailers },
    },
    expect: {
      masked: { client: 'whole 200 ""', trailers: withTrailers, parts: "qh sh st", body: looked("masked") },
      streamed: {
        client: 'whole 200 ""',
        trailers: withTrailers,
        parts: "qh sh st",
        body: looked("streamed"),
      },
    },
  },
  ...[false, true].flatMap((isHttp2) =>
    [7, 7000].map((total): Special => {
      const up = isHttp2 ? { "x-up": "http2" } : {};
      return {
        name: `an order of ${total} with trailers over ${isHttp2 ? "HTTP/2" : "HTTP/1.1"}`,
        ask: {
          isHttp2,
          method: "POST",
          headers: { "content-type": "application/json", ...up },
          pieces: [Buffer.from(JSON.stringify({ total }))],
          trailers: withTrailers,
        },
        expect: {
          orders:
            total > 1000
              ? {
                  client: 'whole 403 "access denied"',
                  parts: "qh qb",
                  body: refusedBy("orders", "denied_by_policy", "request"),
                  outcome: "denied",
                }
              : {
                  client: 'whole 200 ""',
                  headers: untouched,
                  parts: "qh qb qt",
                  body: looked("orders", { request_bytes: 11 }),
                },
        },
      };
    }),
  ),
];
