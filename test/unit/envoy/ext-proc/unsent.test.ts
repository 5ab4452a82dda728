import { describe, expect, it } from "vitest";
import type { Snapshot } from "../../../../src/engine/index.js";
import { peerAttribute } from "../../../../src/envoy/ext-proc/index.js";
import { createProcessedRequestReader } from "../../../../src/envoy/ext-proc/request.js";
import { compileExpression } from "../../../../src/expressions/index.js";
import type { AuthorizationPolicy } from "../../../../src/istio/index.js";
import { aSnapshot, verdict } from "../../engine/snapshots.js";
import { aPolicy, aRule } from "../../istio/policies.js";
import { asked, besideOf, type Described, linesOf, opened } from "./described.js";

type Source = AuthorizationPolicy["rules"][number]["from"][number];

const denying = (source: Source): Snapshot =>
  aSnapshot({ policies: [aPolicy({ action: "DENY", rules: [aRule({ from: [source] })] })] });
const denyingTo = (to: AuthorizationPolicy["rules"][number]["to"][number]): Snapshot =>
  aSnapshot({ policies: [aPolicy({ action: "DENY", rules: [aRule({ to: [to] })] })] });

const noPeer = { [peerAttribute]: undefined };

async function reasonOf(snapshot: Snapshot, described: Described): Promise<string | undefined> {
  const open = opened(snapshot);
  await asked(open, described);
  return open.decisions[0]?.reason;
}

describe("without the TCP peer", () => {
  it("a policy on source addresses refuses, whatever it would have said", async () => {
    for (const source of [{ ipBlocks: ["192.0.2.0/24"] }, { notIpBlocks: ["10.0.0.0/8"] }]) {
      expect(await reasonOf(denying(source), { told: noPeer })).toBe("bad_request");
    }
  });

  it("a policy on paths decides as ever", async () => {
    expect(await reasonOf(denyingTo({ paths: ["/x"] }), { told: noPeer })).toBe("not_denied");
    expect(await reasonOf(denyingTo({ paths: ["/x"] }), { told: noPeer, path: "/x" })).toBe(
      "denied_by_policy",
    );
  });

  it("a policy on the client's address refuses where that would be the peer's", async () => {
    const snapshot = denying({ remoteIpBlocks: ["203.0.113.0/24"] });
    expect(await reasonOf(snapshot, { told: noPeer })).toBe("bad_request");
    const headers = [["x-forwarded-for", "203.0.113.9"]] as const;
    expect(await reasonOf(snapshot, { told: noPeer, headers })).toBe("denied_by_policy");
  });

  it("an address that nobody can read is none", async () => {
    for (const peer of ["", "-", "/run/x.sock", "1.2.3.4:x", "1.2.3:4", "[::1", "1.2.3.4:1:2", 7, true]) {
      const told = { [peerAttribute]: peer };
      expect(await reasonOf(denying({ ipBlocks: ["192.0.2.0/24"] }), { told })).toBe("bad_request");
    }
  });

  it("a policy of a provider refuses, since it may read anything", async () => {
    const own = [{ ref: { key: "k", policy: "foo/r", rule: undefined }, provider: () => verdict() }];
    expect(await reasonOf(aSnapshot({ own }), { told: noPeer })).toBe("bad_request");
    expect(await reasonOf(aSnapshot({ own }), {})).toBe("allowed_by_policy");
  });

  it("a proxy that is trusted by its address is not known, so nobody is", async () => {
    const clientCertHeaders = {
      headers: ["x-forwarded-client-cert" as const],
      trustedRanges: [{ family: 4 as const, words: [0], prefix: 0 } as never],
      trustedIds: [],
    };
    const snapshot = aSnapshot({ mesh: { clientCertHeaders } });
    expect(await reasonOf(snapshot, { told: noPeer })).toBe("bad_request");
  });

  it("an expression that reads it has no value, `has` among them", () => {
    const { attributes } = createProcessedRequestReader()(
      { headers: linesOf({}), beside: besideOf({ told: noPeer }), initialMetadata: new Map() },
      aSnapshot().mesh,
    );
    const of = (text: string) => () =>
      compileExpression(text, "bool").evaluate({ attributes, workload: undefined });
    for (const text of ["source.ip == '1.2.3.4'", "has(source.ip)", "source.port > 1", "has(remote.ip)"]) {
      expect(of(text), text).toThrow();
    }
    expect(of("request.path == '/'")()).toBe(true);
  });

  it("the address that the client chose by x-forwarded-for counts for nothing", async () => {
    const told = { "source.address": "192.0.2.1:0" };
    expect(await reasonOf(denying({ ipBlocks: ["192.0.2.0/24"] }), { told })).toBe("not_denied");
    expect(await reasonOf(denying({ ipBlocks: ["10.1.2.3"] }), { told })).toBe("denied_by_policy");
  });
});

