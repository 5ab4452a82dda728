import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createRedisStore, type RedisStoreOptions } from "../../src/adapters/index.js";
import type { CounterStore } from "../../src/quota/index.js";
import { makeAuthority } from "../support/certificates.js";
import { aCharge } from "../support/counter-store-subject.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.js";

// The server of the package speaks no TLS, so a proxy ends it. The user may do no more than a store needs.
const rights = "+evalsha +eval +get +set +del +time +pttl +incrby +expire +exists";
const acl = `on >p@ss:w/rd ~gatehouse:* ~k* resetchannels -@all ${rights}`;

let server: RedisServer;
let proxy: TcpProxy;
let folder: string;
let file: (name: string) => string;
const authority = makeAuthority();
beforeAll(async () => {
  server = await startRedis();
  const admin = new Redis(server.url);
  await admin.acl("SETUSER", "counter", ...acl.split(" "));
  await admin.acl("SETUSER", "default", "off");
  admin.disconnect();
  const pair = authority.issue({ commonName: "redis", dns: ["localhost"] });
  proxy = await startTcpProxy(server.port, { tls: { ...pair, clientCa: authority.cert } });
  folder = mkdtempSync(join(tmpdir(), "gatehouse-redis-tls-"));
  file = (name) => join(folder, name);
  const client = authority.issue({ commonName: "gatehouse" });
  writeFileSync(file("ca.pem"), authority.cert);
  writeFileSync(file("other-ca.pem"), makeAuthority("another").cert);
  writeFileSync(file("cert.pem"), client.cert);
  writeFileSync(file("key.pem"), client.key);
  writeFileSync(file("password"), "p@ss:w/rd\n");
  writeFileSync(file("rotated"), "not-yet");
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

const stores: CounterStore[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

function open(options: Partial<RedisStoreOptions> = {}, lines: string[] = []): CounterStore {
  const say = (fields: object, message: string): void => void lines.push(message + JSON.stringify(fields));
  const store = createRedisStore(
    {
      urls: [`rediss://localhost:${proxy.port}`],
      cluster: false,
      timeoutMs: 5_000,
      username: "counter",
      passwordFile: file("password"),
      tls: { caFile: file("ca.pem"), certFile: file("cert.pem"), keyFile: file("key.pem") },
      ...options,
    },
    { logger: { info: say, warn: say } },
  );
  stores.push(store);
  return store;
}

describe("a store on Redis behind TLS", () => {
  test("needs no rights but those of its scripts, and uses user and password file", async () => {
    const store = open();
    const one = aCharge({ id: "once" });
    const { allowed, atMs } = await store.charge([one, aCharge()]);
    expect(allowed).toBe(true);
    await store.refund([one], atMs);
    await store.look([one]);
    const additions = [1, -1].map((hits) => ({ key: "k", hits, ttlSeconds: 5, limit: 1 }));
    expect(await store.add({ group: "g", additions, stopsWhenOver: true })).toEqual([1, 0]);
    expect(await store.read([{ group: "g", key: "k" }])).toEqual([0]);
    expect(await store.reset([{ group: "g", key: "k" }])).toBe(1);
  });

  test("takes user and password from the URL, percent-decoded", async () => {
    const urls = [`rediss://counter:p%40ss%3Aw%2Frd@localhost:${proxy.port}`];
    const store = open({ urls, username: undefined, passwordFile: undefined });
    expect((await store.charge([aCharge()])).allowed).toBe(true);
  });

  test("refuses a server whose certificate is from somebody else, or for another name", async () => {
    const lines: string[] = [];
    const tls = { certFile: file("cert.pem"), keyFile: file("key.pem") };
    const strangers = open({ tls: { ...tls, caFile: file("other-ca.pem") } }, lines);
    await expect(strangers.charge([aCharge()])).rejects.toMatchObject({ fault: "unavailable" });
    const misnamed = open({ tls: { ...tls, caFile: file("ca.pem"), servername: "redis.example" } }, lines);
    await expect(misnamed.charge([aCharge()])).rejects.toMatchObject({ fault: "unavailable" });
    expect(lines.join()).toMatch(/SELF_SIGNED|UNABLE_TO/);
    expect(lines.join()).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  test("reads the password again for the next connection", async () => {
    const store = open({ passwordFile: file("rotated") });
    await expect(store.charge([aCharge()])).rejects.toMatchObject({ fault: "unavailable" });
    writeFileSync(file("rotated"), "p@ss:w/rd");
    for (let i = 0; i < 100; i++) {
      const passed = await Promise.resolve(store.charge([aCharge()])).then(
        () => true,
        () => false,
      );
      if (passed) return;
      await sleep(100);
    }
    throw new Error("the password was not read again");
  });
});
