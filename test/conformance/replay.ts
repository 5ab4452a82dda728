import { startSampleExtAuthz } from "../support/sample-ext-authz.js";
import { contextExtensions, encodeCheckRequest } from "./check-request.js";
import { disagreements } from "./compare.js";
import { configDocuments, type WorkloadFrom } from "./config-documents.js";
import type { CorpusCase } from "./corpus-case.js";
import { exceptions } from "./exceptions.js";
import { forwarded } from "./forwarded.js";
import { type GatehouseUnderTest, startGatehouse } from "./gatehouse.js";

/** A case that was not answered as a real Envoy answered. */
export interface Disagreement {
  readonly case: CorpusCase;
  readonly points: readonly string[];
}

/** The outcome of a replay. */
export interface Report {
  readonly cases: number;
  readonly sets: number;
  readonly agreed: number;
  readonly disagreed: readonly Disagreement[];
  /** Cases that were not asked, by reason. */
  readonly outOfScope: ReadonlyMap<string, number>;
}

/** A server waits for files to settle after each change, so several take turns. */
const SERVERS = 4;
/** Questions under way at one time, on each server. */
const PARALLEL = 16;

/** Replays cases through running servers: set by set, each set as the whole config of one of them. */
export async function replay(cases: readonly CorpusCase[], workloadFrom: WorkloadFrom): Promise<Report> {
  const outOfScope = new Map<string, number>();
  const sets = new Map<string, CorpusCase[]>();
  for (const one of cases) {
    const reason = notAsked(one);
    if (reason !== undefined) outOfScope.set(reason, (outOfScope.get(reason) ?? 0) + 1);
    else sets.set(one.set.id, [...(sets.get(one.set.id) ?? []), one]);
  }
  const provider = await startSampleExtAuthz();
  try {
    const queue = [...sets.values()];
    const disagreed: Disagreement[] = [];
    let loaded = 0;
    const lane = async (): Promise<void> => {
      const gatehouse = await startGatehouse();
      try {
        for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
          const options = { meshName: `set-${++loaded}`, workloadFrom, providerPort: provider.grpcPort };
          disagreed.push(...(await replaySet(gatehouse, group, options)));
        }
      } finally {
        // After an error the other lanes end too.
        queue.length = 0;
        await gatehouse.stop();
      }
    };
    await Promise.all(Array.from({ length: SERVERS }, lane));
    const asked = [...sets.values()].reduce((sum, group) => sum + group.length, 0);
    return { cases: cases.length, sets: sets.size, agreed: asked - disagreed.length, disagreed, outOfScope };
  } finally {
    await provider.stop();
  }
}

function notAsked({ set, check_request: request }: CorpusCase): string | undefined {
  if (request === undefined) return "Envoy's HTTP layer refused by itself, nobody was asked";
  const exception = exceptions.get(set.id);
  return exception === undefined ? undefined : `known exception: ${exception}`;
}

async function replaySet(
  gatehouse: GatehouseUnderTest,
  cases: readonly CorpusCase[],
  options: Parameters<typeof configDocuments>[1],
): Promise<Disagreement[]> {
  const set = cases[0]?.set;
  if (set === undefined) return [];
  const errors = await gatehouse.load(configDocuments(set, options), options.meshName);
  if (errors.length > 0) {
    const points = errors.map(({ code, message }) => `config refused: ${code} ${message}`);
    return cases.map((one) => ({ case: one, points }));
  }
  const extensions = options.workloadFrom === "context" ? contextExtensions(set) : {};
  const disagreed: Disagreement[] = [];
  const queue = [...cases];
  const ask = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const response = await gatehouse.check(encodeCheckRequest(one, extensions));
      const points = [...disagreements(one.expected, response), ...forwarded(one, response)];
      if (points.length > 0) disagreed.push({ case: one, points });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, ask));
  return disagreed;
}
