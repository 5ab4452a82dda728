import { request as httpRequest } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../src/server/address.js";
import { servePages } from "../../src/server/admin.js";
import { createAdminGuard } from "../../src/server/admin-guard.js";
import type { ConfigState } from "../../src/server/configuration.js";
import { adminPages, type Observable, publicPages } from "../../src/server/pages.js";
import type { QuotaDesk } from "../../src/server/quota-desk.js";
import type { DecisionFilter, JoinedRecord } from "../../src/telemetry/index.js";

const state: ConfigState = {
  generation: 3,
  resources: new Map([
    [
      "security.istio.io/AuthorizationPolicy/shop/<b>",
      {
        generation: 2,
        resource: {
          id: "security.istio.io/AuthorizationPolicy/shop/<b>",
          kind: "AuthorizationPolicy",
          namespace: "shop",
          name: "<b>",
          origin: { file: "shop.yaml", line: 7 },
          hash: "h",
          spec: { secret: "hidden" },
        },
      },
    ],
  ]),
  diagnostics: [{ code: "GH0001", severity: "error", message: "m", file: "f", line: 1, column: 1 }],
  lastReload: { time: 0, result: "invalid" },
  lastError: undefined,
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const unknownQuota: QuotaDesk["find"] & QuotaDesk["reset"] = async () => ({ kind: "unknown", why: "none" });

async function serve(given: Partial<Observable> = {}, isPublic = false): Promise<string> {
  const observable: Observable = {
    configuration: () => state,
    notReady: () => [],
    warnings: () => ["mind the <gap>"],
    keys: () => [],
    metrics: async () => "gatehouse_checks_total 1\n",
    decisions: async () => [],
    quota: { find: unknownQuota, reset: unknownQuota },
    version: "1.2.3",
    ...given,
  };
  const address = parseAddress("127.0.0.1:0");
  const server = await servePages({
    address,
    pages: isPublic ? publicPages(observable) : adminPages(observable),
    guard: isPublic ? () => undefined : createAdminGuard({ address, hosts: [], tokenFile: undefined }),
    onError: () => {},
  });
  closers.push(server.close);
  return formatAddress(server.address);
}

interface Answer {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

function get(
  address: string,
  path: string,
  method = "GET",
  headers: Record<string, string> = {},
): Promise<Answer> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, path, method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode, type: response.headers["content-type"], body }),
      );
    });
    request.on("error", reject).end();
  });
}

describe("the admin pages", () => {
  it("show the configuration with file, line and generation, and nothing of what a resource says", async () => {
    const { body } = await get(await serve(), "/config");
    expect(JSON.parse(body)).toEqual({
      generation: 3,
      last_reload: { time: "1970-01-01T00:00:00.000Z", result: "invalid", error: null },
      diagnostics: state.diagnostics,
      resources: [
        {
          id: "security.istio.io/AuthorizationPolicy/shop/<b>",
          kind: "AuthorizationPolicy",
          namespace: "shop",
          name: "<b>",
          file: "shop.yaml",
          line: 7,
          generation: 2,
        },
      ],
    });
    expect(body).not.toContain("hidden");
  });

  it("hand filters to the decisions and show times as RFC 3339", async () => {
    const filters: DecisionFilter[] = [];
    const decisions = async (filter: DecisionFilter): Promise<JoinedRecord[]> => {
      filters.push(filter);
      return [{ time: 0, decision_id: "d" } as JoinedRecord];
    };
    const address = await serve({ decisions });
    const { body } = await get(address, "/decisions?denied=true&policy=shop/deny&limit=5");
    expect(filters).toEqual([{ denied: true, policy: "shop/deny", limit: 5 }]);
    expect(JSON.parse(body)).toEqual({ decisions: [{ time: "1970-01-01T00:00:00.000Z", decision_id: "d" }] });
  });

  it.each(["/decisions?denied=maybe", "/decisions?limit=-1", "/decisions?limit=x"])(
    "refuse %s",
    async (path) => {
      expect((await get(await serve(), path)).status).toBe(400);
    },
  );

  it("say whether traffic may come", async () => {
    expect(await get(await serve(), "/readyz")).toMatchObject({ status: 200 });
    const notReady = await get(await serve({ notReady: () => ["draining"] }), "/readyz");
    expect(notReady.status).toBe(503);
    expect(JSON.parse(notReady.body)).toEqual({
      ready: false,
      reasons: ["draining"],
      warnings: ["mind the <gap>"],
    });
  });

  it("have metrics in Prometheus' form", async () => {
    expect(await get(await serve(), "/metrics")).toEqual({
      status: 200,
      type: "text/plain; version=0.0.4; charset=utf-8",
      body: "gatehouse_checks_total 1\n",
    });
  });

  it("send long metrics as they are made, and make no more for a reader who has gone", async () => {
    let made = 0;
    let ended: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      ended = resolve;
    });
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) {
          made += 1;
          yield `${"x".repeat(65_536)}\n`;
        }
      } finally {
        ended();
      }
    }
    const [host, port] = (await serve({ metrics: async () => endless() })).split(":");
    const request = httpRequest({ host, port, path: "/metrics" }, (response) => {
      response.once("data", () => request.destroy());
    });
    request.on("error", () => {}).end();
    await over;
    expect(made).toBeGreaterThan(0);
  });

  it("have an index in which nothing is taken for markup, with links that lead somewhere", async () => {
    const address = await serve();
    const { body, type } = await get(address, "/");
    expect(type).toBe("text/html; charset=utf-8");
    expect(body).toContain("mind the &#60;gap&#62;");
    const links = [...body.matchAll(/href="([^"]+)"/g)].map(([, link = ""]) => link.replaceAll("&#38;", "&"));
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect((await get(address, link)).status).toBe(200);
  });

  it.each(["POST", "PUT", "DELETE", "OPTIONS"])("answer 405 to %s", async (method) => {
    expect((await get(await serve(), "/config", method)).status).toBe(405);
  });

  it("answer HEAD without a body", async () => {
    expect(await get(await serve(), "/version", "HEAD")).toMatchObject({ status: 200, body: "" });
  });

  it("answer 404 to what is no page", async () => {
    for (const path of ["/nothing", "/__proto__", "/constructor", "//config", "/config/", "*"]) {
      expect((await get(await serve(), path)).status).toBe(404);
    }
  });

  it("refuse a foreign Host header", async () => {
    expect((await get(await serve(), "/config", "GET", { host: "evil.example.com" })).status).toBe(403);
  });

  it("go on after a page has failed", async () => {
    const address = await serve({ metrics: () => Promise.reject(new Error("broken")) });
    expect(await get(address, "/metrics")).toMatchObject({ status: 500, body: "internal error\n" });
    expect((await get(address, "/version")).status).toBe(200);
  });
});

describe("the public port", () => {
  it("has metrics and health under any Host header, and nothing else", async () => {
    const address = await serve({}, true);
    for (const path of ["/metrics", "/healthz", "/readyz"]) {
      expect((await get(address, path, "GET", { host: "gatehouse.example.com" })).status).toBe(200);
    }
    for (const path of ["/", "/config", "/decisions", "/version", "/quota", "/quota/reset"])
      expect((await get(address, path)).status).toBe(404);
  });
});
