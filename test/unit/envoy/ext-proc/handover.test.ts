import { Buffer } from "node:buffer";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../../../../src/attributes/index.js";
import type { BodyPlan } from "../../../../src/body/index.js";
import type { Snapshot } from "../../../../src/engine/index.js";
import { createHandover, toStruct } from "../../../../src/envoy/index.js";
import { loadProtos } from "../../../../src/server/protos.js";
import { aRule as aJwtRule, anAuthentication, aSigner, nowMs } from "../../../support/tokens.js";
import { aSnapshot } from "../../engine/snapshots.js";
import { aPolicy, aRule } from "../../istio/policies.js";
import { asked, type Described, type Opened, opened, viaExtAuthz } from "./described.js";

const key = Buffer.alloc(32, 7);
/** As long as a request takes from the one to the other. */
let later = 0;
const wallClock = () => nowMs + later;
const handover = createHandover({ key, wallClock });
const signer = aSigner("k");

/** Lets everybody in, with an obligation. */
const snapshot: Snapshot = aSnapshot({
  policies: [aPolicy({ obligations: ["foo/mask", "foo/trim"], rules: [aRule()] })],
  authn: anAuthentication({ rules: [aJwtRule(signer)] }),
});

afterEach(() => {
  later = 0;
});

const planOf = (readsIdentity: boolean, seen: Parameters<BodyPlan["begin"]>[0][] = []): BodyPlan => ({
  readsIdentity,
  begin: (input) => {
    seen.push(input);
    return undefined;
  },
});

/** What ext_authz leaves to ext_proc. */
async function left(described: Described, identity = false): Promise<JsonObject> {
  const { metadata } = await viaExtAuthz(snapshot, described, (decision) =>
    handover.carry(decision, identity),
  );
  return metadata;
}

async function taken(
  metadata: JsonObject,
  {
    plan = planOf(false),
    described = {},
    by = handover,
  }: { plan?: BodyPlan; described?: Described; by?: typeof handover } = {},
): Promise<Opened> {
  const open = opened(snapshot, { plan, handover: by });
  await asked(open, { ...described, metadata: { "envoy.filters.http.ext_authz": metadata } });
  return open;
}

const changed = (
  metadata: JsonObject,
  changes: Readonly<Record<string, JsonValue | undefined>>,
): JsonObject => {
  const record = { ...(metadata["gatehouse"] as JsonObject), ...changes };
  const kept = Object.entries(record).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined);
  return { ...metadata, gatehouse: Object.fromEntries(kept) };
};

const macOf = (metadata: JsonObject): string => String((metadata["gatehouse"] as JsonObject)["mac"]);

/** The same MAC, said to be a second younger. */
function issuedLater(mac: string): string {
  return (Number.parseInt(mac.slice(0, 8), 16) + 1).toString(16) + mac.slice(8);
}

