import { GatehouseError } from "../diagnostics/index.js";
import { StoreError } from "../quota/index.js";
import { json, type PageAnswer, text } from "./admin.js";
import type {
  NoCounter,
  QuotaCounter,
  QuotaDesk,
  QuotaQuestion,
  RateLimitCounter,
  ResetCounters,
} from "./quota-desk.js";

const expected = "expected quota=NAMESPACE/NAME&dimension=NAME=VALUE… or domain=DOMAIN&descriptor=KEY=VALUE…";

/** How a counter stands. */
export function quotaPage(query: URLSearchParams, desk: QuotaDesk): Promise<PageAnswer> {
  return answered(query, async (question) => show(await desk.find(question)));
}

/** Forgets a counter. */
export function quotaResetPage(query: URLSearchParams, desk: QuotaDesk): Promise<PageAnswer> {
  return answered(query, async (question) => show(await desk.reset(question)));
}

async function answered(
  query: URLSearchParams,
  answer: (question: QuotaQuestion) => Promise<PageAnswer>,
): Promise<PageAnswer> {
  try {
    return await answer(readQuestion(query));
  } catch (error) {
    if (error instanceof StoreError) return text(503, `the counters cannot be reached: ${error.message}`);
    if (error instanceof GatehouseError && error.code === "bad_request") return text(400, error.message);
    throw error;
  }
}

/** Throws `bad_request`. */
function readQuestion(query: URLSearchParams): QuotaQuestion {
  const [quota, ...quotas] = query.getAll("quota");
  const [domain, ...domains] = query.getAll("domain");
  const dimensions = query.getAll("dimension");
  const descriptor = query.getAll("descriptor");
  const unknown = [...query.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) throw bad(`unknown parameter \`${unknown}\`, ${expected}`);
  if (quotas.length > 0 || domains.length > 0) throw bad(`more than one counter is named, ${expected}`);
  if (quota !== undefined && domain === undefined && descriptor.length === 0) {
    return { quota, dimensions };
  }
  if (domain !== undefined && quota === undefined && dimensions.length === 0 && descriptor.length > 0) {
    return { domain, entries: descriptor.map(readEntry) };
  }
  throw bad(`no counter is named, ${expected}`);
}

const known: ReadonlySet<string> = new Set(["quota", "dimension", "domain", "descriptor"]);

/** `KEY=VALUE`; without `=` the value is empty. */
function readEntry(pair: string): { readonly key: string; readonly value: string } {
  const end = pair.indexOf("=");
  return end < 0 ? { key: pair, value: "" } : { key: pair.slice(0, end), value: pair.slice(end + 1) };
}

function bad(message: string): GatehouseError {
  return new GatehouseError("bad_request", message);
}

function show(found: QuotaCounter | RateLimitCounter | ResetCounters | NoCounter): PageAnswer {
  switch (found.kind) {
    case "quota":
      return json(showQuota(found));
    case "rate_limit":
      return json(showRateLimit(found));
    case "reset":
      return json({ ...found.subject, keys: found.keys, counters_reset: found.counters });
    case "unlimited":
      return json({ ...found.subject, unlimited: true, allowed: true });
    case "unknown":
      return text(404, found.why);
  }
}

function showQuota({ quota, isGeneral, charge, state }: QuotaCounter): unknown {
  const { key, algorithm, limit, burst, windowMs, isTrial } = charge;
  return {
    quota,
    key,
    general: isGeneral,
    dry_run: isTrial,
    algorithm,
    limit,
    ...(algorithm === "tokenBucket" && { burst }),
    window_seconds: windowMs / 1000,
    remaining: state.remaining,
    allowed: state.allowed,
    reset_seconds: seconds(state.resetMs),
    retry_after_seconds: seconds(state.retryMs),
  };
}

function showRateLimit({ domain, limit, used }: RateLimitCounter): unknown {
  const { key, name, requestsPerUnit, unit, shadowMode, resetSeconds } = limit;
  return {
    domain,
    key,
    name: name === "" ? null : name,
    shadow_mode: shadowMode,
    limit: requestsPerUnit,
    unit,
    used,
    remaining: Math.max(0, requestsPerUnit - used),
    allowed: used < requestsPerUnit,
    reset_seconds: resetSeconds,
  };
}

function seconds(ms: number): number {
  return Math.ceil(ms / 100) / 10;
}
