import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { type Bootstrap, type Envoy, startEnvoy } from "../support/envoy.js";
import { type HttpAnswer, type HttpCall, send } from "../support/http.js";
import { type ConfigFolder, eventually, makeConfigFolder } from "../support/server-fixture.js";
import { type Received, startUpstream, type Upstream } from "../support/upstream.js";

/** One Envoy and one server; each test edits the one policy, as its author would while both run. */
const bootstrap = fileURLToPath(new URL("../../envoy/rego.yaml", import.meta.url));

let folder: ConfigFolder;
let server: RunningServer;
let upstream: Upstream;
let envoy: Envoy;

const closed = "package envoy.authz\n\nallow := false\n";

beforeAll(async () => {
  folder = makeConfigFolder();
  folder.write("policy.rego", closed);
  const options = { configPaths: [], regoPaths: [folder.path] };
  const addresses = { grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" };
  server = await startServer(
    { ...options, ...addresses },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  upstream = await startUpstream();
  const gatehouse = portOf(server.grpcAddress);
  envoy = await startEnvoy({
    bootstrap,
    clusters: { gatehouse, upstream: upstream.port },
    edit: addNeighbours,
  });
});
afterAll(async () => {
  await envoy?.stop();
  await server?.close();
  await upstream?.stop();
  folder?.remove();
});

interface Shape {
  static_resources: {
    listeners: {
      filter_chains: {
        filters: {
          typed_config: {
            http_filters: object[];
            route_config: { virtual_hosts: { routes: object[] }[] };
          };
        }[];
      }[];
    }[];
  };
}

/** A filter before that knows a tenant, a filter behind that refuses by the policy's metadata, and a second route. */
function addNeighbours(given: Bootstrap): void {
  const manager = (given as unknown as Shape).static_resources.listeners[0]?.filter_chains[0]?.filters[0];
  const { http_filters: filters, route_config: routing } = manager?.typed_config ?? {};
  const type = "type.googleapis.com/envoy.extensions.filters.http";
  filters?.unshift({
    name: "envoy.filters.http.header_to_metadata",
    typed_config: {
      "@type": `${type}.header_to_metadata.v3.Config`,
      request_rules: [
        {
          header: "x-tenant",
          on_header_present: { metadata_namespace: "envoy.filters.http.header_to_metadata", key: "tenant" },
        },
      ],
    },
  });
  const quarantined = {
    filter: "envoy.filters.http.ext_authz",
    path: [{ key: "area" }],
    value: { string_match: { exact: "quarantine" } },
  };
  filters?.splice(-1, 0, {
    name: "envoy.filters.http.rbac",
    typed_config: {
      "@type": `${type}.rbac.v3.RBAC`,
      rules: {
        action: "DENY",
        policies: { quarantine: { permissions: [{ metadata: quarantined }], principals: [{ any: true }] } },
      },
    },
  });
  routing?.virtual_hosts[0]?.routes.unshift({
    match: { prefix: "/elsewhere" },
    direct_response: { status: 200, body: { inline_string: "another route" } },
  });
}

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}

/** Saves the policy and waits until it decides. */
async function decideBy(rego: string): Promise<void> {
  const { generation } = server.configuration();
  folder.write("policy.rego", `package envoy.authz\n\n${rego}\n`);
  await eventually(() => server.configuration().generation > generation, true, 20_000);
}

interface Answer extends HttpAnswer {
  /** What the upstream got, if anything. */
  readonly got: Received | undefined;
}

async function ask(path: string, call: Partial<HttpCall> = {}): Promise<Answer> {
  const before = upstream.received.length;
  const answer = await send({ port: envoy.ports["http"] ?? 0, path, ...call });
  return { ...answer, got: upstream.received[before] };
}

function linesOf(got: Received | undefined, name: string): readonly string[] | undefined {
  return got?.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** The line of the access log that belongs to an answer. */
async function logged({ headers }: HttpAnswer): Promise<Record<string, unknown>> {
  const id = String(headers["x-request-id"]);
  const find = (): string | undefined =>
    envoy
      .logs()
      .split("\n")
      .find((line) => line.startsWith("{") && line.includes(id));
  await eventually(() => find() !== undefined, true);
  return JSON.parse(find() ?? "{}") as Record<string, unknown>;
}

describe("a policy that looks at the body", () => {
  const json = { "content-type": "application/json" };
  const post = (body: string, headers: HttpCall["headers"] = json): Promise<Answer> =>
    ask("/orders", { method: "POST", headers: { ...headers }, body });

  beforeAll(() => decideBy("default allow := false\nallow if input.parsed_body.amount <= 100"));

  test("decides by what the JSON says, and the upstream gets the same bytes", async () => {
    const small = await post('{"amount": 100.0}');
    expect(small.status).toBe(200);
    expect(small.got?.body).toBe('{"amount": 100.0}');
    expect((await post('{"amount": 100.01}')).status).toBe(403);
  });

  test("sees chunks as one body, and a form as lists", async () => {
    expect((await post('{"amount": 7}', { ...json, "transfer-encoding": "chunked" })).status).toBe(200);
    await decideBy('default allow := false\nallow if input.parsed_body == {"a": ["1", "2"], "b": ["x y"]}');
    const form = { "content-type": "application/x-www-form-urlencoded" };
    expect((await post("a=1&b=x+y&a=2", form)).status).toBe(200);
    expect((await post("a=1&b=x+y", form)).status).toBe(403);
  });

  test("sees that a body was cut, and the upstream gets it whole where the policy lets it pass", async () => {
    await decideBy("allow if {\n\tinput.truncated_body\n\tinput.parsed_body == null\n}");
    const body = JSON.stringify({ text: "x".repeat(100_000) });
    const long = await post(body);
    expect(long.status).toBe(200);
    expect(long.got?.body).toBe(body);
    expect(linesOf(long.got, "x-envoy-auth-partial-body")).toEqual([]);
  });

  test("is not asked about a body that is no JSON: 400", async () => {
    const broken = await post('{"amount": ');
    expect(broken).toMatchObject({ status: 400, got: undefined });
    expect(broken.body).toMatch(/^request_parse_error: /);
  });
});

describe("what an allowed request becomes", () => {
  test("a header with several values: Envoy sets one after the other, and the upstream gets the last", async () => {
    await decideBy('allow := {"allowed": true, "headers": {"x-tag": ["a", "b"], "x-user": "ada"}}');
    const { status, got } = await ask("/books", { headers: { "x-tag": ["of", "client"], "x-user": "eve" } });
    expect(status).toBe(200);
    expect(linesOf(got, "x-tag")).toEqual(["b"]);
    expect(linesOf(got, "x-user")).toEqual(["ada"]);
  });

  test("headers are removed, also one that is set by the same answer", async () => {
    await decideBy(
      'allow := {"allowed": true, "headers": {"x-b": "1"}, "request_headers_to_remove": ["x-a", "x-b", ":path"]}',
    );
    const { status, got } = await ask("/books", { headers: { "x-a": ["1", "2"], "x-c": "3" } });
    expect(status).toBe(200);
    expect(got?.path).toBe("/books");
    expect([linesOf(got, "x-a"), linesOf(got, "x-b"), linesOf(got, "x-c")]).toEqual([[], [], ["3"]]);
  });

  test("response headers are added, one line for each value", async () => {
    await decideBy(
      'allow := {"allowed": true, "response_headers_to_add": {"set-cookie": ["a=1", "b=2"], "x-by": "rego"}}',
    );
    const { headers } = await ask("/books");
    expect(headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(headers["x-by"]).toBe("rego");
  });

  test("query parameters are set, the last of several values wins, and removed; Envoy sorts all by name", async () => {
    await decideBy(`allow := {
	"allowed": true,
	"query_parameters_to_set": {"tenant": urlquery.encode("t&1"), "page": ["2", "3"]},
	"query_parameters_to_remove": ["debug"],
}`);
    const { got } = await ask("/books?debug=1&q=a%20b&tenant=of-client&debug");
    expect(got?.path).toBe("/books?page=3&q=a%20b&tenant=t%261");
  });

  test("names and values of query parameters are put and compared as they are: the policy has to escape", async () => {
    await decideBy(`allow := {
	"allowed": true,
	"query_parameters_to_set": {"tenant": "t&admin=1"},
	"query_parameters_to_remove": ["a b"],
}`);
    const { got } = await ask("/books?a%20b=1");
    expect(got?.path).toBe("/books?a%20b=1&tenant=t&admin=1");
  });

  test("the path is rewritten, with its query as it was written", async () => {
    await decideBy('allow := {"allowed": true, "headers": {":path": "/v2/books?edition=2"}}');
    expect((await ask("/books?edition=1")).got?.path).toBe("/v2/books?edition=2");
  });

  test("query parameters are put into the rewritten path, and what is set and removed is removed", async () => {
    await decideBy(`allow := {
	"allowed": true,
	"headers": {":path": "/v2?a=1"},
	"query_parameters_to_set": {"b": "2", "d": "4"},
	"query_parameters_to_remove": ["d"],
}`);
    expect((await ask("/books?c=3")).got?.path).toBe("/v2?a=1&b=2");
  });

  test("a rewritten path chooses the route again", async () => {
    await decideBy('allow := {"allowed": true, "headers": {":path": "/elsewhere"}}');
    expect(await ask("/books")).toMatchObject({ status: 200, body: "another route", got: undefined });
  });

  test.each([
    ["a header that belongs to the connection", '{"connection": "close"}'],
    ["a value with a line break", '{"x-a": "1\\r\\nx-admin: true"}'],
  ])("%s lets nothing through", async (_, headers) => {
    await decideBy(`allow := {"allowed": true, "headers": ${headers}}`);
    expect(await ask("/books")).toMatchObject({ status: 500, got: undefined });
  });
});

describe("refusals", () => {
  test("have the policy's own status, body and headers", async () => {
    await decideBy(`allow := {
	"allowed": false,
	"http_status": 429,
	"body": "{\\"error\\": \\"slow down\\"}",
	"headers": {"content-type": "application/json", "retry-after": "7", "set-cookie": ["a=1", "b=2"]},
}`);
    const answer = await ask("/books");
    expect(answer).toMatchObject({ status: 429, body: '{"error": "slow down"}', got: undefined });
    expect(answer.headers).toMatchObject({
      "content-type": "application/json",
      "retry-after": "7",
      "set-cookie": ["a=1", "b=2"],
    });
  });

  test("may be a redirect", async () => {
    await decideBy(
      'allow := {"allowed": false, "http_status": 302, "headers": {"location": "https://login.example/?to=%2Fbooks"}}',
    );
    const answer = await ask("/books");
    expect(answer).toMatchObject({ status: 302, got: undefined });
    expect(answer.headers.location).toBe("https://login.example/?to=%2Fbooks");
  });

  test("a query that cannot be read is a bad request, whatever the policy says", async () => {
    await decideBy("allow := true");
    expect(await ask("/books?a=1;b=2")).toMatchObject({ status: 400, got: undefined });
    expect(await ask("/books?a=%zz")).toMatchObject({ status: 400, got: undefined });
    expect((await ask("/books?a=1&b=2")).status).toBe(200);
  });

  test("an undefined decision lets nothing through", async () => {
    await decideBy('allow if input.attributes.request.http.method == "PUT"');
    expect(await ask("/books")).toMatchObject({ status: 500, body: "", got: undefined });
    expect((await ask("/books", { method: "PUT" })).status).toBe(200);
  });
});

describe("metadata", () => {
  const byArea = `area := input.parsed_path[0]

allow := {"allowed": area != "cellar", "dynamic_metadata": {"area": area, "floor": 2, "tags": ["a"]}}`;

  beforeAll(() => decideBy(byArea));

  test("of the policy is what a later filter decides by", async () => {
    expect((await ask("/books")).status).toBe(200);
    const refused = await ask("/quarantine/7");
    expect(refused).toMatchObject({ status: 403, body: "RBAC: access denied", got: undefined });
    expect(await logged(refused)).toMatchObject({
      area: "quarantine",
      details: "rbac_access_denied_matched_policy[quarantine]",
      decision: { allowed: true },
    });
  });

  test("and decision_id stand in the access log, of refusals too, and the server knows the decision", async () => {
    for (const [path, status] of [
      ["/books", 200],
      ["/cellar", 403],
    ] as const) {
      const answer = await ask(path);
      expect(answer.status).toBe(status);
      const line = await logged(answer);
      expect(line).toMatchObject({ area: path.slice(1), code: status, decision: { stage: "rego" } });
      const admin = await send({ port: portOf(server.adminAddress), path: "/decisions?limit=20" });
      expect(admin.body).toContain(String(line["decision_id"]));
      expect(line["decision_id"]).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    }
  });

  test("of a filter before is part of the input, and cannot be said by a header of the metadata's name", async () => {
    await decideBy(`default allow := false

allow if input.attributes.metadataContext.filterMetadata["envoy.filters.http.header_to_metadata"].tenant == "t1"`);
    expect((await ask("/books", { headers: { "x-tenant": "t1" } })).status).toBe(200);
    expect((await ask("/books", { headers: { tenant: "t1" } })).status).toBe(403);
  });
});

describe("a policy that is edited while Envoy runs", () => {
  test("decides the next request", async () => {
    for (const word of ["one", "two", "one"]) {
      await decideBy(`default allow := false\nallow if input.parsed_path == ["${word}"]`);
      expect([(await ask("/one")).status, (await ask("/two")).status]).toEqual(
        word === "one" ? [200, 403] : [403, 200],
      );
    }
  });

  test("and broken by it stays as it was, with a finding that names the line, until it is mended", async () => {
    await decideBy('allow := {"allowed": true, "response_headers_to_add": {"x-edit": "good"}}');
    folder.write("policy.rego", "package envoy.authz\n\nallow if {\n\tinput.user = \n}\n");
    await eventually(
      () => server.configuration().diagnostics.some(({ line }) => line === 5 || line === 4),
      true,
    );
    expect((await ask("/books")).headers["x-edit"]).toBe("good");
    await decideBy('allow := {"allowed": true, "response_headers_to_add": {"x-edit": "mended"}}');
    expect((await ask("/books")).headers["x-edit"]).toBe("mended");
    expect(server.configuration().diagnostics).toEqual([]);
  });
});
