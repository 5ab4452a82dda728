import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/attributes/index.js";
import { compileCidr, parseCidr } from "../../../src/matchers/index.js";

function contains(range: string, ip: string): boolean {
  const parsed = parseCidr(range);
  return parsed !== undefined && compileCidr(parsed)(parseIp(ip));
}

describe("a CIDR range", () => {
  it("may have host bits, which do not count", () => {
    expect(contains("127.30.1.99/24", "127.30.1.1")).toBe(true);
    expect(contains("127.30.1.99/24", "127.30.2.1")).toBe(false);
  });

  it("is one address without a length", () => {
    expect(contains("10.0.0.1", "10.0.0.1")).toBe(true);
    expect(contains("10.0.0.1", "10.0.0.2")).toBe(false);
  });

  it("is one address without its zone", () => {
    expect(parseCidr("fe80::1%eth0")).toEqual({ addressPrefix: "fe80::1", prefixLen: 128 });
    expect(contains("::1%1", "::1")).toBe(true);
  });

  it("never holds an address of the other family, mapped ones included", () => {
    expect(contains("::/0", "1.2.3.4")).toBe(false);
    expect(contains("0.0.0.0/0", "::ffff:1.2.3.4")).toBe(false);
    expect(contains("::ffff:1.2.3.4", "1.2.3.4")).toBe(false);
  });

  it("holds no absent address", () => {
    expect(compileCidr({ addressPrefix: "0.0.0.0", prefixLen: 0 })(undefined)).toBe(false);
  });

  it.each([
    "",
    "10.0.0.1/33",
    "::/129",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "a/8",
    "fe80::1%eth0/64",
    "::1%lo",
    "1.2.3.4%1",
  ])("is not %j", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  it("holds what Node's BlockList holds, for IPv4", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.ipV4(), (prefix, length, ip) => {
        const list = new BlockList();
        list.addSubnet(prefix, length, "ipv4");
        expect(contains(`${prefix}/${length}`, ip)).toBe(list.check(ip, "ipv4"));
      }),
    );
  });

  it("holds what Node's BlockList holds, for IPv6", () => {
    const near = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 }), fc.ipV6());
    fc.assert(
      fc.property(near, ([prefix, length, ip]) => {
        const list = new BlockList();
        list.addSubnet(prefix, length, "ipv6");
        expect(contains(`${prefix}/${length}`, ip)).toBe(list.check(ip, "ipv6"));
      }),
    );
  });
});
