import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createOpaCache, distrust, type OpaCacheOptions } from "../../../src/adapters/opa-cache.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gatehouse-opa-cache-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const key = (letter: string): string => letter.repeat(64);
const result = { wasm: new Uint8Array([0, 97, 115, 109]), findings: [], text: "ä" };
const inFolder = (options: Partial<OpaCacheOptions> = {}) =>
  createOpaCache({ folder: join(root, "cache"), ...options });
const onlyFile = (): string => join(root, "cache", readdirSync(join(root, "cache"))[0] ?? "");

describe("the cache of compiled policies", () => {
  test("without a folder remembers within the process", async () => {
    const cache = createOpaCache();
    await cache.put(key("a"), result);
    expect(await cache.get(key("a"))).toEqual(result);
    expect(await cache.get(key("b"))).toBeUndefined();
  });

  test("with a folder remembers over a restart, bytes and text as they were", async () => {
    await inFolder().put(key("a"), result);
    expect(await inFolder().get(key("a"))).toEqual(result);
  });

  test("gives each caller its own bytes", async () => {
    const cache = inFolder();
    await cache.put(key("a"), result);
    const first = (await cache.get(key("a"))) as typeof result;
    first.wasm.fill(9);
    expect(await cache.get(key("a"))).toEqual(result);
  });

  test("makes folder and files for this user alone", async () => {
    await inFolder().put(key("a"), result);
    expect(statSync(join(root, "cache")).mode & 0o777).toBe(0o700);
    expect(statSync(onlyFile()).mode & 0o777).toBe(0o600);
  });

  test("leaves only whole entries, none half written", async () => {
    await Promise.all(["a", "b", "c"].map((letter) => inFolder().put(key(letter), result)));
    expect(readdirSync(join(root, "cache")).sort()).toEqual(
      ["a", "b", "c"].map((name) => `${key(name)}.opa`),
    );
  });

  test.each<[string, (content: Buffer) => Buffer]>([
    ["a changed byte", (content) => Buffer.concat([content.subarray(0, -1), Buffer.from([1])])],
    ["a missing end", (content) => content.subarray(0, -3)],
    ["nothing in it", () => Buffer.alloc(0)],
    ["other content", () => Buffer.from("hello")],
  ])("takes an entry with %s for none and removes it", async (_, damage) => {
    await inFolder().put(key("a"), result);
    writeFileSync(onlyFile(), damage(readFileSync(onlyFile())));
    expect(await inFolder().get(key("a"))).toBeUndefined();
    expect(readdirSync(join(root, "cache"))).toEqual([]);
  });

  test("takes an entry under another's name for none", async () => {
    await inFolder().put(key("a"), result);
    writeFileSync(join(root, "cache", `${key("b")}.opa`), readFileSync(onlyFile()));
    expect(await inFolder().get(key("b"))).toBeUndefined();
  });

  test("removes the entries that were not used for the longest time when there is too much", async () => {
    const cache = inFolder({ maxDiskBytes: 3_500 });
    const large = { text: "x".repeat(1_000) };
    for (const [age, letter] of ["a", "b", "c"].entries()) {
      await cache.put(key(letter), large);
      const then = new Date(Date.now() - 100_000 + age * 1_000);
      utimesSync(join(root, "cache", `${key(letter)}.opa`), then, then);
    }
    await inFolder().get(key("a"));
    await cache.put(key("d"), large);
    const left = readdirSync(join(root, "cache")).map((name) => name[0]);
    expect(left.sort()).toEqual(["a", "c", "d"]);
  });

  test("does not use a folder that others may write to, and says why", async () => {
    const reasons: string[] = [];
    const open = join(root, "cache");
    await inFolder().put(key("a"), result);
    chmodSync(open, 0o770);
    const cache = inFolder({ onUnusable: (reason) => reasons.push(reason) });
    expect(await cache.get(key("a"))).toBeUndefined();
    await cache.put(key("b"), result);
    expect(readdirSync(open)).toHaveLength(1);
    expect(reasons).toEqual([`\`${open}\` is not used: others may write to it`]);
  });

  test("does not use a folder of another user, nor a file", () => {
    const found = statSync(root);
    expect(distrust(found, found.uid)).toBeUndefined();
    expect(distrust(found, found.uid + 1)).toBe("it belongs to another user");
    writeFileSync(join(root, "file"), "");
    expect(distrust(statSync(join(root, "file")), found.uid)).toBe("it is no folder");
  });

  test("works without the folder when it cannot be made", async () => {
    writeFileSync(join(root, "cache"), "");
    const reasons: string[] = [];
    const cache = inFolder({ onUnusable: (reason) => reasons.push(reason) });
    await cache.put(key("a"), result);
    expect(await cache.get(key("a"))).toEqual(result);
    expect(reasons).toHaveLength(1);
  });
});
