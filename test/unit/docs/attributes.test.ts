import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Attributes, parseIp } from "../../../src/attributes/index.js";
import { compileExpression, requestVocabulary, type Vocabulary } from "../../../src/expressions/index.js";
import type { Report } from "../../../src/report/index.js";
import { reportVocabulary } from "../../../src/report/vocabulary.js";
import { aRequest, aWorkload } from "../../support/request.js";

// docs/attributes.md says what is known when; this holds its table to the vocabularies, and to what a real Envoy sent.

const page = readFileSync(new URL("../../../docs/attributes.md", import.meta.url), "utf8");
const columns = ["HTTP check", "TCP check", "HTTP log", "TCP `open`", "TCP `continue`", "TCP `close`"];

/** Whether the table says that an attribute can be there, by attribute and column. */
function table(): ReadonlyMap<string, ReadonlyMap<string, boolean>> {
  const section = page.split(/^(?=##)/m).find((text) => text.startsWith("## What is known when\n")) ?? "";
  expect(section).toContain(`| attribute | ${columns.join(" | ")} |\n`);
  const rows = new Map<string, ReadonlyMap<string, boolean>>();
  for (const [, names = "", marks = ""] of section.matchAll(/^\| (`[^|]+`) \| ([✓– |]+) \|$/gm)) {
    const cells = marks.split(" | ");
    const row = new Map(columns.map((column, i) => [column, cells[i] === "✓"]));
    for (const [, name = ""] of names.matchAll(/`([a-z_.]+)`/g)) {
      expect(rows.has(name), name).toBe(false);
      rows.set(name, row);
    }
  }
  return rows;
}

const known = table();

test("docs/attributes.md has a row for every attribute of requests and of reports", () => {
  const ofReports = [...reportVocabulary.attributes.values()]
    .filter(({ refused }) => refused === undefined)
    .map(({ name }) => name);
  const names = new Set([...requestVocabulary.attributes.keys(), ...ofReports]);
  expect([...known.keys()].sort()).toEqual([...names].sort());
});

/** Those that an input has. */
function present<Input>(vocabulary: Vocabulary<Input>, input: Input): ReadonlySet<string> {
  // What has no dot is always there; has() cannot ask for it.
  const names = [...known.keys()].filter((name) => {
    const attribute = vocabulary.attributes.get(name);
    return attribute !== undefined && attribute.refused === undefined && name.includes(".");
  });
  return new Set(
    names.filter((name) => compileExpression(`has(${name})`, "bool", vocabulary).evaluate(input)),
  );
}

const services = [{ name: "orders", namespace: "foo", host: "orders.foo.svc" }];
const workload = aWorkload({ services });

describe("docs/attributes.md says of a check what it knows:", () => {
  const request = aRequest()
    .method("POST", "/orders/7")
    .from("ns/shop/sa/web")
    .ip("10.0.0.1", "10.0.0.9")
    .port(80);
  const claims = { iss: "https://issuer", sub: "u", aud: "a", azp: "c" };
  const http = request.claims(claims).with({ time: 1, sni: "a.example" }).build();
  const destination = { ...http.destination, principal: "spiffe://cluster.local/ns/foo/sa/server" };
  const facts: Readonly<Record<string, Attributes>> = {
    "HTTP check": { ...http, destination, request: http.request && { ...http.request, size: 3 } },
    "TCP check": { ...http, destination, protocol: "tcp", time: 0, request: undefined, auth: undefined },
  };
  test.each(Object.entries(facts))("%s", (column, attributes) => {
    const said = [...known].filter(([, row]) => row.get(column)).map(([name]) => name);
    expect(said.sort()).toEqual([...present(requestVocabulary, { attributes, workload })].sort());
  });
});

/** What the goldens have no example of: a verified token, a body policy, a network's RBAC, a TCP proxy at a caller. */
const withoutExample =
  /^request\.auth\.principal$|^check\.body\.|^connection\.termination_details$|^upstream\.transport_failure_reason$|^(source|downstream_peer)\./;

describe("docs/attributes.md says of a log what Envoy sent for the goldens:", () => {
  const seen = new Map<string, Set<string>>();
  const folder = new URL("../../envoy/goldens/access-log/", import.meta.url);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml"))) {
    for (const written of parse(readFileSync(new URL(file, folder), "utf8")) as unknown[]) {
      const report = readReport(written as Written);
      const column = report.attributes.protocol === "http" ? "HTTP log" : `TCP \`${report.event}\``;
      const input = { attributes: report.attributes, workload: report.destination?.workload, report };
      const all = seen.get(column) ?? new Set();
      seen.set(column, all);
      for (const name of present(reportVocabulary, input)) all.add(name);
    }
  }

  test.each(columns.slice(2))("%s", (column) => {
    const found = seen.get(column) ?? new Set();
    const named = [...known].filter(([name]) => name.includes("."));
    const said = named.filter(([, row]) => row.get(column)).map(([name]) => name);
    // An entry has no id of the request but x-request-id; the attribute is empty.
    expect([...found].filter((name) => !said.includes(name) && name !== "request.id")).toEqual([]);
    expect(said.filter((name) => !found.has(name) && !withoutExample.test(name))).toEqual([]);
  });
});

/** A report as the goldens have it: null where it is absent, a star where it is another value each time. */
interface Written {
  readonly attributes: Readonly<Record<string, unknown>> & { readonly request: WrittenRequest | null };
  readonly [name: string]: unknown;
}
interface WrittenRequest {
  readonly headers: Readonly<Record<string, unknown>>;
}

const maps: ReadonlySet<string> = new Set(["labels", "headers", "trailers", "customTags"]);
const addresses: ReadonlySet<string> = new Set(["ip", "remoteIp", "address", "localAddress"]);

function readReport(written: Written): Report {
  const report = revive(written) as Report;
  const metadata = (): undefined => undefined;
  return { ...report, attributes: { ...report.attributes, metadata, routeMetadata: metadata } };
}

/** Texts that vary are of members whose value nobody here looks at; numbers are seven. */
function revive(value: unknown, name = ""): unknown {
  if (value === null) return undefined;
  if (value === "*") return name === "streamId" || name === "decisionId" ? "id" : 7;
  if (addresses.has(name)) return parseIp(String(value));
  if (Array.isArray(value)) return value.map((item) => revive(item));
  if (typeof value !== "object") return value;
  const entries = Object.entries(value as object);
  if (!maps.has(name)) return Object.fromEntries(entries.map(([key, item]) => [key, revive(item, key)]));
  return new Map(entries.map(([key, item]) => [key, Array.isArray(item) ? item.map(String) : String(item)]));
}
