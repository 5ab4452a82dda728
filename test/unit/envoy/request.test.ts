import { describe, expect, it } from "vitest";
import type { Attributes } from "../../../src/attributes/index.js";
import type { MeshSettings } from "../../../src/engine/index.js";
import { createRequestReader } from "../../../src/envoy/index.js";
import { remoteIp } from "../../../src/envoy/remote-ip.js";
import type { AttributeContext__Output, HttpRequest__Output } from "../../../src/proto/index.js";
import { makeAuthority, spiffe } from "../../support/certificates.js";
import { fastestMs } from "../../support/cost.js";

const mesh: MeshSettings = {
  unknownWorkload: "refuseIfScoped",
  strictRequests: false,
  customSeesIdentity: false,
  envoyJwtPayloadKey: undefined,
  xff: { useRemoteAddress: false, numTrustedHops: 0 },
  xffPerType: {},
  defaultWorkload: undefined,
};

function read(attributes: AttributeContext__Output, settings: Partial<MeshSettings> = {}): Attributes {
  return createRequestReader()({ attributes }, { ...mesh, ...settings });
}

function readHttp(http: HttpRequest__Output): NonNullable<Attributes["request"]> {
  const { request } = read({ request: { http } });
  if (request === undefined) throw new Error("no request");
  return request;
}

const address = (ip: string, port: number) => ({
  address: { socket_address: { address: ip, port_value: port } },
});

describe("a CheckRequest", () => {
  it("without anything in it is a TCP request of nobody", () => {
    expect(createRequestReader()({}, mesh)).toMatchObject({
      protocol: "tcp",
      request: undefined,
      remoteIp: undefined,
      tls: false,
    });
  });

  it("of HTTP without path, host or method has empty ones", () => {
    expect(readHttp({})).toMatchObject({ path: "", urlPath: "", host: "", method: "", size: -1 });
  });

  it("keeps every line and every byte of raw headers, and twins apart", () => {
    const line = (key: string, value: string) => ({ key, raw_value: Buffer.from(value, "latin1") });
    const headers = [
      line("X-A", "1"),
      line("x-a", "\xff\xfe"),
      line("x_a", "3"),
      line("__proto__", "p"),
      line("constructor", "c"),
    ];
    const request = readHttp({ header_map: { headers } });
    expect([...request.headers]).toEqual([
      ["x-a", ["1", "\xff\xfe"]],
      ["x_a", ["3"]],
      ["__proto__", ["p"]],
      ["constructor", ["c"]],
    ]);
  });

  it("falls back to the joined headers, as the bytes of their UTF-8", () => {
    expect(readHttp({ headers: { "x-a": "é" } }).headers.get("x-a")).toEqual(["\xc3\xa9"]);
  });

  it("cuts the path at the first question mark or hash and changes nothing else", () => {
    expect(readHttp({ path: "//a/%2e;x/../b?c=/d" })).toMatchObject({
      path: "//a/%2e;x/../b?c=/d",
      urlPath: "//a/%2e;x/../b",
    });
    expect(readHttp({ path: "/a#b?c" }).urlPath).toBe("/a");
    expect(readHttp({ path: "//admin" }).headers.get(":path")).toEqual(["//admin"]);
  });

  it("takes the body in whichever form it came", () => {
    expect([...readHttp({ body: "é" }).body]).toEqual([0xc3, 0xa9]);
    expect([...readHttp({ raw_body: Buffer.from([1, 2]) }).body]).toEqual([1, 2]);
  });

  it("lower-cases the SNI, and tells TLS by what only TLS has", () => {
    expect(read({ tls_session: { sni: "A.Example" } })).toMatchObject({ sni: "a.example", tls: true });
    expect(read({ tls_session: {} }).tls).toBe(false);
    expect(read({ destination: { principal: "spiffe://td/ns/a/sa/b" } }).tls).toBe(true);
  });

  it("reads a certificate's names, and says why when there are none to read", () => {
    const certificate = encodeURIComponent(makeAuthority().issue(spiffe("web", "w")).cert);
    expect(read({ source: { certificate } }).identity?.names[0]).toBe("spiffe://cluster.local/ns/web/sa/w");
    const { identity, identityFault } = read({ source: { certificate: "garbage" } });
    expect(identity).toBeUndefined();
    expect(identityFault?.message).toBe("client certificate cannot be read");
  });

  it("gives metadata by namespace, as JSON", () => {
    const fields = {
      list: { listValue: { values: [{ stringValue: "a" }, { numberValue: 1 }] } },
      deep: { structValue: { fields: { yes: { boolValue: true }, none: { nullValue: 0 as const } } } },
    };
    const { metadata } = read({ metadata_context: { filter_metadata: { ns: { fields } } } });
    expect(metadata("ns")).toEqual({ list: ["a", 1], deep: { yes: true, none: null } });
    expect(metadata("constructor")).toBeUndefined();
  });
});

