import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision, Snapshot } from "../../../../src/engine/index.js";
import type { AuthorizationPolicy } from "../../../../src/istio/index.js";
import { loadProtos } from "../../../../src/server/protos.js";
import { aRule as aJwtRule, anAuthentication, aSigner } from "../../../support/tokens.js";
import { aSnapshot, verdict } from "../../engine/snapshots.js";
import { aPolicy } from "../../istio/policies.js";
import { asked, type Described, opened, viaExtAuthz } from "./described.js";

const signer = aSigner("k");
const token = signer.token();

function shown(decision: Decision | undefined): unknown {
  if (decision === undefined) return undefined;
  const { decisionId: _id, attributes, ...rest } = decision;
  return { ...rest, path: attributes?.request?.path, auth: attributes?.auth };
}

/** Both protocols' decisions, and answers as far as the client sees them. */
async function both(snapshot: Snapshot, described: Described) {
  const authz = await viaExtAuthz(snapshot, described);
  const proc = opened(snapshot);
  const { immediate, mutation } = await asked(proc, described);
  const denied = authz.response.denied_response;
  const { ok_response: ok } = authz.response;
  return {
    authz: {
      decision: shown(authz.decisions[0]),
      denied: denied && {
        status: denied.status?.code ?? 0,
        body: denied.body ?? "",
        headers: (denied.headers ?? []).map(({ header }) => [header?.key?.toLowerCase(), header?.value]),
      },
      set: new Map((ok?.headers ?? []).map(({ header }) => [header?.key, header?.value])),
      removed: ok?.headers_to_remove ?? [],
    },
    proc: {
      decision: shown(proc.decisions[0]),
      denied: immediate && {
        status: immediate.httpStatus,
        body: Buffer.from(immediate.body).toString(),
        headers: immediate.headers.map(({ name, value }) => [name, value]),
      },
      set: new Map((mutation?.set ?? []).map(({ name, value }) => [name, value])),
      removed: mutation?.remove ?? [],
    },
    errors: proc.errors,
  };
}

const some = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

const sources = fc.record(
  {
    ipBlocks: some(["10.0.0.0/8"], ["10.1.2.3"], ["2001:db8::/32"]),
    notIpBlocks: some(["10.1.0.0/16"], ["192.0.2.0/24"]),
    remoteIpBlocks: some(["203.0.113.0/24"], ["10.0.0.0/8"]),
    requestPrincipals: some(["https://a/alice"], ["*"]),
    notRequestPrincipals: some(["https://a/alice"], ["*"]),
    principals: some(["*"], ["cluster.local/ns/a/sa/b"]),
    notPrincipals: some(["*"]),
  },
  { requiredKeys: [] },
);
const operations = fc.record(
  {
    paths: some(["/a*"], ["/b", "/a"], ["*"]),
    notPaths: some(["/b*"]),
    methods: some(["GET"], ["POST"]),
    hosts: some(["a.example"], ["*.example:81"]),
    ports: some(["8080"], ["9090"]),
  },
  { requiredKeys: [] },
);
const conditions = some(
  { key: "request.headers[x-a]", values: ["1*"], notValues: [] },
  { key: "request.auth.claims[iss]", values: ["https://a"], notValues: [] },
  { key: "connection.sni", values: ["sni.example"], notValues: [] },
  { key: "destination.ip", values: ["10.9.0.0/16"], notValues: [] },
  { key: "source.ip", values: [], notValues: ["10.1.2.3"] },
);

const policies: fc.Arbitrary<AuthorizationPolicy> = fc
  .record({
    name: some("p", "q"),
    dryRun: some(false, false, true),
    action: some("ALLOW", "DENY", "AUDIT" as const),
    rules: fc.array(
      fc.record({
        from: fc.array(sources, { maxLength: 2 }),
        to: fc.array(operations, { maxLength: 2 }),
        when: fc.array(conditions, { maxLength: 1 }),
      }),
      { maxLength: 2 },
    ),
  })
  .map((changes) => aPolicy(changes as Partial<AuthorizationPolicy>));

const requests: fc.Arbitrary<Described> = fc.record({
  peer: some("10.1.2.3", "192.0.2.7", "2001:db8::1"),
  method: some("GET", "POST"),
  host: some("a.example", "b.example:81"),
  path: some("/", "/a?x=1", "/b", "/a#f"),
  port: some(8080, 9090),
  sni: some("", "SNI.example"),
  headers: fc.array(
    some(
      ["x-a", "12"] as const,
      ["x-a", "\xff\x00"] as const,
      ["x-forwarded-for", "203.0.113.9"] as const,
      ["x-forwarded-for", "10.0.0.1, 198.51.100.3"] as const,
      ["authorization", `Bearer ${token}`] as const,
      ["authorization", "Bearer e30.e30.e30"] as const,
    ),
    { maxLength: 4 },
  ),
});

