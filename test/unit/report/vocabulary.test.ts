import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/attributes/index.js";
import { checkExpression, compileExpression, ExpressionError } from "../../../src/expressions/index.js";
import type { Report } from "../../../src/report/index.js";
import { reportVocabulary } from "../../../src/report/vocabulary.js";
import { aRequest } from "../../support/request.js";
import { aConnection, aReport } from "./metric-kit.js";

/** What a scalar expression gives, or the reason of its error behind an exclamation mark. */
function ask(source: string, report: Report = aReport()): string {
  const { evaluate } = compileExpression(source, "scalar", reportVocabulary);
  try {
    const { attributes, destination } = report;
    return evaluate({ attributes, workload: destination?.workload, report });
  } catch (error) {
    if (error instanceof ExpressionError) return `! ${error.message}`;
    throw error;
  }
}

const problem = (source: string): string =>
  checkExpression(source, "scalar", reportVocabulary)
    .map(({ line, column, message }) => `${line}:${column} ${message}`)
    .join("; ");

const withUpstream = aReport({
  upstream: {
    cluster: "outbound|80||a",
    address: parseIp("2001:db8::7"),
    port: 8443,
    attempts: 3,
    transportFailure: "TLS_error",
  },
  flags: "UF,URX",
  tls: {
    version: "TLSv1.3",
    peerPrincipal: "spiffe://cluster.local/ns/shop/sa/web",
    localPrincipal: "CN=server",
  },
  terminationDetails: "rbac_access_denied",
});

describe("expressions over what body policies did", () => {
  const { check } = aReport();
  const body: Report["check"]["body"] = {
    policies: ["shop/mask"],
    fulfilled: ["shop/mask"],
    changes: new Map([["shop/mask/card", 3]]),
    changed: 4,
    refused: { policy: "shop/scan", reason: "sensitive_data", phase: "response" },
    dryRun: [],
    requestBytes: 0,
    responseBytes: 9,
    usage: [],
    unscanned: true,
  };
  const report = aReport({ check: { ...check, obligations: ["shop/mask", "a/b"], unmet: ["a/b"], body } });

  it.each([
    ["size(check.obligations)", "2"],
    ["check.unmet[0]", "a/b"],
    ["'shop/mask' in check.body.policies", "true"],
    ["check.body.changes", "4"],
    ["check.body.rules['shop/mask/card']", "3"],
    ["size(check.body.rules)", "1"],
    ["check.body.refused_by", "shop/scan"],
    ["check.body.refused_reason", "sensitive_data"],
    ["check.body.unscanned", "true"],
  ])("%s is %s", (source, expected) => {
    expect(ask(source, report)).toBe(expected);
  });

  it("have no value where none applied", () => {
    expect(ask("has(check.body.changes) || has(check.body.rules) || has(check.body.refused_by)")).toBe(
      "false",
    );
    expect(ask("size(check.obligations) + size(check.unmet)")).toBe("0");
  });
});

