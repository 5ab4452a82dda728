import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/attributes/index.js";

describe("an IP address", () => {
  it("is read as 32-bit words", () => {
    expect(parseIp("10.1.2.3")?.words).toEqual([0x0a010203]);
    expect(parseIp("2001:db8::1")?.words).toEqual([0x20010db8, 0, 0, 1]);
    expect(parseIp("255.255.255.255")?.words).toEqual([0xffffffff]);
  });

  it("stays IPv6 when it is a mapped IPv4 address", () => {
    expect(parseIp("::ffff:1.2.3.4")).toMatchObject({ family: 6, words: [0, 0, 0xffff, 0x01020304] });
  });

  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.4:80",
    "[::1]",
    "::1%eth0",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1.2.3.4::",
    " 1.2.3.4",
    ":::",
    ":1::",
  ])("is not %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  it("is what Node takes for one, for any text", () => {
    const texts = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ maxLength: 20 }),
      fc.ipV6().map((t) => t.replace("0", "00")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const family = text.includes("%") ? 0 : isIP(text);
        expect(parseIp(text)?.family ?? 0).toBe(family);
      }),
    );
  });

  it("has the words that Node compares by", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), (a, b) => {
        const list = new BlockList();
        list.addAddress(a, "ipv6");
        const same = JSON.stringify(parseIp(a)?.words) === JSON.stringify(parseIp(b)?.words);
        expect(same).toBe(list.check(b, "ipv6"));
      }),
    );
  });
});