describe("a decision that ext_authz hands over", () => {
  it("is not made again, and brings its obligations", async () => {
    const seen: Parameters<BodyPlan["begin"]>[0][] = [];
    const open = await taken(await left({}), { plan: planOf(false, seen) });
    expect(open.decisions).toEqual([]);
    expect(seen[0]?.obligations).toEqual(["foo/mask", "foo/trim"]);
    const anew = await taken({}, {});
    expect(anew.decisions).toHaveLength(1);
  });

  it("keeps its id, and says that it was carried over", async () => {
    const open = opened(snapshot, { plan: planOf(false), handover });
    const metadata = await left({});
    const outcome = await asked(open, { metadata: { "envoy.filters.http.ext_authz": metadata } });
    expect(outcome.metadata).toMatchObject({
      "envoy.filters.http.ext_proc": { decision_id: "d-authz", gatehouse: { carried: true, allowed: true } },
    });
  });

  it("is made anew when any part of it was changed, was left out, or is by another key", async () => {
    const metadata = await left({}, true);
    const otherKey = createHandover({ key: Buffer.alloc(32, 8), wallClock });
    const forged: readonly JsonObject[] = [
      { ...metadata, decision_id: "d-other" },
      changed(metadata, { mac: macOf(metadata).slice(0, 8) + "A".repeat(22) }),
      changed(metadata, { mac: macOf(metadata).slice(0, -1) }),
      changed(metadata, { mac: `${macOf(metadata)}A` }),
      changed(metadata, { mac: issuedLater(macOf(metadata)) }),
      changed(metadata, { mac: undefined }),
      changed(metadata, { mac: "" }),
      changed(metadata, { mac: 1 }),
      changed(metadata, { allowed: false }),
      changed(metadata, { allowed: undefined }),
      changed(metadata, { obligations: ["foo/mask"] }),
      changed(metadata, { obligations: undefined }),
      changed(metadata, { obligations: ["foo/maskfoo/trim"] }),
      changed(metadata, { obligations: "foo/mask" }),
      changed(metadata, { quota: [{ quota: "foo/q", cost: 0 }] }),
      { ...metadata, gatehouse_identity: "" },
      { ...metadata, gatehouse_identity: "AAAA" },
      { decision_id: "d-authz" },
      {},
    ];
    expect((await taken(metadata)).decisions).toHaveLength(0);
    for (const one of forged) expect((await taken(one)).decisions, JSON.stringify(one)).toHaveLength(1);
    expect((await taken(metadata, { by: otherKey })).decisions).toHaveLength(1);
  });

  it("is of its own request only", async () => {
    const metadata = await left({});
    const described = { headers: [["x-request-id", "r-2"]] as const };
    expect((await taken(metadata, { described })).decisions).toHaveLength(1);
  });

  it("is of the workload whose policies made it: the route may have been chosen anew", async () => {
    const of = (name: string, label: string) => ({
      extensions: { "destination.namespace": "foo", "destination.labels[app]": label },
      initialMetadata: new Map([
        ["gatehouse-destination-namespace", "foo"],
        ["gatehouse-destination-labels", `app=${label}`],
      ]),
      headers: [["x-name", name]] as const,
    });
    const metadata = await left(of("a", "web"));
    const takenBy = async (label: string): Promise<number> => {
      const { initialMetadata } = of("a", label);
      const open = opened(snapshot, { plan: planOf(false), handover, initialMetadata });
      await asked(open, { metadata: { "envoy.filters.http.ext_authz": metadata } });
      return open.decisions.length;
    };
    expect([await takenBy("web"), await takenBy("admin")]).toEqual([0, 1]);
    expect((await taken(metadata)).decisions).toHaveLength(1);
  });

  it.each([
    ["at once", 0, 0],
    ["after 299 seconds, behind a filter that waits for a body", 299_000, 0],
    ["299 seconds before it was made, by a clock that is behind", -299_000, 0],
    ["after 301 seconds", 301_000, 1],
    ["301 seconds before it was made", -301_000, 1],
    ["after a day, of a request that has its id again", 86_400_000, 1],
  ])("is taken within five minutes: %s", async (_, after, anew) => {
    const metadata = await left({});
    later = after;
    expect((await taken(metadata)).decisions).toHaveLength(anew);
  });

  it("is not handed over where the request is refused", async () => {
    const refusing = aSnapshot({ policies: [aPolicy({ action: "DENY", rules: [aRule()] })] });
    const { metadata } = await viaExtAuthz(refusing, {}, (decision) => handover.carry(decision, true));
    expect(JSON.stringify(metadata)).not.toContain("mac");
  });

  it("brings the caller's claims where body policies read them, sealed", async () => {
    const headers = [["authorization", `Bearer ${signer.token({ role: "admin" })}`]] as const;
    const metadata = await left({ headers }, true);
    expect(JSON.stringify(metadata["gatehouse_identity"])).not.toContain("admin");
    const seen: Parameters<BodyPlan["begin"]>[0][] = [];
    const open = await taken(metadata, { plan: planOf(true, seen), described: { headers } });
    expect(open.decisions).toEqual([]);
    expect(seen[0]?.attributes.auth?.payload).toMatchObject({ sub: "alice", role: "admin" });
  });

  it("says of a caller that showed nothing that there is nobody", async () => {
    const seen: Parameters<BodyPlan["begin"]>[0][] = [];
    const open = await taken(await left({}, true), { plan: planOf(true, seen) });
    expect([open.decisions.length, seen.length, seen[0]?.attributes.auth]).toEqual([0, 1, undefined]);
  });

  it("is made anew where body policies read the caller and it did not come along", async () => {
    expect((await taken(await left({}, false), { plan: planOf(true) })).decisions).toHaveLength(1);
    const long = signer.token({ note: "x".repeat(3000) });
    const headers = [["authorization", `Bearer ${long}`]] as const;
    const metadata = await left({ headers }, true);
    expect(metadata["gatehouse_identity"]).toBeUndefined();
    expect((await taken(metadata, { plan: planOf(true), described: { headers } })).decisions).toHaveLength(1);
  });

  it("costs the record less than 50 bytes without an identity", async () => {
    const carried = await viaExtAuthz(snapshot, {}, (decision) => handover.carry(decision, false));
    const plain = await viaExtAuthz(snapshot, {});
    const sizeOf = ({ metadata }: typeof plain) =>
      loadProtos().check.responseSerialize({ dynamic_metadata: toStruct(metadata) }).length;
    expect(sizeOf(carried) - sizeOf(plain)).toBeLessThan(50);
  });

  it("accepts nothing by chance, whatever the metadata are", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (id, record, identity) => {
        const metadata = { decision_id: id, gatehouse: record, gatehouse_identity: identity } as JsonObject;
        expect(handover.accept(metadata, new Map([["x-request-id", ["r"]]]), undefined)).toBeUndefined();
      }),
    );
  });
});
