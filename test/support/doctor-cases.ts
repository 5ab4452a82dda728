import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { codes } from "../../src/diagnostics/index.js";
import { fixOf, type PolicyFacts } from "../../src/doctor/index.js";

/** A bootstrap as plain data. */
export type Bootstrap = Record<string, unknown>;

/** A code of the doctor with a configuration that has it and one that has not. */
export interface DoctorCase {
  readonly code: string;
  /** Which of the cases with this code. */
  readonly name: string;
  readonly bad: Bootstrap;
  readonly good: Bootstrap;
  /** The bad one with the fix that the doctor prints, where that is a piece of one part. */
  readonly mended: Bootstrap | undefined;
  /** Of a code that is found with policies only. */
  readonly facts: PolicyFacts | undefined;
}

/** Policies that need nothing of Envoy. */
export const noNeeds: PolicyFacts = {
  readsHeaders: new Set(),
  readsAnyHeader: false,
  readsSourceIp: false,
  readsPeer: false,
  hasBodyPolicies: false,
  bodyPolicies: [],
  maxBodyBytes: undefined,
  maxResponseBytes: undefined,
  trustsEnvoyJwt: false,
  xff: undefined,
};

interface Written {
  readonly code: string;
  readonly bad: Change;
  readonly good?: Change;
  readonly fix?: string;
  /** BodyPolicies in force. */
  readonly bodies?: PolicyFacts["bodyPolicies"];
}
type Change = Readonly<Record<string, unknown>>;
type Part = Record<string, unknown>;
interface Filter {
  name: string;
  typed_config: Part;
}

const USUAL = ["peer", "ext_authz", "ext_proc", "router"];

function read(name: string): unknown {
  const text = readFileSync(new URL(`../unit/doctor/${name}`, import.meta.url), "utf8");
  // Aliases are read as copies, so that no case changes another.
  return JSON.parse(JSON.stringify(parse(text)));
}

/** The bootstrap without findings. */
export function baseBootstrap(): Bootstrap {
  return changed({});
}

/** All cases of `test/unit/doctor/cases.yaml`. */
export function doctorCases(): readonly DoctorCase[] {
  const written = read("cases.yaml") as Written[];
  const seen = new Map<string, number>();
  return written.map(({ code, bad, good, fix, bodies }) => {
    const nth = (seen.get(code) ?? 0) + 1;
    seen.set(code, nth);
    return {
      code,
      name: `${code} #${nth}`,
      bad: changed(bad),
      good: changed(good ?? {}),
      mended: fix === undefined ? undefined : changed(bad, [fix, fixFor(code)]),
      facts: bodies === undefined ? undefined : { ...noNeeds, hasBodyPolicies: true, bodyPolicies: bodies },
    };
  });
}

function fixFor(code: string): Part {
  const row = Object.values(codes).find((one) => one.code === code);
  return row === undefined ? {} : (parse(fixOf(row)) as Part);
}

function changed(
  { filters, more, clusters, ...parts }: Change,
  fix?: readonly [part: string, change: Part],
): Bootstrap {
  const root = read("base.yaml") as Part & { static_resources: { listeners: Part[]; clusters: Part[] } };
  const all = read("filters.yaml") as Record<string, Filter>;
  const [listener, ...none] = root.static_resources.listeners as [Part & { filter_chains: [Part] }];
  const chain = listener.filter_chains[0] as Part & { filters: [Filter] };
  const hcm = chain.filters[0].typed_config as Part & {
    access_log: [Filter];
    http_filters: unknown[];
    route_config: { virtual_hosts: [Part & { routes: [Part] }] };
  };
  const host = hcm.route_config.virtual_hosts[0];
  if (none.length > 0) throw new Error("the base has one listener");
  const places: Record<string, Part | undefined> = {
    root,
    admin: root["admin"] as Part,
    listener,
    chain,
    hcm,
    host,
    route: host.routes[0],
    log: hcm.access_log[0].typed_config,
    gatehouse: root.static_resources.clusters[0],
  };
  hcm.http_filters = ((filters ?? USUAL) as string[]).map((name) => {
    const filter = all[name];
    if (filter === undefined) throw new Error(`no filter \`${name}\``);
    return filter;
  });
  for (const [name, change] of [...Object.entries(parts), ...(fix === undefined ? [] : [fix])]) {
    const place = places[name] ?? all[name]?.typed_config;
    if (place === undefined) throw new Error(`no part \`${name}\``);
    merge(place, structuredClone(change) as Part);
  }
  root.static_resources.listeners.push(...((more ?? []) as Part[]));
  root.static_resources.clusters.push(...((clusters ?? []) as Part[]));
  return root;
}

/** RFC 7396 */
function merge(into: Part, change: Part): void {
  for (const [key, value] of Object.entries(change)) {
    const before = into[key];
    if (value === null) delete into[key];
    else if (isPart(value) && isPart(before)) merge(before, value);
    else into[key] = value;
  }
}

function isPart(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
