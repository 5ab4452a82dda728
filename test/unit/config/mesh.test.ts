import { describe, expect, it } from "vitest";
import type { Mesh } from "../../../src/config/index.js";
import { defaultMesh, parseMesh } from "../../../src/config/mesh.js";
import type { Parsed } from "../../../src/documents/index.js";
import { parseDurationMs } from "../../../src/documents/index.js";

const parse = (spec: unknown): Parsed<Mesh> =>
  parseMesh({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "Mesh",
    name: "mesh",
    namespace: "default",
    annotations: new Map(),
    spec,
  });

const said = (spec: unknown): string[] =>
  parse(spec).findings.map(({ code, path }) => `${code.code} ${path.join(".")}`);

describe("a Mesh", () => {
  it("without a spec is what holds without a Mesh", () => {
    expect(parse(undefined)).toEqual({ spec: defaultMesh, findings: [] });
    expect(defaultMesh).toMatchObject({
      rootNamespace: "istio-system",
      trustDomain: "cluster.local",
      settings: {
        unknownWorkload: "refuseIfScoped",
        xff: { useRemoteAddress: false, numTrustedHops: 0 },
        defaultWorkload: undefined,
      },
    });
  });

  it("keeps what its providers are, which decides what a Telemetry may use them for", () => {
    const providers = [
      { name: "files", envoyFileAccessLog: { path: "/dev/stdout" } },
      { name: "lines", envoyOtelAls: { service: "collector", port: 4317 } },
      { name: "spans", opentelemetry: { service: "collector", port: 4317 } },
      { name: "numbers", prometheus: {} },
    ];
    const { spec = defaultMesh } = parse({ extensionProviders: providers });
    expect(spec.extensionProviders).toMatchObject(providers);
  });

  it("may have an empty root namespace and trust domain", () => {
    expect(parse({ rootNamespace: "", trustDomain: "" }).spec).toMatchObject({
      rootNamespace: "",
      trustDomain: "",
    });
  });

  it("says how listeners read x-forwarded-for, by type of workload", () => {
    const { spec } = parse({ xff: { numTrustedHops: 1, perType: { gateway: { useRemoteAddress: true } } } });
    expect(spec?.settings.xff).toEqual({ useRemoteAddress: false, numTrustedHops: 1 });
    expect(spec?.settings.xffPerType).toEqual({ gateway: { useRemoteAddress: true } });
  });

  it("may name the workload of requests that name none", () => {
    const { spec } = parse({
      defaultWorkload: { namespace: "shop", labels: { app: "web" }, services: [{ name: "web" }] },
    });
    expect(spec?.settings.defaultWorkload).toEqual({
      namespace: "shop",
      name: "",
      type: "sidecar",
      labels: new Map([["app", "web"]]),
      services: [{ name: "web", namespace: "shop", host: "" }],
    });
  });

  it.each([
    [{ rootNamspace: "x" }, "GH0101 spec.rootNamspace"],
    [{ xff: { perType: { ingress: {} } } }, "GH0101 spec.xff.perType.ingress"],
    [{ unknownWorkload: "allow" }, "GH0103 spec.unknownWorkload"],
    [{ xff: { numTrustedHops: -1 } }, "GH0108 spec.xff.numTrustedHops"],
    [{ strictRequests: "yes" }, "GH0102 spec.strictRequests"],
    [{ defaultWorkload: { labels: {} } }, "GH0104 spec.defaultWorkload.namespace"],
  ])("with %j is refused", (spec, finding) => {
    expect(parse(spec).spec).toBeUndefined();
    expect(said(spec)).toEqual([finding]);
  });

  it.each([
    ["authz.local", true],
    ["infra/authz.infra.svc.cluster.local", true],
    ["10.0.0.1", true],
    ["::1", true],
    ["10.0.0.1:9000", false],
    ["authz.local:9000", false],
    ["infra/::1", false],
    ["http://authz.local", false],
  ])("names an authorizer by host or address alone: %s", (service, good) => {
    const provider = { name: "a", envoyExtAuthzGrpc: { service, port: 9000 } };
    const findings = good ? [] : ["GH0108 spec.extensionProviders.0.envoyExtAuthzGrpc.service"];
    expect(said({ extensionProviders: [provider] })).toEqual(findings);
  });

  it("says where connections to providers may go", () => {
    const egress = { allowHosts: ["*.shop.svc"], allowCidrs: ["10.0.0.0/8"], denyPrivate: true };
    expect(parse({ egress }).spec).toMatchObject({ egress });
    expect(said({ egress: { allowCidrs: ["10.0.0.0/33"] } })).toEqual(["GH0108 spec.egress.allowCidrs.0"]);
  });

  it("says which headers name the caller's certificate, and who may send them", () => {
    const clientCertHeaders = {
      headers: ["x-forwarded-client-cert", "client-cert"],
      trustedPeers: ["10.1.2.3/8", "::1", "spiffe://cluster.local/ns/edge/sa/proxy", "spiffe://td.example"],
    };
    const { spec, findings } = parse({ clientCertHeaders });
    expect(findings).toEqual([]);
    expect(spec?.settings.clientCertHeaders).toEqual({
      headers: ["x-forwarded-client-cert", "client-cert"],
      trustedRanges: [
        { family: 4, words: [0x0a000000], masks: [-0x1000000] },
        { family: 6, words: [0, 0, 0, 1], masks: [-1, -1, -1, -1] },
      ],
      trustedIds: ["spiffe://cluster.local/ns/edge/sa/proxy", "spiffe://td.example"],
    });
    expect(structuredClone(spec)).toEqual(spec);
    expect(defaultMesh.settings.clientCertHeaders).toBeUndefined();
  });

  it.each([
    [{ headers: ["client-cert"] }, "GH0306 spec.clientCertHeaders"],
    [{ trustedPeers: ["10.0.0.0/8"] }, "GH0306 spec.clientCertHeaders"],
  ])("with half of clientCertHeaders, %j, is told that it has no effect", (clientCertHeaders, finding) => {
    expect(said({ clientCertHeaders })).toEqual([finding]);
    expect(parse({ clientCertHeaders }).spec?.settings.clientCertHeaders).toBeUndefined();
  });

  it.each(["0.0.0.0/0", "10.0.0.1/0", "::/0"])("that trusts %s is told that everybody is", (range) => {
    const clientCertHeaders = { headers: ["client-cert"], trustedPeers: ["10.0.0.0/8", range] };
    expect(said({ clientCertHeaders })).toEqual(["GH0308 spec.clientCertHeaders.trustedPeers.1"]);
    expect(parse({ clientCertHeaders }).spec).toBeDefined();
  });

  it.each<[object, string]>([
    [{ headers: ["x-client-cert"] }, "GH0103 spec.clientCertHeaders.headers.0"],
    [{ headers: ["client-cert-chain"] }, "GH0103 spec.clientCertHeaders.headers.0"],
    ...["10.0.0.0/33", "proxy.example", "", "*", "spiffe://", "spiffe://td/ns/*/sa/x", "spiffe://td//x"].map(
      (peer): [object, string] => [{ trustedPeers: [peer] }, "GH0108 spec.clientCertHeaders.trustedPeers.0"],
    ),
    [{ headers: "client-cert" }, "GH0102 spec.clientCertHeaders.headers"],
  ])("with clientCertHeaders %j is refused", (clientCertHeaders, finding) => {
    expect(said({ clientCertHeaders })).toEqual([finding]);
    expect(parse({ clientCertHeaders }).spec).toBeUndefined();
  });
});

