import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bigCellsOf,
  type Cell,
  type Configured,
  cellsOf,
  directions,
  everyMode,
  everyModeBig,
  overCellsOf,
  protocolsOf,
} from "../support/ext-proc-cells.js";
import { listenerOf, procCounters } from "../support/ext-proc-envoy.js";
import { differenceOf, expectedOf, outcomeOf } from "../support/ext-proc-expected.js";
import { askOf, eachOf, type ProcStage, startProcStage } from "../support/ext-proc-stage.js";

// Every way a body can come, be changed and be refused, through a real Envoy, as the client and the upstream see it.

const atOnce = 8;

let stage: ProcStage;
beforeAll(async () => {
  stage = await startProcStage([...everyMode, ...everyModeBig].map(listenerOf));
});
afterAll(() => stage?.stop());

async function differenceIn(cell: Cell): Promise<string | undefined> {
  const got = await stage.send(askOf(cell));
  const difference = differenceOf(expectedOf(cell), outcomeOf(cell, got, stage.upstreams.seen.get(cell.id)));
  return difference === undefined ? undefined : `${cell.id}: ${difference}`;
}

async function differencesIn(cells: readonly Cell[], lanes = atOnce): Promise<readonly string[]> {
  const all = await eachOf(cells, lanes, differenceIn);
  return all.filter((one) => one !== undefined);
}

function itsCounters(configured: Configured): void {
  test("Envoy has nothing to object to, and no stream is left", async () => {
    await expect
      .poll(() => procCounters(stage.envoy, configured.name).then(summaryOf), { timeout: 5_000 })
      .toEqual({ spurious: 0, rejected: 0, failed: 0, late: 0, open: 0 });
  });
}

function summaryOf(counters: ReadonlyMap<string, number>): Record<string, number> {
  const at = (name: string): number => counters.get(name) ?? Number.NaN;
  return {
    spurious: at("spurious_msgs_received"),
    rejected: at("rejected_header_mutations"),
    failed: at("streams_failed"),
    late: at("message_timeouts"),
    open: at("streams_started") - at("streams_closed"),
  };
}

describe.each(everyMode)("bodies in $name", (configured) => {
  test.each(
    protocolsOf(configured).flatMap((protocol) => directions.map((direction) => ({ protocol, direction }))),
  )("a $direction over $protocol comes out as it should", async ({ protocol, direction }) => {
    expect(await differencesIn(cellsOf(configured, protocol, direction))).toEqual([]);
  });

  itsCounters(configured);
});

describe.each(everyModeBig)("10 MB in $name", (configured) => {
  test("come out as they should", async () => {
    expect(await differencesIn(bigCellsOf(configured), 1)).toEqual([]);
  });

  itsCounters(configured);
});

test("a body that is longer than what Envoy buffers goes on as a whole, changed where it is to be, or not at all", async () => {
  expect(await differencesIn(everyMode.flatMap(overCellsOf))).toEqual([]);
});

test("nothing was thrown in the service, and none of its streams is left", async () => {
  await expect.poll(() => stage.service.streams(), { timeout: 5_000 }).toBe(0);
  expect(stage.errors).toEqual([]);
});
