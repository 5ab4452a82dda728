import type { CounterStore } from "../../src/quota/index.js";
import {
  createLocalCache,
  createRateLimits,
  parseRateLimitFile,
  RateLimitError,
  type RateLimitFile,
  type RateLimitSettings,
  type RateLimits,
  readRateLimitSettings,
} from "../../src/ratelimit/index.js";
import { type RateLimitCase, type ResponseJson, requestOf, responseOf } from "./ratelimit-case.js";

/** What our module made of a config's steps. */
export interface Replayed {
  /** For each step an answer or an error's text; undefined where the module has no part in it. */
  readonly steps: readonly (ResponseJson | string | undefined)[];
  /** By the peer's names. */
  readonly statistics: Readonly<Record<string, string>>;
}

/** Runs a config's requests in order on the module alone; time stands still at the time of recording. */
export async function replayRateLimits(
  one: RateLimitCase,
  store: CounterStore,
  sharedKeys: boolean,
): Promise<Replayed> {
  const settings = { ...settingsOf(one.env), sharedKeys };
  const counted = new Map<string, number>();
  const count = (name: string, hits: number) => counted.set(name, (counted.get(name) ?? 0) + hits);
  const ports = {
    settings,
    store,
    now: () => one.clock_unix * 1000,
    random: () => 0.5,
    localCache: settings.localCacheBytes === 0 ? undefined : createLocalCache(settings.localCacheBytes),
    observer: {
      counted: (path: readonly string[], kind: string, hits: number) =>
        count(`${sanitised(path.join("."))}.${kind}`, hits),
      domainNotFound: (domain: string) => count(`${sanitised(domain)}.domain_not_found`, 1),
    },
  };
  const load = (files: Readonly<Record<string, string>>): RateLimits =>
    createRateLimits(Object.values(files).map(parse), undefined, ports);
  let limits = load(one.files);
  const steps: (ResponseJson | string | undefined)[] = [];
  for (const step of one.steps) {
    if (step.files !== undefined) {
      limits = load(step.files);
    }
    if (step.request === undefined) {
      steps.push(undefined);
      continue;
    }
    try {
      const answer = await limits.decide(requestOf(step.request));
      steps.push(responseOf(answer, settings.headers?.reset ?? ""));
    } catch (error) {
      if (!(error instanceof RateLimitError)) {
        throw error;
      }
      steps.push(error.message);
    }
  }
  const names = [...counted].filter(([name]) => !name.includes("\n")).sort(([a], [b]) => (a < b ? -1 : 1));
  return { steps, statistics: Object.fromEntries(names.map(([name, hits]) => [name, String(hits)])) };
}

/** Characters that the peer cannot send to its statistics. */
function sanitised(name: string): string {
  return name
    .replace(/[:|]/g, "_")
    .replace(/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/g, (address) => address.replaceAll(".", "_"));
}

function settingsOf(env: Readonly<Record<string, string>>): RateLimitSettings {
  const { settings, problems } = readRateLimitSettings(env);
  if (problems.length > 0) {
    throw new Error(problems.join("; "));
  }
  return settings;
}

function parse(text: string): RateLimitFile {
  const { spec, findings } = parseRateLimitFile(text);
  if (spec === undefined) {
    throw new Error(findings.map(({ message }) => message).join("; "));
  }
  return spec;
}
