import { describe, expect, it } from "vitest";
import { createParties } from "../../../src/envoy/als/parties.js";
import { createServices } from "../../../src/envoy/als/services.js";

const mebi = 1_048_576;
const long = (i: number): string => `${i}-`.padEnd(mebi, "x");

describe("what is remembered of senders' texts", () => {
  it("is the same object while it is remembered", () => {
    const services = createServices();
    expect(services.ofHost("a.b.svc")).toBe(services.ofHost("A.b.svc:80"));
    const parties = createParties();
    expect(parties.ofEndpoint("a;b;c;d;e")).toBe(parties.ofEndpoint("a;b;c;d;e"));
  });

  it("is bounded by their length", () => {
    const services = createServices();
    const service = services.ofHost(long(0));
    for (let i = 1; i < 5; i += 1) services.ofHost(long(i));
    expect(services.ofHost(long(0))).not.toBe(service);
    const parties = createParties();
    const party = parties.ofEndpoint(`${long(0)};ns`);
    for (let i = 1; i < 9; i += 1) parties.ofEndpoint(`${long(i)};ns`);
    expect(parties.ofEndpoint(`${long(0)};ns`)).not.toBe(party);
  });
});
