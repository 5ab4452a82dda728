/** `npm run bench:micro:authn [-- --write]`: what a verified caller costs, for each algorithm. */

import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type * as Authn from "../../src/authn/index.js";
import type * as Config from "../../src/config/index.js";
import type * as Envoy from "../../src/envoy/index.js";
import { loadProtos } from "../../src/server/protos.js";
import { countingPorts } from "../../test/support/counting.js";
import { telemetryPorts } from "../../test/support/telemetry-ports.js";
import { benchConfig, benchWorkload } from "../policies.js";
import { table, writeResults } from "../results.js";
import { benchAuthentication, benchSigners, requestWithToken, type Signer } from "../tokens.js";
import { fastest } from "./fastest.js";

/** As it is built: what runs the sources for a benchmark makes every function made per request dearer. */
const built = <Module>(name: string): Promise<Module> =>
  import(new URL(`../../dist/${name}/index.js`, import.meta.url).href) as Promise<Module>;
const { createTokenCache, createTokenVerifier } = await built<typeof Authn>("authn");
const { createAssembler, createCatalog } = await built<typeof Config>("config");
const { createAuthorization } = await built<typeof Envoy>("envoy");

const protos = loadProtos();
const signers = benchSigners();
const pause = async (): Promise<void> => {};

type Service = ReturnType<typeof Envoy.createAuthorization>;

/** A service with ten policies and one rule for tokens, or none. */
async function serviceWith(authenticates: boolean, cached: number): Promise<Service> {
  const documents = [
    ...benchConfig({ applicable: 10, loaded: 10 }),
    ...(authenticates ? [stringify(benchAuthentication(signers, benchWorkload.namespace))] : []),
  ];
  const files = [{ path: "bench.yaml", text: documents.join("---\n"), root: "." }];
  const update = await createCatalog({ pause }).update({ files, diagnostics: [], roots: [] });
  const snapshot = await createAssembler({
    pause,
    providers: () => undefined,
    jwt: {
      keys: () => ({ current: () => undefined, refresh: () => undefined }),
      verifier: createTokenVerifier(createTokenCache(cached, () => performance.now())),
    },
    introspection: () => {
      throw new Error("nothing is introspected here");
    },
    onAuthenticated: () => {},
    rego: () => {
      throw new Error("no Rego is evaluated here");
    },
    ...countingPorts(),
    telemetry: telemetryPorts(),
  }).apply(update);
  return createAuthorization({
    current: () => snapshot,
    decisionId: randomUUID,
    encode: protos.check.responseSerialize,
    now: () => performance.now(),
    wallClock: Date.now,
    observe: (decision) => {
      if (!decision.allowed) throw new Error(`the benchmark's request is refused: ${decision.reason}`);
    },
    onError: (error) => {
      throw error;
    },
  });
}

const check = (service: Service, bytes: Buffer): Uint8Array | Promise<Uint8Array> =>
  service.check(protos.check.requestDeserialize(bytes), bytes);

/** CPU microseconds of a check whose token nobody remembers. */
async function coldMicros(service: Service, { sign }: Signer): Promise<number> {
  const tokens = await Promise.all(Array.from({ length: 500 }, (_, i) => sign(String(i))));
  const requests = tokens.map((token) => requestWithToken(token));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 25; round++) {
    const before = process.cpuUsage();
    for (const bytes of requests) await check(service, bytes);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / requests.length);
  }
  return best;
}

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const plain = await serviceWith(false, 0);
const warm = await serviceWith(true, 10_000);
const cold = await serviceWith(true, 0);
const anonymous = requestWithToken(undefined);
const known = await Promise.all(
  signers.map(async (signer) => ({ ...signer, bytes: requestWithToken(await signer.sign("warm")) })),
);
for (const { bytes } of known) await check(warm, bytes);

const runs: Record<string, () => unknown> = {
  "no rule, no token": () => check(plain, anonymous),
  "rule, no token": () => check(warm, anonymous),
};
for (const { alg, bytes } of known) {
  runs[`no rule, ${alg} token`] = () => check(plain, bytes);
  runs[`remembered ${alg} token`] = () => check(warm, bytes);
}
const of = fastest(runs);
const rows: string[][] = [];
for (const signer of known) {
  const without = of(`no rule, ${signer.alg} token`);
  const remembered = of(`remembered ${signer.alg} token`);
  const first = await coldMicros(cold, signer);
  rows.push([
    signer.alg,
    without.toFixed(2),
    remembered.toFixed(2),
    (remembered - without).toFixed(2),
    (first - without).toFixed(0),
  ]);
}
const added = of("remembered RS256 token") - of("no rule, RS256 token");
const text = [
  `Whole check, bytes to bytes, ten policies: ${of("no rule, no token").toFixed(2)} µs; with a rule for tokens and no token ` +
    `${of("rule, no token").toFixed(2)} µs.`,
  "",
  table(["algorithm", "no rule, µs", "remembered, µs", "adds, µs", "first time adds, µs of CPU"], rows),
  "",
  table(
    ["target", "limit", "measured", ""],
    [
      [
        "a remembered RS256 token adds",
        "<= 10 µs",
        `${added.toFixed(2)} µs`,
        added <= 10 ? "met" : "not met",
      ],
    ],
  ),
].join("\n");
console.log(text);
if (values.write) writeResults("micro-authn", "Micro benchmarks: a verified caller", { rows }, text);
