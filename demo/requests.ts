import { platform } from "node:process";
import type { HttpAnswer } from "../test/support/http.js";

/** A request of the demo and what is right for it. */
export interface DemoRequest {
  readonly method: string;
  readonly path: string;
  /** `<NAME>` in a value is one of the tokens and keys that the demo has made. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The address to come from, where it is not 127.0.0.1. */
  readonly from?: string;
  /** NAMESPACE/SERVICE_ACCOUNT of the client certificate; absent: plain HTTP. */
  readonly as?: string;
  /** By the Envoy that sees bodies, too. */
  readonly isProcessed?: true;
  readonly status: number;
  /** Where it says more than that. */
  readonly body?: string;
  /** What some headers of the answer must have in them. */
  readonly tells?: Readonly<Record<string, string>>;
  /** What the upstream must see of some headers; null: not at all. */
  readonly upstream?: Readonly<Record<string, string | null>>;
  /** The policy that decides, or {@link RATE_LIMITS}; absent: refused since no ALLOW policy matches. */
  readonly policy?: string;
}

/** What the upstream answers on a path, where it does not tell what it got. */
export const ANSWERS: ReadonlyMap<string, unknown> = new Map([
  ["/readers/7", { name: "Ida", email: "ida@example.com", cards: ["4111111111111111", "5500005555555559"] }],
]);

/** Who refuses what policies allowed, where Envoy's rate limit filter does. */
export const RATE_LIMITS = "rate limit service";

const reader = { "x-reader": "ann" };
/** A review, of which policies/demo/quotas.yaml lets everybody write two at once. */
const review = (reader: string): Pick<DemoRequest, "method" | "path" | "headers"> => ({
  method: "POST",
  path: "/books/42/reviews",
  headers: { "x-reader": reader },
});
/** A cover, of which policies/demo/limits.yaml gives each address three. */
const cover = { method: "GET", path: "/covers/42.jpg" };
/** A reader's page, which policies/demo/readers.yaml shows masked to all but the support. */
const page = { method: "GET", path: "/readers/7", isProcessed: true, status: 200 } as const;
const statusHost = { host: "status.bookshop.example" };

/** What the demo sends, for the policies in `policies/demo`. */
export const REQUESTS: readonly DemoRequest[] = [
  { method: "GET", path: "/", status: 200, policy: "bookshop/books-public" },
  { method: "GET", path: "/books/42", status: 200, policy: "bookshop/books-public" },
  { method: "POST", path: "/books/42", status: 403 },
  { method: "POST", path: "/books/42/reviews", status: 403 },
  {
    method: "POST",
    path: "/books/42/reviews",
    headers: reader,
    status: 200,
    policy: "bookshop/books-reviews",
  },
  { method: "GET", path: "/admin/users", status: 403, policy: "bookshop/admin-only" },
  { method: "GET", path: "/books/..//admin/users", status: 403, policy: "bookshop/admin-only" },
  { method: "GET", path: "/healthz", headers: statusHost, status: 200, policy: "bookshop/books-public" },
  { method: "GET", path: "/books/42", headers: statusHost, status: 403, policy: "bookshop/status-only" },
  { method: "GET", path: "/metrics", headers: { "x-forwarded-for": "127.0.0.2" }, status: 403 },
  // Only Linux answers on all of 127.0.0.0/8 without being told.
  ...(platform === "linux"
    ? [{ method: "GET", path: "/metrics", from: "127.0.0.2", status: 200, policy: "bookshop/books-metrics" }]
    : []),
  { method: "GET", path: "/account", status: 403 },
  {
    method: "GET",
    path: "/account",
    headers: { authorization: "Bearer <good token>" },
    status: 200,
    policy: "bookshop/account",
    upstream: { "x-user": "ann", authorization: null },
  },
  {
    method: "GET",
    path: "/account",
    headers: { authorization: "Bearer <expired token>" },
    status: 401,
    body: "Jwt is expired",
  },
  {
    method: "GET",
    path: "/account",
    headers: { authorization: "Bearer <token for another shop>" },
    status: 403,
    body: "Audiences in Jwt are not allowed",
  },
  {
    method: "GET",
    path: "/account",
    headers: { authorization: "Bearer <token that a stranger signed>" },
    status: 401,
    body: "Jwt verification fails",
  },
  // Envoy and Istio know `Bearer ` only, with that case: to them there is no token.
  { method: "GET", path: "/account", headers: { authorization: "bearer <good token>" }, status: 403 },
  {
    method: "GET",
    path: "/books/42",
    headers: { "x-user": "root" },
    status: 200,
    policy: "bookshop/books-public",
    upstream: { "x-user": null },
  },
  {
    method: "GET",
    path: "/exports/stock.csv",
    headers: { "x-api-key": "<key of acme>" },
    status: 200,
    policy: "bookshop/exports",
    upstream: { "x-api-key": null },
  },
  {
    method: "GET",
    path: "/exports/stock.csv",
    headers: { "x-api-key": "gh_guess" },
    status: 401,
    body: "API key is not valid",
  },
  { ...review("bob"), status: 200, tells: { ratelimit: "r=1" }, policy: "bookshop/books-reviews" },
  { ...review("bob"), status: 200, tells: { ratelimit: "r=0" }, policy: "bookshop/books-reviews" },
  {
    ...review("bob"),
    status: 429,
    body: "come back later",
    tells: { ratelimit: "r=0", "retry-after": "43" },
    policy: "bookshop/reviews",
  },
  { ...review("eve"), status: 200, tells: { ratelimit: "r=1" }, policy: "bookshop/books-reviews" },
  { ...cover, status: 200, tells: { "x-ratelimit-remaining": "2" }, policy: "bookshop/books-public" },
  { ...cover, status: 200, tells: { "x-ratelimit-remaining": "1" }, policy: "bookshop/books-public" },
  // What a policy refuses does not come to the rate limit filter.
  { method: "DELETE", path: "/covers/42.jpg", status: 403 },
  { ...cover, status: 200, tells: { "x-ratelimit-remaining": "0" }, policy: "bookshop/books-public" },
  { ...cover, status: 429, tells: { "x-ratelimit-limit": "3, 3;w=86400" }, policy: RATE_LIMITS },
  {
    ...page,
    headers: { authorization: "Bearer <token of bob>" },
    body: '{"name":"Ida","email":"[hidden]","cards":["************1111","************5559"]}',
    policy: "bookshop/readers",
  },
  {
    ...page,
    headers: { authorization: "Bearer <token of eve from support>" },
    body: JSON.stringify(ANSWERS.get(page.path)),
    policy: "bookshop/readers",
  },
  { ...page, status: 403 },
  { method: "GET", path: "/orders/7", status: 403 },
  { method: "GET", path: "/orders/7", as: "bookshop/web", status: 200, policy: "bookshop/orders-web" },
  { method: "DELETE", path: "/orders/7", as: "bookshop/web", status: 403 },
  {
    method: "GET",
    path: "/orders/7",
    as: "reporting/cron",
    status: 200,
    policy: "bookshop/orders-reporting",
  },
  { method: "GET", path: "/", as: "bookshop/web", status: 200, policy: "bookshop/books-public" },
  { method: "GET", path: "/", as: "guests/web", status: 403, policy: "istio-system/no-guests" },
  { method: "GET", path: "/admin/users", as: "bookshop/web", status: 403, policy: "bookshop/admin-only" },
  { method: "GET", path: "/admin/users", as: "bookshop/admin", status: 200, policy: "bookshop/admin" },
];

