import type { KeyState } from "../adapters/index.js";
import { json, metricsPage, type Page, type PageAnswer, type Pieces } from "./admin.js";
import type { ConfigState } from "./configuration.js";
import { decisionsPage, type FindDecisions } from "./decisions-page.js";
import type { QuotaDesk } from "./quota-desk.js";
import { quotaPage, quotaResetPage } from "./quota-page.js";

/** What the admin pages show. */
export interface Observable {
  configuration(): ConfigState;
  /** Why no traffic should come; empty: it may. */
  notReady(): readonly string[];
  /** What an operator should mend although all works. */
  warnings(): readonly string[];
  /** Of the issuers whose keys are fetched. */
  keys(): readonly KeyState[];
  /** In pieces, see `metricPieces`. */
  metrics(): Promise<Pieces>;
  readonly decisions: FindDecisions;
  /** Counters of quotas and rate limits. */
  readonly quota: QuotaDesk;
  readonly version: string;
}

/** What may be shown to other machines: metrics and health. */
export function publicPages(observable: Observable): Map<string, Page> {
  return new Map<string, Page>([
    ["/metrics", async () => metricsPage(await observable.metrics())],
    ["/healthz", () => json({ alive: true })],
    ["/readyz", () => readiness(observable)],
  ]);
}

/** All pages of the admin address. */
export function adminPages(observable: Observable): Map<string, Page> {
  return new Map<string, Page>([
    ...publicPages(observable),
    ["/", () => index(observable)],
    ["/config", () => json(describeConfig(observable.configuration()))],
    ["/keys", () => json({ sources: observable.keys().map(describeKeys) })],
    ["/decisions", (query) => decisionsPage(query, observable.decisions)],
    ["/quota", (query) => quotaPage(query, observable.quota)],
    ["/version", () => json({ name: "gatehouse", version: observable.version, node: process.version })],
  ]);
}

/** What the admin address does when it is told to by POST. */
export function adminActions(observable: Observable): Map<string, Page> {
  return new Map<string, Page>([["/quota/reset", (query) => quotaResetPage(query, observable.quota)]]);
}

function readiness(observable: Observable): PageAnswer {
  const reasons = observable.notReady();
  return json(
    { ready: reasons.length === 0, reasons, warnings: observable.warnings() },
    reasons.length === 0 ? 200 : 503,
  );
}

function describeConfig(state: ConfigState): unknown {
  const { lastReload } = state;
  return {
    generation: state.generation,
    last_reload:
      lastReload === undefined
        ? null
        : {
            time: new Date(lastReload.time).toISOString(),
            result: lastReload.result,
            error: state.lastError ?? null,
          },
    diagnostics: state.diagnostics,
    resources: [...state.resources.values()].map(({ resource, generation }) => ({
      id: resource.id,
      kind: resource.kind,
      namespace: resource.namespace,
      name: resource.name,
      file: resource.origin.file,
      line: resource.origin.line,
      generation,
    })),
  };
}

function describeKeys(source: KeyState): unknown {
  const { fetchedAt, ageMs, nextFetchInMs, lastError } = source;
  return {
    issuer: source.issuer,
    jwks_uri: source.jwksUri ?? null,
    state: source.state,
    keys: source.keys,
    fetched_at: fetchedAt === undefined ? null : new Date(fetchedAt).toISOString(),
    age_seconds: seconds(ageMs),
    next_fetch_in_seconds: seconds(nextFetchInMs),
    last_error: lastError?.reason ?? null,
    last_error_status: lastError?.status ?? null,
    last_error_at: lastError === undefined ? null : new Date(lastError.at).toISOString(),
    consecutive_failures: source.failures,
  };
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms / 100) / 10;
}

const LINKS: readonly (readonly [path: string, what: string])[] = [
  ["/config", "resources in force, findings in the files, last reload"],
  [
    "/decisions",
    "the last decisions and what became of them; ?denied=true, ?policy=NAMESPACE/NAME, ?path=/…, ?limit=N",
  ],
  ["/decisions?denied=true&limit=50", "the last refusals"],
  ["/keys", "issuers whose keys are fetched: how old they are, which, the last error"],
  ["/metrics", "metrics in Prometheus' text form"],
  ["/readyz", "whether traffic may come, and warnings"],
  ["/healthz", "whether the process is alive"],
  ["/version", "versions"],
];

/** Pages that need to be told what is wanted. */
const QUOTA = "/quota?quota=NAMESPACE/NAME&dimension=NAME=VALUE";
const RATE_LIMIT = "/quota?domain=DOMAIN&descriptor=KEY=VALUE";

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#1b2733}" +
  "h1{font-size:1.4rem}td{padding:.3rem 1.2rem .3rem 0;vertical-align:top}a{color:#0b63c5}" +
  "code{font:14px ui-monospace,monospace}.bad{color:#b3261e}";

function index(observable: Observable): PageAnswer {
  const state = observable.configuration();
  const reasons = observable.notReady();
  const status = reasons.length === 0 ? "ready" : `not ready: ${reasons.join("; ")}`;
  const rows = LINKS.map(
    ([path, what]) =>
      `<tr><td><a href="${escapeHtml(path)}"><code>${escapeHtml(path)}</code></a></td><td>${escapeHtml(what)}</td></tr>`,
  );
  const body = [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Gatehouse</title>',
    `<style>${STYLE}</style><h1>Gatehouse ${escapeHtml(observable.version)}</h1>`,
    `<p${reasons.length === 0 ? "" : ' class="bad"'}>${escapeHtml(status)}; generation ${state.generation},`,
    `${state.resources.size} resources, ${state.diagnostics.length} findings.</p>`,
    ...observable.warnings().map((warning) => `<p class="bad">${escapeHtml(warning)}</p>`),
    `<table>${rows.join("")}</table>`,
    `<p>A counter: <code>${escapeHtml(QUOTA)}</code> or <code>${escapeHtml(RATE_LIMIT)}</code></p></html>`,
  ];
  return { status: 200, type: "text/html; charset=utf-8", body: `${body.join("\n")}\n` };
}

function escapeHtml(value: string): string {
  return value.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
