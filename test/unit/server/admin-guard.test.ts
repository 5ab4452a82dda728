import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAddress } from "../../../src/server/address.js";
import { createAdminGuard } from "../../../src/server/admin-guard.js";

let folder: string;
let tokenFile: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-"));
  tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "s3cret\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

function statusOf(
  options: Partial<Parameters<typeof createAdminGuard>[0]>,
  headers: object,
): number | undefined {
  const guard = createAdminGuard({
    address: parseAddress("127.0.0.1:8282"),
    hosts: ["Admin.Example.com"],
    tokenFile: undefined,
    ...options,
  });
  return guard({ headers } as IncomingMessage)?.status;
}

describe("the admin guard", () => {
  it.each([
    "127.0.0.1",
    "127.0.0.1:8282",
    "[::1]:8282",
    "localhost",
    "LOCALHOST:1",
    "10.1.2.3",
    "admin.example.com:80",
  ])("lets the Host header `%s` pass", (host) => {
    expect(statusOf({}, { host })).toBeUndefined();
  });

  it.each([
    "",
    "evil.example.com",
    "127.0.0.1.evil.example.com",
    "[localhost]",
    "localhost:80:80",
    "::1",
    "localhost@evil",
  ])("refuses the Host header `%s`, as DNS rebinding would send it", (host) => {
    expect(statusOf({}, { host })).toBe(403);
  });

  it("refuses a request without Host", () => {
    expect(statusOf({}, {})).toBe(403);
  });

  it("asks for the token when there is one", () => {
    const host = "localhost";
    expect(statusOf({ tokenFile }, { host })).toBe(401);
    expect(statusOf({ tokenFile }, { host, authorization: "Bearer wrong" })).toBe(401);
    expect(statusOf({ tokenFile }, { host, authorization: "s3cret" })).toBe(401);
    expect(statusOf({ tokenFile }, { host, authorization: "Bearer s3cret" })).toBeUndefined();
  });

  it("cannot be made beyond loopback without a token", () => {
    const address = parseAddress("0.0.0.0:8282");
    expect(() => statusOf({ address }, {})).toThrow(expect.objectContaining({ code: "bad_flag" }));
    expect(
      statusOf({ address, tokenFile }, { host: "10.0.0.1", authorization: "Bearer s3cret" }),
    ).toBeUndefined();
  });

  it("cannot be made with an empty or missing token", () => {
    const empty = join(folder, "empty");
    writeFileSync(empty, " \n");
    expect(() => statusOf({ tokenFile: empty }, {})).toThrow(/is empty/);
    expect(() => statusOf({ tokenFile: join(folder, "none") }, {})).toThrow(/cannot read/);
  });
});
