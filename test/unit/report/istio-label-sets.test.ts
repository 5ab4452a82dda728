import { describe, expect, it } from "vitest";
import { createLabelSets } from "../../../src/report/istio-label-sets.js";
import { aServed } from "./istio-kit.js";

describe("label sets", () => {
  it("are remembered for reports alike, and not beyond what their values may take", () => {
    const sets = createLabelSets<never>();
    const reportOf = (host: string) =>
      aServed({ service: services.get(host) ?? { name: "a", namespace: "b", host } });
    const services = new Map(
      Array.from({ length: 12 }, (_, i) => [`${i}`, { name: "a", namespace: "b", host: `${i}`.padEnd(1e6) }]),
    );
    sets.of(reportOf("0"), "http");
    expect(sets.of(reportOf("0"), "http").isKnown).toBe(true);
    for (const host of services.keys()) sets.of(reportOf(host), "http");
    expect(sets.of(reportOf("0"), "http").isKnown).toBe(false);
  });

  it("keep no more of a principal than makes it too long for a value", () => {
    const sets = createLabelSets<never>();
    const tls = {
      version: "",
      peerPrincipal: "spiffe://".padEnd(60_000, "p"),
      localPrincipal: "l".repeat(300),
    };
    const { facts, values } = sets.of(aServed({ tls }), "http");
    expect([facts.sourcePrincipal.length, facts.destinationPrincipal.length]).toEqual([257, 257]);
    expect(Math.max(...values.map(({ length }) => length))).toBe(257);
  });
});
