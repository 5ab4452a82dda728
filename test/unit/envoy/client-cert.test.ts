import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Attributes, ipRange, parseIp } from "../../../src/attributes/index.js";
import { GatehouseError } from "../../../src/diagnostics/index.js";
import type { ClientCertHeaders, MeshSettings } from "../../../src/engine/index.js";
import { createRequestReader } from "../../../src/envoy/index.js";
import { makeAuthority, spiffe } from "../../support/certificates.js";

const authority = makeAuthority();
const issue = (account: string): { readonly pem: string; readonly sequence: string } => {
  const { cert } = authority.issue(spiffe("shop", account));
  return {
    pem: encodeURIComponent(cert),
    sequence: `:${new X509Certificate(cert).raw.toString("base64")}:`,
  };
};
const id = (account: string): string => `spiffe://cluster.local/ns/shop/sa/${account}`;
const proxy = issue("proxy");
const web = issue("web");
const boss = issue("boss");

const loopback = parseIp("10.0.0.0");
if (loopback === undefined) throw new Error("no address");
const trust: ClientCertHeaders = {
  headers: ["x-forwarded-client-cert", "client-cert"],
  trustedRanges: [ipRange(loopback, 8)],
  trustedIds: [id("proxy")],
};
const mesh = (clientCertHeaders: ClientCertHeaders | undefined): MeshSettings => ({
  unknownWorkload: "refuseIfScoped",
  strictRequests: false,
  customSeesIdentity: false,
  envoyJwtPayloadKey: undefined,
  xff: { useRemoteAddress: false, numTrustedHops: 0 },
  xffPerType: {},
  defaultWorkload: undefined,
  clientCertHeaders,
});

interface Sent {
  readonly ip?: string;
  readonly principal?: string;
  readonly certificate?: string;
  readonly lines?: readonly (readonly [name: string, value: string])[];
  readonly settings?: ClientCertHeaders | undefined;
  readonly reader?: ReturnType<typeof createRequestReader>;
}

const read = ({ ip = "192.0.2.1", principal, certificate, lines, reader, ...rest }: Sent): Attributes => {
  const settings = "settings" in rest ? rest.settings : trust;
  const headers = (lines ?? []).map(([key, value]) => ({ key, raw_value: Buffer.from(value, "latin1") }));
  const source = {
    address: { socket_address: { address: ip, port_value: 1 } },
    ...(principal !== undefined && { principal }),
    ...(certificate !== undefined && { certificate }),
  };
  const request = lines === undefined ? {} : { request: { http: { header_map: { headers } } } };
  return (reader ?? createRequestReader())({ attributes: { source, ...request } }, mesh(settings));
};

const who = (sent: Sent): unknown => {
  const { identity, source } = read(sent);
  return { names: identity?.names, principal: source.principal };
};

const forged = [
  ["x-forwarded-client-cert", `Hash=a;Cert="${boss.pem}";URI=${id("boss")}`],
  ["client-cert", boss.sequence],
] as const;
const nobody = { names: undefined, principal: "" };
const named = (account: string): unknown => ({ names: [id(account), ""], principal: id(account) });

describe("a header with a client certificate, from a peer that is not trusted,", () => {
  it("changes nothing for a peer without a certificate", () => {
    expect(who({ lines: forged })).toEqual(nobody);
    expect(read({ lines: forged }).tls).toBe(false);
  });

  it("changes nothing for a peer with its own certificate", () => {
    const peer = { certificate: web.pem, principal: id("web") };
    expect(who({ ...peer, lines: forged })).toEqual(named("web"));
  });

  it("is not even read", () => {
    const lines = [
      ["x-forwarded-client-cert", '"'],
      ["x-forwarded-client-cert", ""],
      ["client-cert", "x"],
    ];
    expect(who({ lines: lines as [string, string][] })).toEqual(nobody);
  });

  it("changes nothing where no mesh says whom to trust, whoever sends it", () => {
    const peer = { ip: "10.1.1.1", certificate: proxy.pem, principal: id("proxy"), settings: undefined };
    expect(who({ ...peer, lines: forged })).toEqual(named("proxy"));
  });

  it("changes nothing when x-forwarded-for, not the connection, has a trusted address", () => {
    expect(who({ lines: [...forged, ["x-forwarded-for", "10.1.1.1"]] })).toEqual(nobody);
  });

  it("changes nothing for a SPIFFE id that only begins like a trusted one", () => {
    const lines = [...forged];
    expect(who({ principal: `${id("proxy")}2`, lines })).toEqual({
      names: undefined,
      principal: `${id("proxy")}2`,
    });
  });
});