/** Which requests the demo tells more of: one that was allowed, one that was refused, and one that was answered in part. */
export const TOLD: readonly ((request: DemoRequest) => boolean)[] = [
  ({ path, status }) => path === "/account" && status === 200,
  ({ path, status }) => path.endsWith("/reviews") && status === 429,
  ({ path, headers }) => path === page.path && headers?.["authorization"]?.includes("bob") === true,
];

/** The request in one line, for people. */
export function describe({ method, path, headers, from, as }: DemoRequest): string {
  const more = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  if (from !== undefined) more.push(`from ${from}`);
  if (as !== undefined) more.push(`as ${as}`);
  return `${method} ${path}${more.length > 0 ? ` (${more.join(", ")})` : ""}`;
}

/** The headers with the tokens and keys put in. Throws when one of that name was not made. */
export function withCredentials(
  headers: Readonly<Record<string, string>>,
  credentials: ReadonlyMap<string, string>,
): Record<string, string> {
  const put = (value: string): string =>
    value.replace(/<(.+)>/, (_, name: string) => {
      const credential = credentials.get(name);
      if (credential === undefined) throw new Error(`no credential \`${name}\``);
      return credential;
    });
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, put(value)]));
}

/** What is right for a request, in one line. */
export function expectation({ status, body, tells, upstream }: DemoRequest): string {
  return brief(status, body, tells, upstream);
}

/** What came of a request, told like {@link expectation}. The upstream answers with what it got. */
export function outcome(request: DemoRequest, answer: HttpAnswer): string {
  const body = request.body === undefined ? undefined : answer.body.trimEnd();
  const told = request.tells && toldOf(request.tells, answer.headers);
  return brief(answer.status, body, told, request.upstream && seenUpstream(request.upstream, answer.body));
}

function brief(
  status: number,
  body: string | undefined,
  tells: DemoRequest["tells"],
  upstream: DemoRequest["upstream"],
): string {
  const told = Object.entries(tells ?? {}).map(([name, value]) => `${name}: ${value}`);
  const seen = Object.entries(upstream ?? {}).map(([name, value]) =>
    value === null ? `no ${name}` : `${name}: ${value}`,
  );
  return [
    String(status),
    ...(body === undefined ? [] : [body]),
    ...(told.length > 0 ? [`[${told.join(", ")}]`] : []),
    ...(seen.length > 0 ? [`(${seen.join(", ")})`] : []),
  ].join(" ");
}

/** The wanted part where a header has it, else the header as it is. */
function toldOf(
  wanted: NonNullable<DemoRequest["tells"]>,
  headers: HttpAnswer["headers"],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(wanted).map(([name, part]) => {
      const value = String(headers[name] ?? "absent");
      return [name, value.includes(part) ? part : value];
    }),
  );
}

function seenUpstream(
  wanted: Readonly<Record<string, string | null>>,
  answer: string,
): Readonly<Record<string, string | null>> {
  if (!answer.startsWith("{")) return {};
  const { headers } = JSON.parse(answer) as { readonly headers: readonly (readonly [string, string])[] };
  const lines = new Map(headers);
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, lines.get(name) ?? null]));
}
