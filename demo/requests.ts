import { platform } from "node:process";

/** A request of the demo and what is right for it. */
export interface DemoRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The address to come from, where it is not 127.0.0.1. */
  readonly from?: string;
  /** NAMESPACE/SERVICE_ACCOUNT of the client certificate; absent: plain HTTP. */
  readonly as?: string;
  readonly status: number;
  /** The policy that decides; absent: refused since no ALLOW policy matches. */
  readonly policy?: string;
}

const reader = { "x-reader": "ann" };
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

/** The request in one line, for people. */
export function describe({ method, path, headers, from, as }: DemoRequest): string {
  const more = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  if (from !== undefined) more.push(`from ${from}`);
  if (as !== undefined) more.push(`as ${as}`);
  return `${method} ${path}${more.length > 0 ? ` (${more.join(", ")})` : ""}`;
}