describe("expressions over reports", () => {
  it.each([
    ["response.code", "200"],
    ["response.code_details", "via_upstream"],
    ["response.flags", "-"],
    ["response.duration", "82.5"],
    ["response.backend_latency", "67"],
    ["response.size", "1000"],
    ["response.total_size", "1100"],
    ["response.headers['content-type']", "text/plain"],
    ["request.method", "GET"],
    ["request.host", "example.com"],
    ["request.url_path", "/orders/7"],
    ["request.query", "key=secret"],
    ["request.size", "5"],
    ["request.total_size", "55"],
    ["request.duration", "82.5"],
    ["request.auth.principal", "https://issuer/alice"],
    ["source.namespace", "shop"],
    ["source.workload.name", "web"],
    ["source.labels['app']", "web"],
    ["source.app", "web"],
    ["source.principal", "spiffe://cluster.local/ns/shop/sa/web"],
    ["source.address", "10.0.0.1:40000"],
    ["string(destination.port)", "8080"],
    ["destination.workload.namespace", "foo"],
    ["destination.canonical_revision", "v1"],
    ["destination.service.host", "httpbin.foo.svc.cluster.local"],
    ["destination.service.namespace", "foo"],
    ["downstream_peer.labels['app']", "web"],
    ["upstream_peer.workload", "httpbin"],
    ["context.reporter.kind", "inbound"],
    ["context.reporter.uid", "sidecar~1"],
    ["context.time.getFullYear()", "2026"],
    ["connection.event", "close"],
    ["connection.mtls", "true"],
    ["connection.received.bytes", "120"],
    ["connection.sent.bytes", "1180"],
    ["check.outcome", "allowed"],
    ["check.policy", "foo/allow"],
    ["check.rule", "2"],
    ["check.latency", "0.4"],
    ["quota.names[0]", "foo/per-user"],
    ["quota.remaining['foo/per-user']", "99"],
    ["quota.cost.exists(name, quota.cost[name] > 0)", "true"],
    ["custom_tags['tenant']", "acme"],
    ["custom_tags.tenant", "acme"],
    ["xds.route_name", "default"],
    ["xds.cluster_name", "inbound|80||"],
    ["xds.listener_direction", "1"],
    ["node.id", "sidecar~1"],
    ["response.code >= 400", "false"],
    ["connection.mtls && request.url_path.contains('orders')", "true"],
    ["!has(request.useragent) || !request.useragent.startsWith('Amazon')", "true"],
    ["has(context.proxy_error_code)", "false"],
    ["'set-cookie' in response.headers", "true"],
  ])("%s is %s", (source, expected) => {
    expect(ask(source)).toBe(expected);
  });

  it.each([
    ["upstream.address", "[2001:db8::7]:8443"],
    ["upstream.port", "8443"],
    ["upstream.attempts", "3"],
    ["upstream.transport_failure_reason", "TLS_error"],
    ["response.flags", "UF,URX"],
    ["context.proxy_error_code", "UF,URX"],
    ["connection.tls_version", "TLSv1.3"],
    ["connection.uri_san_peer_certificate", "spiffe://cluster.local/ns/shop/sa/web"],
    ["has(connection.uri_san_local_certificate)", "false"],
    ["connection.termination_details", "rbac_access_denied"],
  ])("%s of a request that failed upstream is %s", (source, expected) => {
    expect(ask(source, withUpstream)).toBe(expected);
  });

  it("have no request and no response on TCP", () => {
    expect(ask("request.method", aConnection())).toBe("! `request.method` is not there");
    expect(ask("has(response.code)", aConnection())).toBe("false");
    expect(ask("string(connection.duration) + context.protocol", aConnection())).toBe("82.5tcp");
  });

  it("have no parties where nobody knows them", () => {
    const report = aReport({ source: undefined, destination: undefined, service: undefined });
    expect(ask("has(destination.workload.name) || has(destination.service.host)", report)).toBe("false");
    expect(ask("has(destination.labels) || has(source.labels)", report)).toBe("false");
    expect(ask("source.namespace", report)).toBe("shop");
  });

  it("never give what is in secret headers", () => {
    const attributes = aRequest().header("authorization", "Bearer x").header("cookie", "c").get("/").build();
    const report = aReport({ attributes });
    expect(problem("request.headers['authorization']")).toContain("header `authorization` is secret");
    expect(ask("'authorization' in request.headers", report)).toBe("true");
    expect(ask("request.headers['author' + 'ization']", report)).toContain("is not there");
    expect(ask("response.headers['set' + '-cookie']", report)).toContain("is not there");
  });

  it.each([
    ["filter_state['x'].labels", "1:1 filter state does not reach reports"],
    ["metadata['a']", "1:1 dynamic metadata are not an attribute"],
    ["'a' + node.metadata['CLUSTER_ID']", "1:7 metadata of the node are not an attribute"],
    ["xds.cluster_metadata.filter", "1:1 metadata of the cluster do not reach reports"],
    ["listener_direction", "expected `xds.listener_direction`"],
    ["istio_operationId", "pathTemplate()"],
    ["upstream_peer.nothing", "unknown attribute `upstream_peer.nothing`"],
    ["response.cod", "did you mean `response.code`"],
    ["node.metadatas", "unknown attribute `node.metadatas`"],
    ["response.code == '200'", "1:"],
  ])("%s is refused at load", (source, expected) => {
    expect(problem(source)).toContain(expected);
  });

  it("do not propose a name that is refused", () => {
    expect(problem("node.metadatas")).not.toContain("did you mean `node.metadata`");
    expect(problem("xds")).not.toContain("xds.cluster_metadata");
  });

  it("fail with an ExpressionError or give a text for every attribute of every report", () => {
    const hostile = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constant("__proto__"),
      fc.constant("constructor"),
    );
    const number = fc.oneof(fc.double(), fc.integer(), fc.constant(Number.NaN));
    const readable = [...reportVocabulary.attributes.values()].filter(
      ({ refused, type }) => refused === undefined && ["string", "int", "double", "bool"].includes(type.kind),
    );
    const compiled = readable.map(({ name }) => compileExpression(name, "scalar", reportVocabulary));
    fc.assert(
      fc.property(hostile, hostile, number, (text, name, value) => {
        const report = aReport({
          flags: text,
          routeName: text,
          streamId: text,
          customTags: new Map([[name, text]]),
          requestBodyBytes: value,
          bytes: { received: value, sent: value, upstreamReceived: 0, upstreamSent: 0 },
          check: { ...aReport().check, policy: text, rule: value, latencyMs: value, code: value },
        });
        for (const { evaluate } of compiled) {
          const input = { attributes: report.attributes, workload: report.destination?.workload, report };
          try {
            expect(typeof evaluate(input)).toBe("string");
          } catch (error) {
            expect(error).toBeInstanceOf(ExpressionError);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});