describe("the client's address", () => {
  const headers = { "x-forwarded-for": "1.1.1.1, 2.2.2.2 ,3.3.3.3" };
  const context = { source: address("9.9.9.9", 1), request: { http: { headers } } };
  const remote = (useRemoteAddress: boolean, numTrustedHops: number, extra: AttributeContext__Output = {}) =>
    read({ ...context, ...extra }, { xff: { useRemoteAddress, numTrustedHops } }).remoteIp?.text;

  it("is the entry that the trusted hops point to", () => {
    expect(remote(false, 0)).toBe("3.3.3.3");
    expect(remote(false, 2)).toBe("1.1.1.1");
    expect(remote(true, 1)).toBe("2.2.2.2");
  });

  it("is the peer where the listener uses the remote address, the list is too short, or the entry is no bare address", () => {
    expect(remote(true, 0)).toBe("9.9.9.9");
    expect(remote(false, 3)).toBe("9.9.9.9");
    const odd = { request: { http: { headers: { "x-forwarded-for": "1.1.1.1:80" } } } };
    expect(remote(false, 0, odd)).toBe("9.9.9.9");
  });

  it("follows the settings that the route names", () => {
    const context_extensions = { "xff.use_remote_address": "true", "xff.num_trusted_hops": "0" };
    expect(remote(false, 1, { context_extensions })).toBe("9.9.9.9");
  });

  it("is the peer where the entry is surrounded by bytes that Envoy does not trim", () => {
    const headerMap = {
      headers: [{ key: "x-forwarded-for", raw_value: Buffer.from("1.1.1.1\xa0", "latin1") }],
    };
    expect(remote(false, 0, { request: { http: { header_map: headerMap } } })).toBe("9.9.9.9");
  });

  it.each([
    { "xff.num_trusted_hops": "one" },
    { "xff.num_trusted_hops": "-1" },
    { "xff.use_remote_address": "True" },
  ])("cannot be told by settings that cannot be read: %j", (context_extensions) => {
    expect(() => remote(false, 0, { context_extensions })).toThrow("X-Forwarded-For");
  });

  it("is the peer on TCP", () => {
    expect(read({ source: address("9.9.9.9", 1) }).remoteIp?.text).toBe("9.9.9.9");
  });
});

describe("the destination workload", () => {
  it("is what the context extensions say, labels and service included", () => {
    const context_extensions = {
      "destination.namespace": "shop",
      "destination.workload.name": "web-1",
      "destination.workload.type": "gateway",
      "destination.labels[app]": "web",
      "destination.labels[a/b]": "c",
      "destination.service.name": "web",
    };
    const { workload } = read({ context_extensions });
    expect(workload).toMatchObject({ namespace: "shop", name: "web-1", type: "gateway" });
    expect([...(workload?.labels ?? [])]).toEqual([
      ["app", "web"],
      ["a/b", "c"],
    ]);
    expect(workload?.services).toEqual([{ name: "web", namespace: "shop", host: "" }]);
  });

  it("is never mixed from two sources", () => {
    const destination = { principal: "spiffe://td/ns/other/sa/x", labels: { app: "x" } };
    const { workload } = read({ destination, context_extensions: { "destination.namespace": "shop" } });
    expect(workload).toMatchObject({ namespace: "shop", labels: new Map() });
    expect(read({ destination }).workload).toMatchObject({
      namespace: "other",
      labels: new Map([["app", "x"]]),
    });
    expect(read({ destination: { principal: "spiffe://td/ns/other/sa/x" } }).workload).toBeUndefined();
  });

  it("is the same object for the same destination", () => {
    const reader = createRequestReader();
    const request = () => ({ attributes: { context_extensions: { "destination.namespace": "shop" } } });
    expect(reader(request(), mesh).workload).toBe(reader(request(), mesh).workload);
  });

  it("of an unknown type is refused", () => {
    const context_extensions = { "destination.namespace": "a", "destination.workload.type": "proxy" };
    expect(() => read({ context_extensions })).toThrow("destination workload cannot be read");
  });

  it("reads x-forwarded-for in a time that grows with its length only", () => {
    const settings = { useRemoteAddress: false, numTrustedHops: 0 };
    for (const space of [" ", "\t", "\f"]) {
      const entry = `a${space.repeat(59_000)}b`;
      expect(fastestMs(() => remoteIp(undefined, [entry], settings))).toBeLessThan(200);
    }
  });
});
