import { describe, expect, it } from "vitest";
import { formatAddress, isLoopback, parseAddress } from "../../../src/server/address.js";

describe("an address", () => {
  it.each([
    ["127.0.0.1:9191", { kind: "tcp", host: "127.0.0.1", port: 9191 }],
    ["[::1]:0", { kind: "tcp", host: "::1", port: 0 }],
    ["localhost:65535", { kind: "tcp", host: "localhost", port: 65_535 }],
    ["unix:/run/gatehouse.sock", { kind: "unix", path: "/run/gatehouse.sock" }],
  ] as const)("is read from %s and written the same", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(parseAddress(text))).toBe(text);
  });

  it("may be a unix URI", () => {
    expect(parseAddress("unix:///run/gatehouse.sock")).toEqual({ kind: "unix", path: "/run/gatehouse.sock" });
  });

  it.each([
    "",
    ":80",
    "localhost",
    "localhost:",
    "localhost:65536",
    "::1:80",
    "[localhost]:80",
    "a:b:1",
    "unix:",
  ])("is not `%s`", (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: "bad_address" }));
  });

  it.each([
    ["127.0.0.1:1", true],
    ["127.8.8.8:1", true],
    ["[::1]:1", true],
    ["localhost:1", true],
    ["unix:/x", true],
    ["0.0.0.0:1", false],
    ["[::]:1", false],
    ["127.evil.example:1", false],
    ["10.0.0.1:1", false],
  ])("%s stays on this machine: %s", (text, expected) => {
    expect(isLoopback(parseAddress(text))).toBe(expected);
  });
});