describe("an attribute that the filter was not configured to send", () => {
  it("makes a policy on who calls refuse", async () => {
    const snapshot = denying({ principals: ["cluster.local/ns/a/sa/b"] });
    expect(await reasonOf(snapshot, { told: { "connection.mtls": undefined } })).toBe("bad_request");
    expect(await reasonOf(snapshot, { told: { "connection.mtls": true } })).toBe("bad_request");
    expect(await reasonOf(snapshot, {})).toBe("not_denied");
  });

  it("makes a policy on ports refuse", async () => {
    const told = { "destination.address": undefined };
    expect(await reasonOf(denyingTo({ ports: ["8080"] }), { told })).toBe("bad_request");
  });

  it("makes a policy on the SNI refuse", async () => {
    const when = [{ key: "connection.sni", values: ["a.example"], notValues: [] }];
    const snapshot = aSnapshot({ policies: [aPolicy({ action: "DENY", rules: [aRule({ when })] })] });
    expect(await reasonOf(snapshot, { told: { "connection.requested_server_name": undefined } })).toBe(
      "bad_request",
    );
  });
});

describe("the caller's certificate", () => {
  const certified = (names: Readonly<Record<string, string>>) => ({
    "connection.mtls": true,
    "connection.subject_peer_certificate": "CN=x",
    ...names,
  });

  it("gives the first URI SAN, the first DNS SAN and the subject as names", async () => {
    const open = opened(aSnapshot());
    const told = certified({
      "connection.uri_san_peer_certificate": "spiffe://cluster.local/ns/a/sa/b",
      "connection.dns_san_peer_certificate": "b.a",
    });
    await asked(open, { told });
    expect(open.decisions[0]?.attributes).toMatchObject({
      tls: true,
      identity: { names: ["spiffe://cluster.local/ns/a/sa/b", "b.a", "CN=x"] },
      source: { principal: "spiffe://cluster.local/ns/a/sa/b" },
    });
  });

  it("lets a principal of a policy match", async () => {
    const told = certified({ "connection.uri_san_peer_certificate": "spiffe://cluster.local/ns/a/sa/b" });
    expect(await reasonOf(denying({ principals: ["cluster.local/ns/a/sa/b"] }), { told })).toBe(
      "denied_by_policy",
    );
  });
});

describe("initial metadata", () => {
  it("name the destination, the same object for the same workload", () => {
    const read = createProcessedRequestReader();
    const workload = (entries: readonly (readonly [string, string])[]) =>
      read(
        { headers: linesOf({}), beside: besideOf({}), initialMetadata: new Map(entries) },
        aSnapshot().mesh,
      ).attributes.workload;
    const entries = [
      ["gatehouse-destination-namespace", "shop"],
      ["gatehouse-destination-workload-type", "gateway"],
      ["gatehouse-destination-labels", "app=web, app.kubernetes.io%2Fname=w%2Cx"],
    ] as const;
    expect(workload(entries)).toMatchObject({ namespace: "shop", type: "gateway" });
    expect([...(workload(entries)?.labels ?? [])]).toEqual([
      ["app", "web"],
      ["app.kubernetes.io/name", "w,x"],
    ]);
    expect(workload(entries)).toBe(workload([...entries]));
    expect(workload([["gatehouse-destination-workload-name", "w"]])).toBeUndefined();
  });

  it("that cannot be read refuse", async () => {
    for (const [name, value] of [
      ["gatehouse-destination-workload-type", "robot"],
      ["gatehouse-destination-labels", "app"],
      ["gatehouse-destination-labels", "a=%zz"],
      ["gatehouse-xff-num-trusted-hops", "-1"],
    ] as const) {
      const initialMetadata = new Map([
        ["gatehouse-destination-namespace", "shop"],
        [name, value],
      ]);
      const open = opened(aSnapshot(), { initialMetadata });
      const { immediate } = await asked(open, {});
      expect([immediate?.httpStatus, open.decisions[0]?.reason], name).toEqual([403, "bad_request"]);
    }
  });
});
