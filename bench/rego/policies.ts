import type { CheckRequest } from "../../src/proto/index.js";

/** A policy that is measured. */
export interface MeasuredPolicy {
  readonly name: string;
  readonly module: string;
  /** JSON of an object. */
  readonly data: string;
}

const small = `package envoy.authz

import input.attributes.request.http

default allow := false

roles := {"ann": "admin", "bob": "guest"}

user := split(http.headers.authorization, " ")[1]

allow if {
	http.method == "GET"
	startswith(http.path, "/shop/")
	roles[user] in {"admin", "guest"}
}

allow if {
	http.method in {"POST", "DELETE"}
	input.parsed_path[0] == "shop"
	roles[user] == "admin"
}
`;

const medium = `package envoy.authz

import input.attributes.request.http

default allow := false

user := split(http.headers.authorization, " ")[1]

allow if {
	some grant in data.grants
	grant.user == user
	grant.method == http.method
	startswith(http.path, grant.prefix)
}
`;

const large = `package envoy.authz

import input.attributes.request.http

default allow := false

user := split(http.headers.authorization, " ")[1]

allow if {
	some role in data.users[user].roles
	http.method in data.roles[role].methods
	startswith(http.path, data.roles[role].prefix)
}
`;

/** Rows of which only the last fits, so that all are looked at. */
function grants(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => ({
    user: i === count - 1 ? "ann" : `user-${i}`,
    method: "GET",
    prefix: `/shop/${i === count - 1 ? "" : i}`,
  }));
  return JSON.stringify({ grants: rows });
}

/** Some ten megabytes. */
function users(count: number): string {
  const all = Array.from({ length: count }, (_, i): [string, object] => [
    i === 0 ? "ann" : `user-${i}`,
    { roles: ["reader", `role-${i % 50}`], mail: `user-${i}@example.com`, notes: "x".repeat(100) },
  ]);
  const roles = { reader: { methods: ["GET", "HEAD"], prefix: "/shop/" } };
  return JSON.stringify({ users: Object.fromEntries(all), roles });
}

/** Small, 1,000 rows that are looked through, and 10 MB in which a key is looked up. */
export function measuredPolicies(): readonly MeasuredPolicy[] {
  return [
    { name: "small", module: small, data: "{}" },
    { name: "medium: 1,000 rows", module: medium, data: grants(1000) },
    { name: "large: 10 MB", module: large, data: users(55_000) },
  ];
}

/** A request of about 1 KB, as Envoy sends it. */
export function measuredRequest(): CheckRequest {
  const headers = {
    ":authority": "shop.example.com",
    ":method": "GET",
    ":path": "/shop/items?page=2",
    ":scheme": "https",
    accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-GB,en;q=0.9",
    authorization: "Bearer ann",
    "user-agent":
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-proto": "https",
    "x-request-id": "6ae9f2c1-7a35-4f3d-9c5b-0f8f2f4f7a10",
  };
  return {
    attributes: {
      source: { address: { socket_address: { address: "203.0.113.7", port_value: 43_210 } } },
      destination: { address: { socket_address: { address: "10.9.8.7", port_value: 8080 } } },
      request: {
        time: { seconds: 1_768_473_000, nanos: 5_000_000 },
        http: {
          id: "13359530607844510314",
          method: "GET",
          path: "/shop/items?page=2",
          host: "shop.example.com",
          scheme: "https",
          protocol: "HTTP/2",
          headers,
        },
      },
    },
  };
}
