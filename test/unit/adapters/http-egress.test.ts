import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEgress, openEgress, type Resolve } from "../../../src/adapters/http-egress.js";

function lookUp(egress: ReturnType<typeof createEgress>, all: boolean): Promise<unknown> {
  return new Promise((resolve) => {
    egress.lookup("name.example", { all }, (error, address) => resolve(error?.message ?? address));
  });
}

const resolvesTo =
  (...addresses: string[]): Resolve =>
  (_host, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

describe("the address that is connected to", () => {
  test.each([
    "169.254.169.254",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "fe80::1",
    "ff02::1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "64:ff9b::a9fe:a9fe",
    "fe80::1%lo",
    "not an address",
    "",
  ])("is never %s", (address) => {
    expect(createEgress().allowsAddress(address)).toBe(false);
    expect(createEgress({ ...openEgress, allowCidrs: ["0.0.0.0/0", "::/0"] }).allowsAddress(address)).toBe(
      false,
    );
  });

  test.each(["127.0.0.1", "10.1.2.3", "::1", "93.184.216.34", "2606:2800::1", "fd00::1"])(
    "may be %s by default",
    (address) => {
      expect(createEgress().allowsAddress(address)).toBe(true);
    },
  );

  test.each([
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
  ])("is not %s under denyPrivate", (address) => {
    const egress = createEgress({ ...openEgress, denyPrivate: true });
    expect(egress.allowsAddress(address)).toBe(false);
    expect(egress.allowsAddress("93.184.216.34")).toBe(true);
  });

  test("lies in one of allowCidrs where there are any, written as network or as address", () => {
    const egress = createEgress({ ...openEgress, allowCidrs: ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"] });
    const judged = ["10.9.9.9", "192.0.2.7", "192.0.2.8", "2001:db8::5", "2001:db9::5"].map(
      egress.allowsAddress,
    );
    expect(judged).toEqual([true, true, false, true, false]);
  });

  test("is judged without an exception, whatever it is", () => {
    const egress = createEgress({ ...openEgress, allowCidrs: ["10.0.0.0/8"], denyPrivate: true });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (text) => !egress.allowsAddress(text)),
    );
  });
});

describe("the host", () => {
  test("is compared without case, brackets and a trailing dot, and `*.` covers what is below", () => {
    const egress = createEgress({ ...openEgress, allowHosts: ["IDP.example", "*.corp.example", "::1"] });
    const hosts = ["idp.EXAMPLE.", "a.b.corp.example", "corp.example", "xcorp.example", "[::1]", "127.0.0.1"];
    expect(hosts.map(egress.allowsHost)).toEqual([true, true, false, false, true, false]);
  });

  test("that is a refused address is refused before anything is resolved", () => {
    expect(createEgress().allowsHost("169.254.169.254")).toBe(false);
    expect(createEgress().allowsHost("[fe80::1]")).toBe(false);
  });

  test("resolves to its allowed addresses only, so that a rebound name leads nowhere else", async () => {
    const egress = createEgress(openEgress, resolvesTo("169.254.169.254", "192.0.2.1", "::", "2001:db8::1"));
    expect(await lookUp(egress, false)).toBe("192.0.2.1");
    expect(await lookUp(egress, true)).toEqual([
      { address: "192.0.2.1", family: 4 },
      { address: "2001:db8::1", family: 6 },
    ]);
  });

  test("with refused addresses only is an error, as is a failed look-up", async () => {
    const message = "no address of `name.example` may be connected to";
    expect(await lookUp(createEgress(openEgress, resolvesTo("169.254.1.1")), true)).toBe(message);
    expect(await lookUp(createEgress(openEgress, resolvesTo()), false)).toBe(message);
    const fails: Resolve = (_host, _options, callback) => callback(new Error("no such name"), []);
    expect(await lookUp(createEgress(openEgress, fails), false)).toBe("no such name");
  });
});

test.each(["10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "x"])(
  "the bad network %s is refused when the guard is made",
  (cidr) => {
    expect(() => createEgress({ ...openEgress, allowCidrs: [cidr] })).toThrow(
      "expected an address or ADDRESS/BITS",
    );
  },
);
