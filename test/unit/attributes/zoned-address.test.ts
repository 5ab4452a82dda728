import { describe, expect, it } from "vitest";
import { parseIp, parseZonedIp } from "../../../src/attributes/index.js";

describe("an address with a zone", () => {
  it.each(["2001:db8::1%1", "fe80::1%eth0", "ff02::1%lo"])("%s is the address", (text) => {
    expect(parseZonedIp(text)).toEqual(parseIp(text.slice(0, text.indexOf("%"))));
  });

  it.each(["2001:db8::1%eth0", "2001:db8::1%", "1.2.3.4%1", "fe80::1%a b", "%1"])("%s is none", (text) => {
    expect(parseZonedIp(text)).toBeUndefined();
  });

  it("is not what a policy may name", () => {
    expect(parseIp("fe80::1%eth0")).toBeUndefined();
  });
});
