import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { type CheckClient, createCheckClient } from "../support/grpc-client.js";
import {
  countBy,
  type Gatehouse,
  makeRecordFolder,
  type RecordFolder,
  type RecordMesh,
  startGatehouse,
} from "../support/record-stage.js";
import { eventually, recordIn, requestFor, statusOf } from "../support/server-fixture.js";

// `strict`: no answer without its record on disk.

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Stage {
  readonly folder: RecordFolder;
  readonly gatehouse: Gatehouse;
  readonly client: CheckClient;
}

async function arrange(
  mesh: RecordMesh,
  flags: readonly string[] = [],
  prepare: (folder: RecordFolder) => number | undefined = () => undefined,
): Promise<Stage> {
  const folder = makeRecordFolder({ strict: true, ...mesh });
  undo.push(folder.remove);
  const gatehouse = await startGatehouse(folder.config, { flags, fileKiB: prepare(folder) });
  undo.push(gatehouse.kill);
  const client = createCheckClient(`127.0.0.1:${gatehouse.port}`);
  undo.push(client.close);
  return { folder, gatehouse, client };
}

describe("a strict log", () => {
  test.each([
    ["one process", []],
    ["two workers", ["--workers", "2"]],
  ] as const)(
    "%s: what was answered is on record, although the process is killed at once",
    async (_, flags) => {
      const { folder, gatehouse, client } = await arrange({}, flags);
      const others = Array.from({ length: 3 }, () => createCheckClient(`127.0.0.1:${gatehouse.port}`));
      for (const other of others) undo.push(other.close);
      const answered: string[] = [];
      const statuses = new Set<number>();
      const asking = [client, ...others].map(async ({ check }) => {
        for (;;) {
          const answer = await check(requestFor("/books"));
          statuses.add(statusOf(answer));
          answered.push(answer.dynamic_metadata?.fields?.["decision_id"]?.stringValue ?? "");
        }
      });
      await eventually(() => answered.length > 200, true, 30_000);
      gatehouse.child.kill("SIGKILL");
      await Promise.allSettled(asking);
      await gatehouse.child.exited;
      expect(statuses).toEqual(new Set([200]));
      const [decisions, audit] = [folder.decisions, folder.audit].map((file) => readFileSync(file, "utf8"));
      expect(answered.filter((id) => id === "" || !decisions?.includes(id))).toEqual([]);
      expect(answered.filter((id) => !audit?.includes(id))).toEqual([]);
      expect(new Set(answered).size).toBe(answered.length);
    },
  );

  test.each([
    ["one process", []],
    ["two workers", ["--workers", "2"]],
  ] as const)(
    "%s: on a full disk requests are refused with 500, until there is space again",
    async (_, flags) => {
      const { folder, gatehouse, client } = await arrange({ audits: false }, flags, ({ decisions }) => {
        // All but some 8 KiB of a MiB.
        writeFileSync(decisions, `${"{}".padEnd(1015)}\n`.repeat(1024));
        return 1024;
      });
      const ask = async (): Promise<string> => {
        const answer = await client.check(requestFor("/books"));
        return `${statusOf(answer)} ${String(recordIn(answer)["reason"])}`;
      };
      expect(await ask()).toMatch(/^200 /);
      let passed = 1;
      let last = "";
      for (; passed < 100; passed += 1) {
        last = await ask();
        if (!last.startsWith("200")) break;
      }
      expect(last).toBe("500 unrecorded");
      expect(await ask()).toBe("500 unrecorded");
      const full = readFileSync(folder.decisions, "utf8");
      expect(full.endsWith("\n")).toBe(true);
      expect((await countBy(folder.decisions, "decision_id")).lines).toBe(1024 + passed);
      expect((await gatehouse.sinks())["decisions/file"]?.dropped["not_stored"]).toBeGreaterThanOrEqual(2);
      renameSync(folder.decisions, `${folder.decisions}.1`);
      gatehouse.child.kill("SIGHUP");
      await eventually(async () => (await ask()).slice(0, 3), "200", 20_000);
      expect((await countBy(folder.decisions, "allowed")).values.get("true")).toBeGreaterThan(0);
    },
  );
});
