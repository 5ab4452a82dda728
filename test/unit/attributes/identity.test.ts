import { describe, expect, it } from "vitest";
import { parseSpiffeId, readIdentity } from "../../../src/attributes/index.js";
import { makeAuthority } from "../../support/certificates.js";

const authority = makeAuthority();

function names(subject: Parameters<typeof authority.issue>[0]): readonly string[] {
  return readIdentity(encodeURIComponent(authority.issue(subject).cert)).names;
}

describe("a client certificate", () => {
  it("gives its URI SANs, then its DNS SANs, then its subject", () => {
    const subject = {
      commonName: "web",
      organization: "Acme, Inc.",
      uris: ["spiffe://a/ns/b/sa/c", "urn:x"],
      dns: ["w.example"],
    };
    expect(names(subject)).toEqual(["spiffe://a/ns/b/sa/c", "urn:x", "w.example", "CN=web,O=Acme\\, Inc."]);
  });

  it("gives an empty subject when it has none", () => {
    expect(names({ uris: ["spiffe://a/ns/b/sa/c"] })).toEqual(["spiffe://a/ns/b/sa/c", ""]);
  });

  it("gives only its subject when it has no SAN", () => {
    expect(names({ commonName: "#lead and trail " })).toEqual(["CN=\\#lead and trail\\ "]);
  });

  it("does not let a SAN that looks like OpenSSL's text form pass for two", () => {
    expect(names({ uris: ["urn:a, URI:spiffe://a/ns/b/sa/c"] })[0]).toBe("urn:a, URI:spiffe://a/ns/b/sa/c");
  });

  it.each(["", "x", "-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----%0A", "%zz"])(
    "that is none is refused: %j",
    (text) => {
      expect(() => readIdentity(text)).toThrow();
    },
  );
});

describe("a SPIFFE id", () => {
  it("of Istio's form gives trust domain, namespace and service account", () => {
    expect(parseSpiffeId("spiffe://td/ns/n/sa/s")).toEqual({
      trustDomain: "td",
      namespace: "n",
      serviceAccount: "s",
    });
  });

  it.each([
    "",
    "spiffe://td",
    "spiffe://td/ns/n",
    "https://td/ns/n/sa/s",
    "spiffe://td/ns/n/sa/s/x",
    "spiffe:///ns/n/sa/s",
  ])("of another form gives nothing: %j", (uri) => {
    expect(parseSpiffeId(uri)).toBeUndefined();
  });
});
