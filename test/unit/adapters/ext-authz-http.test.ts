import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { createHttpProvider, type HttpProviderOptions } from "../../../src/adapters/ext-authz-http.js";
import type { HttpAnswer, HttpQuestion } from "../../../src/adapters/http.js";
import { GatehouseError } from "../../../src/diagnostics/index.js";
import type { Verdict } from "../../../src/engine/index.js";
import { anHttpRequest, aQuestion } from "../../support/provider-question.js";

const basic: HttpProviderOptions = {
  protocol: "http",
  name: "p",
  host: "authz.example",
  port: 8000,
  failOpen: false,
  statusOnError: 403,
  pathPrefix: "",
  includeRequestHeaders: [],
  additionalHeaders: [],
  headersToUpstreamOnAllow: [],
  headersToDownstreamOnAllow: [],
  headersToDownstreamOnDeny: [],
};

interface Asked {
  readonly verdict: Verdict;
  readonly question: HttpQuestion | undefined;
}

async function ask(
  options: Partial<HttpProviderOptions>,
  request: Parameters<typeof anHttpRequest>[0] = {},
  answer: Partial<HttpAnswer> | Error = {},
): Promise<Asked> {
  let question: HttpQuestion | undefined;
  const client = {
    send: async (sent: HttpQuestion): Promise<HttpAnswer> => {
      question = sent;
      if (answer instanceof Error) throw answer;
      return { status: 200, headers: [], body: Buffer.alloc(0), ...answer };
    },
    close: async () => {},
  };
  const provider = createHttpProvider({ ...basic, ...options }, client);
  const verdict = await provider.ask(aQuestion(anHttpRequest(request)));
  return { verdict, question };
}

describe("the question", () => {
  test("has the request's method, host, path with query and authorization, and a prefix when there is one", async () => {
    const request = {
      method: "PURGE",
      path: "//a;b/%2e%2e?x=/../y",
      headers: { authorization: "Bearer t", "x-no": "1" },
    };
    const { question } = await ask({ pathPrefix: "/check" }, request);
    expect(question).toMatchObject({
      origin: { scheme: "http", host: "authz.example", port: 8000 },
      method: "PURGE",
      path: "/check//a;b/%2e%2e?x=/../y",
      timeoutMs: 5000,
    });
    expect([...(question?.headers ?? [])]).toEqual([
      ["host", "shop.example"],
      ["authorization", "Bearer t"],
    ]);
  });

  test("shows headers by name, prefix and suffix in any case, lines joined, and ours in place of the client's", async () => {
    const { question } = await ask(
      {
        includeRequestHeaders: ["X-Exact", "x-p*", "*-TAIL"],
        additionalHeaders: [
          ["X-Exact", "ours"],
          ["x-more", "m"],
        ],
      },
      { headers: { "x-exact": "client", "x-p1": ["a", "b"], x_p2: "no", "a-tail": "t", constructor: "c" } },
    );
    expect([...(question?.headers ?? [])]).toEqual([
      ["host", "shop.example"],
      ["x-exact", "ours"],
      ["x-p1", "a,b"],
      ["a-tail", "t"],
      ["x-more", "m"],
    ]);
  });

  test("never shows what belongs to the connection", async () => {
    const headers = {
      connection: "x",
      te: "trailers",
      "transfer-encoding": "chunked",
      "content-length": "9",
      upgrade: "h2c",
      expect: "100-continue",
      "accept-encoding": "gzip",
      host: "other",
      ":scheme": "http",
    };
    const { question } = await ask({ includeRequestHeaders: ["*"] }, { headers });
    expect([...(question?.headers.keys() ?? [])]).toEqual(["host"]);
  });

  test("has a body only where one is asked for", async () => {
    const body = Buffer.from("hello");
    expect((await ask({}, { body })).question?.body.byteLength).toBe(0);
    const includeRequestBody = { maxRequestBytes: 5, allowPartialMessage: false };
    const { question } = await ask({ includeRequestBody }, { body });
    expect(Buffer.from(question?.body ?? []).toString()).toBe("hello");
    expect(question?.headers.get("x-envoy-auth-partial-body")).toBe("false");
  });

  test("has the beginning of a body that is too long, or there is none and the answer is 413", async () => {
    const body = Buffer.from("hello");
    const partial = await ask(
      { includeRequestBody: { maxRequestBytes: 2, allowPartialMessage: true } },
      { body },
    );
    expect(Buffer.from(partial.question?.body ?? []).toString()).toBe("he");
    expect(partial.question?.headers.get("x-envoy-auth-partial-body")).toBe("true");
    const whole = { includeRequestBody: { maxRequestBytes: 2, allowPartialMessage: false }, failOpen: true };
    const refusal = await ask(whole, { body });
    expect(refusal).toMatchObject({ question: undefined, verdict: { allowed: false, httpStatus: 413 } });
    const cut = await ask(whole, {
      body: Buffer.from("h"),
      headers: { "x-envoy-auth-partial-body": "true" },
    });
    expect(cut).toMatchObject({ question: undefined, verdict: { allowed: false, httpStatus: 413 } });
  });
});

