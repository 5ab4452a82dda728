import { describe, expect, it } from "vitest";
import type { Attributes } from "../../../src/attributes/index.js";
import { compilePrincipal } from "../../../src/rbac/index.js";

const end = { ip: undefined, port: 0, principal: "" };

function caller(tls: boolean, names?: readonly string[]): Attributes {
  return {
    protocol: "tcp",
    time: 0,
    source: end,
    destination: end,
    remoteIp: undefined,
    identity: names === undefined ? undefined : { names },
    tls,
    sni: "",
    workload: undefined,
    request: undefined,
    metadata: () => undefined,
    routeMetadata: () => undefined,
    auth: undefined,
  };
}

describe("an authenticated principal", () => {
  it("without a name asks for TLS, not for a certificate", () => {
    const matches = compilePrincipal({ authenticated: {} });
    expect(matches(caller(true))).toBe(true);
    expect(matches(caller(false))).toBe(false);
  });

  it("compares with an empty subject over TLS without a certificate, and with nothing over plain TCP", () => {
    const empty = compilePrincipal({ authenticated: { principalName: { exact: "" } } });
    expect(empty(caller(true))).toBe(true);
    expect(empty(caller(false))).toBe(false);
    expect(empty(caller(true, ["spiffe://a"]))).toBe(false);
    const present = compilePrincipal({ authenticated: { principalName: { safeRegex: { regex: ".+" } } } });
    expect(present(caller(true))).toBe(false);
  });
});
