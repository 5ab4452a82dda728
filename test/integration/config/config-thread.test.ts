import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ConfigUpdate } from "../../../src/config/index.js";
import { pack, unpack } from "../../../src/server/config-messages.js";
import { type ConfigThread, startConfigThread } from "../../../src/server/config-thread.js";

const policy = (name: string, spec = "{rules: [{}]}"): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

let folder: string;
let thread: ConfigThread | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-thread-"));
});

afterEach(async () => {
  await thread?.close();
  rmSync(folder, { recursive: true });
});

const put = (text: string): void => writeFileSync(join(folder, "a.yaml"), text);

/** Starts the thread; `next` gives the updates one by one. */
const start = (allowEmpty = false): (() => Promise<ConfigUpdate>) => {
  const updates: ConfigUpdate[] = [];
  let wake = (): void => {};
  thread = startConfigThread({ paths: [folder], allowEmpty });
  thread.onUpdate((update) => {
    updates.push(update);
    wake();
  });
  return async () => {
    while (updates.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return updates.shift() as ConfigUpdate;
  };
};

describe("the configuration's thread", () => {
  it("gives the whole first, then each step", async () => {
    put(`${policy("a")}---\n${policy("b")}`);
    const next = start();
    const first = await next();
    expect(first.ok).toBe(true);
    expect(first.upserts.map(({ name }) => name)).toEqual(["a", "b"]);
    put(`${policy("a")}---\n${policy("c")}`);
    const second = await next();
    expect(second.upserts.map(({ name }) => name)).toEqual(["c"]);
    expect(second.removed).toEqual(["security.istio.io/AuthorizationPolicy/default/b"]);
  });

  it("says what is wrong and goes on", async () => {
    put(policy("a"));
    const next = start();
    await next();
    put(policy("a", "{action: PERMIT}"));
    expect(await next()).toMatchObject({
      ok: false,
      upserts: [],
      diagnostics: [{ code: "GH0103", file: join(folder, "a.yaml"), line: 4, column: 16 }],
    });
    put(policy("a", "{action: DENY, rules: [{}]}"));
    expect(await next()).toMatchObject({ ok: true, upserts: [{ name: "a" }] });
  });

  it("refuses an empty folder unless told that it may be", async () => {
    expect(await start()()).toMatchObject({ ok: false, diagnostics: [{ code: "GH0003", file: folder }] });
    await thread?.close();
    expect(await start(true)()).toMatchObject({ ok: true, upserts: [], diagnostics: [] });
  });

  it("refuses a folder that is suddenly without documents", async () => {
    put(policy("a"));
    const next = start();
    await next();
    put("# nothing\n");
    expect(await next()).toMatchObject({ ok: false, removed: [], diagnostics: [{ code: "GH0003" }] });
  });

  it("answers a reload even when nothing changed", async () => {
    put(policy("a"));
    const next = start();
    await next();
    thread?.reload();
    expect(await next()).toMatchObject({ ok: true, upserts: [], removed: [] });
  });

  it("keeps updates for a listener that comes late", async () => {
    put(policy("a"));
    thread = startConfigThread({ paths: [folder], allowEmpty: false });
    await sleep(3000);
    const first = await new Promise<ConfigUpdate>((resolve) => thread?.onUpdate(resolve));
    expect(first.upserts.map(({ name }) => name)).toEqual(["a"]);
  });
});

describe("a packed update", () => {
  it("is the same when unpacked, with a pause after each part", async () => {
    const upserts = Array.from({ length: 450 }, (_, i) => ({
      id: `i${i}`,
      kind: "Mesh",
      namespace: "default",
      name: "mesh",
      origin: { file: "a", line: i },
      hash: "h",
      spec: { labels: new Map([["a", "b"]]), absent: undefined },
    }));
    const update: ConfigUpdate = { ok: true, upserts, removed: ["x"], diagnostics: [], worst: undefined };
    let pauses = 0;
    const message = structuredClone(pack(update, new Map()));
    expect(
      await unpack(message, new Map(), async () => {
        pauses++;
      }),
    ).toEqual(update);
    expect(pauses).toBe(5);
  });

  it("does not carry again what only moved", async () => {
    const resource = {
      id: "i",
      kind: "Mesh",
      namespace: "default",
      name: "mesh",
      origin: { file: "a", line: 1 },
      hash: "h",
      spec: { a: "b" },
    };
    const step = { ok: true, removed: [], diagnostics: [], worst: undefined };
    const sent = new Map<string, string>();
    const pause = async (): Promise<void> => {};
    const first = await unpack(pack({ ...step, upserts: [resource] }, sent), new Map(), pause);
    const known = new Map(first.upserts.map((one) => [one.id, one]));
    const moved = { ...resource, origin: { file: "a", line: 5 } };
    const second = await unpack(pack({ ...step, upserts: [moved] }, sent), known, pause);
    expect(second.upserts).toEqual([moved]);
    expect(second.upserts[0]?.spec).toBe(first.upserts[0]?.spec);
  });
});