describe("the answer", () => {
  const lines: HttpAnswer["headers"] = [
    ["x-user", "a"],
    ["x-user", "b"],
    ["set-cookie", "c=1"],
    ["set-cookie", "c=2"],
    ["www-authenticate", "Basic"],
    ["location", "http://login/"],
    ["x-envoy-auth-headers-to-remove", "X-Secret, host,, cookie"],
    ["content-length", "4"],
    ["connection", "close"],
    ["host", "authz"],
  ];

  test("200 allows and passes on only what is named", async () => {
    expect(
      (await ask({}, {}, { headers: lines.filter(([name]) => name !== "x-envoy-auth-headers-to-remove") }))
        .verdict,
    ).toMatchObject({
      allowed: true,
      edits: { requestHeaders: [], requestHeadersToRemove: [], responseHeaders: [] },
    });
    const options = {
      headersToUpstreamOnAllow: ["X-User", "conn*", "content-*"],
      headersToDownstreamOnAllow: ["set-*"],
    };
    const { edits } = (await ask(options, {}, { headers: lines })).verdict;
    expect(edits.requestHeaders).toEqual([
      { name: "x-user", value: "a", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      { name: "x-user", value: "b", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ]);
    expect(edits.responseHeaders).toEqual([
      { name: "set-cookie", value: "c=1", action: "APPEND_IF_EXISTS_OR_ADD" },
      { name: "set-cookie", value: "c=2", action: "APPEND_IF_EXISTS_OR_ADD" },
    ]);
    expect(edits.requestHeadersToRemove).toEqual(["x-secret", "cookie"]);
  });

  test.each([201, 204, 302, 400, 401, 403, 429])(
    "%d refuses with that status, failOpen or not",
    async (status) => {
      const { verdict } = await ask({ failOpen: true }, {}, { status, body: Buffer.from("nö") });
      expect(verdict).toMatchObject({ allowed: false, failed: false, httpStatus: status, body: "nö" });
    },
  );

  test("of a refusal passes on all headers but host and framing, or those named, www-authenticate and location", async () => {
    const names = ({ verdict }: Asked) => verdict.edits.responseHeaders.map(({ name }) => name);
    expect(names(await ask({}, {}, { status: 401, headers: lines }))).toEqual([
      "x-user",
      "x-user",
      "set-cookie",
      "set-cookie",
      "www-authenticate",
      "location",
    ]);
    expect(
      names(await ask({ headersToDownstreamOnDeny: ["x-*"] }, {}, { status: 302, headers: lines })),
    ).toEqual(["x-user", "x-user", "www-authenticate", "location"]);
  });

  test("with a body that is no text refuses without it", async () => {
    const headers: HttpAnswer["headers"] = [
      ["content-encoding", "gzip"],
      ["content-type", "text/plain"],
      ["x-a", "1"],
    ];
    const { verdict } = await ask({}, {}, { status: 403, headers, body: Buffer.from([0x1f, 0x8b, 0xff]) });
    expect(verdict.body).toBe("");
    expect(verdict.edits.responseHeaders.map(({ name }) => name)).toEqual(["x-a"]);
  });
});

describe("a provider that cannot answer", () => {
  const timeout = new GatehouseError("timeout", "t");
  const broken = new GatehouseError("http", "h");

  test.each([
    ["5xx", { status: 500 }, 14],
    ["504", { status: 504 }, 14],
    ["a deadline", timeout, 4],
    ["a lost connection", broken, 14],
    ["a defect of ours", new TypeError("x"), 14],
  ])("(%s) refuses with statusOnError, or is passed by with failOpen", async (_what, answer, code) => {
    expect((await ask({ statusOnError: 503 }, {}, answer)).verdict).toMatchObject({
      allowed: false,
      failed: true,
      failedOpen: false,
      httpStatus: 503,
      code,
      body: "",
    });
    expect((await ask({ failOpen: true }, {}, answer)).verdict).toMatchObject({
      allowed: true,
      failed: true,
      failedOpen: true,
    });
  });

  test("because of what the client sent refuses even with failOpen", async () => {
    const refusal = { allowed: false, failed: true, failedOpen: false, httpStatus: 403 };
    expect((await ask({ failOpen: true }, {}, new GatehouseError("bad_request", "b"))).verdict).toMatchObject(
      refusal,
    );
    expect((await ask({ failOpen: true, pathPrefix: "/check" }, { path: "" })).verdict).toMatchObject(
      refusal,
    );
  });
});
