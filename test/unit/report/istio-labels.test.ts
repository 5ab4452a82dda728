import { describe, expect, it } from "vitest";
import type { Party, Report } from "../../../src/report/index.js";
import { aRequest } from "../../support/request.js";
import {
  aCalled,
  answered,
  aServed,
  bookinfo,
  counting,
  ofConnection,
  principalOf,
  reporterOf,
  reviews,
} from "./istio-kit.js";

/** The labels under which a request is counted. */
function labelsOf(report: Report): Record<string, string> {
  const { count, series } = counting();
  count(report);
  const [first] = [...series("REQUEST_COUNT"), ...series("TCP_SENT_BYTES")];
  return first?.labels ?? {};
}

describe("the labels of Istio's metrics", () => {
  it("are in the order of Istio's filter", () => {
    expect(Object.keys(labelsOf(aServed({ response: answered(200, 0) })))).toEqual([
      "reporter",
      "source_workload",
      "source_canonical_service",
      "source_canonical_revision",
      "source_workload_namespace",
      "source_principal",
      "source_app",
      "source_version",
      "source_cluster",
      "destination_workload",
      "destination_workload_namespace",
      "destination_principal",
      "destination_app",
      "destination_version",
      "destination_service",
      "destination_canonical_service",
      "destination_canonical_revision",
      "destination_service_name",
      "destination_service_namespace",
      "destination_cluster",
      "request_protocol",
      "response_code",
      "grpc_response_status",
      "response_flags",
      "connection_security_policy",
    ]);
  });

  it("are unknown, and the revision latest, where nobody knows the caller", () => {
    expect(labelsOf(aServed({ source: undefined, tls: undefined }))).toMatchObject({
      source_workload: "unknown",
      source_canonical_service: "unknown",
      source_canonical_revision: "latest",
      source_workload_namespace: "unknown",
      source_principal: "unknown",
      source_app: "unknown",
      source_version: "unknown",
      source_cluster: "unknown",
      connection_security_policy: "none",
    });
  });

  it("are unknown where nobody knows the destination", () => {
    expect(labelsOf(aCalled({ destination: undefined, service: undefined }))).toMatchObject({
      destination_workload: "unknown",
      destination_workload_namespace: "unknown",
      destination_service: "unknown",
      destination_service_name: "unknown",
      destination_service_namespace: "unknown",
      destination_canonical_revision: "latest",
      destination_cluster: "unknown",
    });
  });

  it("take a peer's namespace from its certificate, not from what it says of itself", () => {
    const liar: Party = { ...reviews, workload: { ...reviews.workload, namespace: "kube-system" } };
    const served = labelsOf(aServed({ source: liar }));
    expect(served).toMatchObject({ source_workload_namespace: "bookinfo" });
    const tags = new Map([["destination_principal", principalOf("x")]]);
    expect(labelsOf(aCalled({ destination: liar, customTags: tags }))).toMatchObject({
      destination_workload_namespace: "bookinfo",
      destination_principal: principalOf("x"),
    });
  });

  it("say nothing of security on the client's side, and `none` without either certificate", () => {
    expect(labelsOf(aCalled())).toMatchObject({
      reporter: "source",
      connection_security_policy: "unknown",
      source_principal: "unknown",
      destination_principal: "unknown",
    });
    const tls = { version: "TLSv1.3", peerPrincipal: "", localPrincipal: principalOf("bookinfo-reviews") };
    expect(labelsOf(aServed({ tls }))).toMatchObject({ connection_security_policy: "none" });
  });

  it("name the reporter waypoint at one, which has no certificate of the destination's", () => {
    const reporter = reporterOf(bookinfo("waypoint", "waypoint"));
    expect(labelsOf(aServed({ reporter, destination: undefined }))).toMatchObject({
      reporter: "waypoint",
      source_workload: "productpage-v1",
      destination_workload: "unknown",
      destination_principal: "unknown",
      destination_canonical_revision: "unknown",
      destination_service_namespace: "bookinfo",
      connection_security_policy: "mutual_tls",
    });
  });

  it("name the destination by its canonical service at the server when no service is known", () => {
    expect(labelsOf(aServed({ service: undefined }))).toMatchObject({
      destination_service: "reviews",
      destination_service_name: "reviews",
      destination_service_namespace: "bookinfo",
    });
  });

  it.each([
    ["block_all", "", "BlackHoleCluster"],
    ["allow_any", "", "PassthroughCluster"],
    ["", "PassthroughCluster", "PassthroughCluster"],
    ["", "InboundPassthroughCluster", "InboundPassthroughCluster"],
  ])("name Istio's own clusters (route `%s`, cluster `%s`)", (routeName, cluster, name) => {
    const upstream = { ...aCalled().upstream, cluster };
    const service = { name: "", namespace: "", host: "example.com" };
    expect(labelsOf(aCalled({ routeName, upstream, service }))).toMatchObject({
      destination_service: "example.com",
      destination_service_name: name,
    });
  });

  it.each([
    ["application/grpc", undefined, "grpc"],
    ["application/grpc+proto", undefined, "grpc"],
    ["application/grpc-web", 0, "http"],
    ["text/plain", 0, "http"],
    [undefined, 0, "grpc"],
    [undefined, undefined, "http"],
  ])("tell gRPC by the content type, else by the answer's status (%s, %s)", (type, status, protocol) => {
    const request = aRequest().get("/");
    const attributes = (type === undefined ? request : request.header("content-type", type)).build();
    const labels = labelsOf(aServed({ attributes, response: answered(200, status) }));
    expect(labels["request_protocol"]).toBe(protocol);
    expect(labels["grpc_response_status"]).toBe(
      protocol === "grpc" && status !== undefined ? `${status}` : undefined,
    );
  });

  it("of a connection have no code", () => {
    const labels = labelsOf(ofConnection("close", 1, 1));
    expect(labels).toMatchObject({
      request_protocol: "tcp",
      response_flags: "-",
      connection_security_policy: "mutual_tls",
    });
    expect(Object.keys(labels)).not.toContain("response_code");
  });

  it("take a code that no response has for unknown, and none sent for 0", () => {
    expect(labelsOf(aServed({ response: answered(4_000_000) }))).toMatchObject({ response_code: "unknown" });
    expect(labelsOf(aServed({ response: answered(0) }))).toMatchObject({ response_code: "0" });
  });

  it("prefer the recommended labels of Kubernetes for app and version, as Istio does", () => {
    const labels = new Map([
      ["app", "a"],
      ["app.kubernetes.io/name", "b"],
      ["version", "1"],
      ["app.kubernetes.io/version", "2"],
    ]);
    const source: Party = { ...reviews, workload: { ...reviews.workload, labels } };
    expect(labelsOf(aServed({ source }))).toMatchObject({ source_app: "b", source_version: "2" });
  });
});