describe("a header with a client certificate, from a trusted peer,", () => {
  it.each([
    ["by its address", { ip: "10.1.1.1" }],
    ["by its certificate", { certificate: proxy.pem }],
    ["by the principal that Envoy names", { principal: id("proxy") }],
  ])("names the caller in place of the peer: %s", (_, peer) => {
    const value = `URI=${id("boss")},Hash=a;URI=${id("web")}`;
    expect(who({ ...peer, lines: [["x-forwarded-client-cert", value]] })).toEqual(named("web"));
    expect(who({ ...peer, lines: [["Client-Cert", web.sequence]] })).toEqual(named("web"));
    expect(read({ ...peer, lines: [["client-cert", web.sequence]] }).tls).toBe(true);
  });

  it("leaves the address the peer's", () => {
    const { source } = read({ ip: "10.1.1.1", lines: [["client-cert", web.sequence]] });
    expect(source.ip?.text).toBe("10.1.1.1");
  });

  it("that names nobody speaks for a caller without a certificate, not for itself", () => {
    expect(who({ certificate: proxy.pem, principal: id("proxy"), lines: [] })).toEqual(nobody);
    expect(read({ certificate: proxy.pem, lines: [] }).tls).toBe(true);
  });

  it("that asks for a TCP connection speaks for itself, since there is no header", () => {
    expect(who({ certificate: proxy.pem, principal: id("proxy") })).toEqual(named("proxy"));
  });

  it("counts in the order of the mesh, the first that is present", () => {
    const lines = [
      ["client-cert", boss.sequence],
      ["x-forwarded-client-cert", `URI=${id("web")}`],
    ] as const;
    const settings = { ...trust, headers: ["client-cert", "x-forwarded-client-cert"] as const };
    expect(who({ ip: "10.1.1.1", lines })).toEqual(named("web"));
    expect(who({ ip: "10.1.1.1", lines, settings })).toEqual(named("boss"));
    expect(who({ ip: "10.1.1.1", lines: lines.slice(1), settings })).toEqual(named("web"));
  });

  it("is not read when the mesh does not list it", () => {
    const settings = { ...trust, headers: ["client-cert"] as const };
    const lines = [["x-forwarded-client-cert", `URI=${id("boss")}`]] as const;
    expect(who({ ip: "10.1.1.1", lines, settings })).toEqual(nobody);
  });

  it.each([
    [
      "two lines of x-forwarded-client-cert",
      ["x-forwarded-client-cert", "x-forwarded-client-cert"],
      `URI=${id("web")}`,
    ],
    ["two lines of client-cert", ["client-cert", "Client-Cert"], web.sequence],
    ["one that cannot be read", ["x-forwarded-client-cert"], 'Subject="'],
    ["an empty one", ["client-cert"], ""],
  ])("refuses the request with %s", (_, keys, value) => {
    const lines = keys.map((key) => [key, value] as const);
    const refused = (): unknown => read({ ip: "10.1.1.1", lines });
    expect(refused).toThrow(GatehouseError);
    expect(refused).toThrow("header with the client certificate cannot be read");
    try {
      refused();
    } catch (error) {
      expect(error).toMatchObject({ code: "bad_request" });
    }
  });

  it("does not fall back to the second header when the first cannot be read", () => {
    const lines = [
      ["x-forwarded-client-cert", "?"],
      ["client-cert", web.sequence],
    ] as const;
    expect(() => read({ ip: "10.1.1.1", lines })).toThrow("cannot be read");
  });

  it("is remembered: the same value gives the same names", () => {
    const reader = createRequestReader();
    const sent: Sent = { reader, ip: "10.1.1.1", lines: [["client-cert", web.sequence]] };
    expect(read(sent).identity).toBe(read(sent).identity);
    const other: Sent = { reader, lines: [["client-cert", web.sequence]] };
    expect(read(other).identity).toBeUndefined();
  });

  it("offers every name, and the first as the principal", () => {
    const value = `URI=urn:one;URI=${id("web")};DNS=w.example;Subject="CN=web"`;
    const lines = [["x-forwarded-client-cert", value]] as const;
    expect(who({ ip: "10.1.1.1", lines })).toEqual({
      names: ["urn:one", id("web"), "w.example", "CN=web"],
      principal: "urn:one",
    });
  });
});
