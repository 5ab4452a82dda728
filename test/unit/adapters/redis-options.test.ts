import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type RedisStoreOptions,
  type RedisTarget,
  readRedisOptions,
} from "../../../src/adapters/redis-options.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-redis-options-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(url: string | readonly string[], options: Partial<RedisStoreOptions> = {}): RedisTarget {
  return readRedisOptions({ urls: typeof url === "string" ? [url] : url, cluster: false, ...options });
}

describe("options of a store on Redis", () => {
  test("come from the url", () => {
    const target = read("redis://me:p%40ss@redis.example:6380/3");
    expect(target).toMatchObject({
      addresses: [{ host: "redis.example", port: 6380 }],
      db: 3,
      username: "me",
      tls: undefined,
      timeoutMs: 150,
      keyPrefix: "gatehouse:",
      where: "redis.example:6380",
    });
    expect(target.password()).toBe("p@ss");
  });

  test("have defaults, and take IPv6", () => {
    expect(read("redis://[::1]")).toMatchObject({
      addresses: [{ host: "::1", port: 6379 }],
      db: 0,
      username: undefined,
      where: "[::1]:6379",
    });
  });

  test("ask for TLS by the scheme, and for the certificate of the url's host", () => {
    expect(read("rediss://redis.example").tls).toEqual({ servername: "redis.example" });
    expect(read("rediss://127.0.0.1").tls).toEqual({});
    expect(read("rediss://a", { tls: { servername: "b" } }).tls).toEqual({ servername: "b" });
    expect(read(["rediss://a", "rediss://b"], { cluster: true }).tls).toEqual({});
  });

  test("prefer user and password file to the url, and read the file each time", () => {
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, "one\n");
    const target = read("redis://me:secret@a", { username: "other", passwordFile });
    expect([target.username, target.password()]).toEqual(["other", "one"]);
    writeFileSync(passwordFile, "two");
    expect(target.password()).toBe("two");
  });

  test.each<[string, readonly string[], Partial<RedisStoreOptions>]>([
    ["no url of a redis server", [], {}],
    ["2 redis urls, expected one unless it is a cluster", ["redis://a", "redis://b"], {}],
    ["some redis urls are `rediss` and some are not", ["redis://a", "rediss://b"], { cluster: true }],
    ["database 1 in a redis url, a cluster has only database 0", ["redis://a/1"], { cluster: true }],
    ["bad redis url, expected", ["secret"], {}],
    ["bad redis url, expected", ["http://u:secret@a"], {}],
    ["bad redis url, expected", ["redis://u:secret@"], {}],
    ["bad redis url of `a`, expected", ["redis://u:secret@a/x"], {}],
    ["bad redis url of `a`, expected", ["redis://u:secret@a?b=c"], {}],
    ["bad percent-encoding in the user or password of the redis url of `a`", ["redis://u:secret%zz@a"], {}],
    ["bad timeout `0` for redis, expected milliseconds from 1 to 60000", ["redis://a"], { timeoutMs: 0 }],
    ["bad timeout `NaN` for redis", ["redis://a"], { timeoutMs: Number.NaN }],
    ["bad key prefix `{x}` for redis", ["redis://a"], { keyPrefix: "{x}" }],
    ["tls files for redis, but its url is not `rediss`", ["redis://a"], { tls: { caFile: "x" } }],
    ["needs both its certificate and its key", ["rediss://a"], { tls: { certFile: "x" } }],
    ["cannot read the ca file `/nowhere/ca` of redis", ["rediss://a"], { tls: { caFile: "/nowhere/ca" } }],
    ["cannot read the password file `/nowhere/p` of redis", ["redis://a"], { passwordFile: "/nowhere/p" }],
    ["the password file `/dev/null` of redis is empty", ["redis://a"], { passwordFile: "/dev/null" }],
  ])("are refused: %s", (message, urls, options) => {
    const read = (): RedisTarget => readRedisOptions({ urls, cluster: false, ...options });
    expect(read).toThrow(message);
    expect(read).not.toThrow("secret");
  });
});