describe("a request on ext_proc", () => {
  it("gets the decision, the edits and the refusal that it gets on ext_authz", async () => {
    const authn = anAuthentication({
      rules: [aJwtRule(signer, { outputPayloadToHeader: "x-payload", forwardOriginalToken: false })],
    });
    await fc.assert(
      fc.asyncProperty(fc.array(policies, { maxLength: 3 }), requests, async (some, described) => {
        const { authz, proc, errors } = await both(aSnapshot({ policies: some, authn }), described);
        expect(errors).toEqual([]);
        expect(proc).toEqual(authz);
      }),
      { numRuns: 300 },
    );
  });

  it("has a provider's refusal with its status, body and headers", async () => {
    const snapshot = aSnapshot({
      own: [
        {
          ref: { key: "k", policy: "foo/rego", rule: undefined },
          provider: () =>
            verdict({
              allowed: false,
              httpStatus: 418,
              body: "no tea",
              edits: {
                requestHeaders: [],
                requestHeadersToRemove: [],
                responseHeaders: [
                  { name: "X-Why", value: "tea", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
                  { name: "set-cookie", value: "a", action: "APPEND_IF_EXISTS_OR_ADD" },
                ],
                queryParametersToSet: [],
                queryParametersToRemove: [],
              },
            }),
        },
      ],
    });
    const { authz, proc } = await both(snapshot, {});
    expect(proc).toEqual(authz);
    expect(proc.denied).toEqual({
      status: 418,
      body: "no tea",
      headers: [
        ["x-why", "tea"],
        ["set-cookie", "a"],
      ],
    });
  });

  it("shows a provider the CheckRequest that ext_authz would have sent", async () => {
    const seen: Uint8Array[] = [];
    const snapshot = aSnapshot({
      own: [
        {
          ref: { key: "k", policy: "foo/rego", rule: undefined },
          provider: ({ original }) => {
            seen.push(original);
            return verdict();
          },
        },
      ],
    });

    const initialMetadata = new Map([
      ["gatehouse-destination-namespace", "foo"],
      ["gatehouse-destination-labels", "app=web,a%2Fb=c"],
    ]);
    const told = {
      "connection.mtls": true,
      "connection.subject_peer_certificate": "CN=x",
      "connection.uri_san_peer_certificate": "spiffe://td/ns/a/sa/b",
    };
    await asked(opened(snapshot, { initialMetadata }), {
      path: "/x?y",
      headers: [
        ["x-a", "1"],
        ["x-a", "2"],
      ],
      told,
    });
    expect(loadProtos().check.requestDeserialize(Buffer.from(seen[0] ?? []))).toMatchObject({
      attributes: {
        source: {
          address: { socket_address: { address: "10.1.2.3", port_value: 4000 } },
          principal: "spiffe://td/ns/a/sa/b",
        },
        destination: { address: { socket_address: { address: "10.9.9.9", port_value: 8080 } } },
        request: {
          time: { seconds: { low: 1_787_227_200 } },
          http: {
            method: "GET",
            path: "/x?y",
            host: "a.example",
            scheme: "http",
            protocol: "HTTP/1.1",
            headers: { "x-a": "1,2", ":path": "/x?y" },
          },
        },
        context_extensions: {
          "destination.namespace": "foo",
          "destination.labels[app]": "web",
          "destination.labels[a/b]": "c",
        },
      },
    });
  });

  it("changes the query by the whole path, since ext_proc knows no other way", async () => {
    const edits = {
      requestHeaders: [{ name: "x-b", value: "1", action: "ADD_IF_ABSENT" as const }],
      requestHeadersToRemove: ["x-gone"],
      responseHeaders: [{ name: "x-r", value: "1", action: "ADD_IF_ABSENT" as const }],
      queryParametersToSet: [["a", "2"] as const],
      queryParametersToRemove: ["b"],
    };
    const snapshot = aSnapshot({
      own: [{ ref: { key: "k", policy: "foo/r", rule: undefined }, provider: () => verdict({ edits }) }],
    });
    const open = opened(snapshot);
    const outcome = await asked(open, { path: "/p?a=1&b=3&c=4", headers: [["x-gone", "1"]] });
    expect(outcome.mutation?.remove).toEqual(["x-gone"]);
    expect(outcome.mutation?.set.map(({ name, value }) => [name, value])).toEqual([
      ["x-b", "1"],
      [":path", "/p?c=4&a=2"],
    ]);
    expect(outcome.response.head).toBe(true);
    const response = await open.exchange.responseHeaders(
      new Map([
        [":status", ["200"]],
        ["x-r", ["0"]],
      ]),
      true,
    );
    expect(response.mutation).toBeUndefined();
    const bare = await open.exchange.responseHeaders(new Map([[":status", ["200"]]]), true);
    expect(bare.mutation?.set).toEqual([{ name: "x-r", value: "1", action: "OVERWRITE_IF_EXISTS_OR_ADD" }]);
  });
});
