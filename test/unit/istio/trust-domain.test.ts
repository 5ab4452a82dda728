import { describe, expect, it } from "vitest";
import { expandPrincipals, expandTrustDomains } from "../../../src/istio/trust-domain.js";

const domains = { trustDomain: "td1", aliases: ["old-td", "older-td"] };

describe("trust domain aliases", () => {
  it("stand for a principal of any of the mesh's names, and for `cluster.local`, which is none of them then", () => {
    const all = ["td1/ns/a/sa/b", "old-td/ns/a/sa/b", "older-td/ns/a/sa/b"];
    expect(expandPrincipals(["old-td/ns/a/sa/b"], domains)).toEqual(all);
    expect(expandPrincipals(["cluster.local/ns/a/sa/b"], domains)).toEqual(all);
  });

  it("keep a wildcard where it covers the name", () => {
    expect(expandPrincipals(["*-td/ns/a/sa/b"], domains)).toEqual(["td1/ns/a/sa/b", "*-td/ns/a/sa/b"]);
  });

  it("leave foreign domains, any domain, and values of other than five parts", () => {
    const kept = ["other/ns/a/sa/b", "*/ns/a/sa/b", "cluster.local/ns/a/*", "td1*"];
    expect(expandPrincipals(kept, domains)).toEqual(kept);
  });

  it("widen `trustDomains` only where a value is exactly one of the names", () => {
    expect(expandTrustDomains(["td1", "x"], domains)).toEqual(["td1", "old-td", "older-td", "x"]);
    expect(expandTrustDomains(["cluster.local", "td*"], domains)).toEqual(["cluster.local", "td*"]);
  });
});