describe("an extension provider", () => {
  const grpc = { service: "authz.shop.svc", port: 9000 };
  const at = "spec.extensionProviders.0";

  it("has Istio's fields, with a deadline of 5 s unless it says otherwise", () => {
    const { spec, findings } = parse({
      extensionProviders: [
        { name: "a", envoyExtAuthzGrpc: grpc },
        {
          name: "b",
          envoyExtAuthzHttp: {
            ...grpc,
            timeout: "1.5s",
            failOpen: true,
            statusOnError: "503",
            pathPrefix: "/check",
            includeRequestHeadersInCheck: ["x-a", "x-b*"],
            includeAdditionalHeadersInCheck: { "x-c": "d" },
            includeRequestBodyInCheck: { maxRequestBytes: 1024 },
          },
        },
      ],
    });
    expect(findings).toEqual([]);
    expect(spec?.extensionProviders).toMatchObject([
      { name: "a", envoyExtAuthzGrpc: { timeout: 5000, failOpen: false } },
      {
        name: "b",
        envoyExtAuthzHttp: {
          timeout: 1500,
          headersToUpstreamOnAllow: [],
          includeRequestBodyInCheck: {
            maxRequestBytes: 1024,
            allowPartialMessage: false,
            packAsBytes: false,
          },
        },
      },
    ]);
  });

  it.each([
    [{ name: "a" }, `GH0303 ${at}`],
    [{ name: "a", zipkin: { service: "x", port: 1 } }, `GH0303 ${at}`],
  ])("%j that cannot be asked is a warning", (entry, finding) => {
    expect(said({ extensionProviders: [entry] })).toEqual([finding]);
    expect(parse({ extensionProviders: [entry] }).spec?.extensionProviders).toHaveLength(1);
  });

  it.each([
    [[{ name: "a", envoyExtAuthzGrpc: { ...grpc, timeout: "5" } }], `GH0108 ${at}.envoyExtAuthzGrpc.timeout`],
    [[{ name: "a", envoyExtAuthzGrpc: { ...grpc, port: 0 } }], `GH0108 ${at}.envoyExtAuthzGrpc.port`],
    [
      [{ name: "a", envoyExtAuthzGrpc: { ...grpc, pathPrefix: "/" } }],
      `GH0101 ${at}.envoyExtAuthzGrpc.pathPrefix`,
    ],
    [[{ name: "a", envoyExtAuthzGrpc: grpc, envoyExtAuthzHttp: grpc }], `GH0108 ${at}`],
    [[{ name: "A", envoyExtAuthzGrpc: grpc }], `GH0108 ${at}.name`],
    [
      [
        { name: "a", envoyExtAuthzGrpc: grpc },
        { name: "a", envoyExtAuthzGrpc: grpc },
      ],
      "GH0304 spec.extensionProviders.1.name",
    ],
  ])("%j is refused", (entries, finding) => {
    expect(said({ extensionProviders: entries })).toEqual([finding]);
    expect(parse({ extensionProviders: entries }).spec).toBeUndefined();
  });
});

describe("a duration", () => {
  it.each([
    ["10s", 10_000],
    ["1.5s", 1500],
    ["100ms", 100],
    ["1m30s", 90_000],
    ["0s", undefined],
    ["0.5ms", undefined],
    ["5", undefined],
    ["-1s", undefined],
    ["9999h", undefined],
    ["", undefined],
  ])("`%s` is %s milliseconds", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });
});
