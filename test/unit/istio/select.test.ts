import { describe, expect, it } from "vitest";
import { policyNamespaces, selects } from "../../../src/istio/index.js";
import { aWorkload } from "../../support/request.js";
import { aPolicy } from "./policies.js";

const root = "istio-system";
const gatewayLabels = new Map([["gateway.networking.k8s.io/gateway-name", "gw"]]);
const gateway = aWorkload({ type: "gateway", labels: gatewayLabels });
const waypoint = aWorkload({
  type: "waypoint",
  labels: gatewayLabels,
  services: [{ name: "svc", namespace: "shop", host: "" }],
});
const ref = (group: string, kind: string, name: string, namespace = "") => ({ group, kind, name, namespace });

describe("which policies apply", () => {
  it("all labels of the selector must be the workload's", () => {
    expect(selects(aPolicy({ selector: [["app", "httpbin"]] }), aWorkload(), root)).toBe(true);
    expect(
      selects(
        aPolicy({
          selector: [
            ["app", "httpbin"],
            ["x", "y"],
          ],
        }),
        aWorkload(),
        root,
      ),
    ).toBe(false);
    expect(selects(aPolicy(), aWorkload(), root)).toBe(true);
  });

  it("a policy with targetRefs never applies to a workload that is no Gateway", () => {
    const policy = aPolicy({ targetRefs: [ref("gateway.networking.k8s.io", "Gateway", "gw")] });
    expect(selects(policy, aWorkload(), root)).toBe(false);
    expect(selects(policy, gateway, root)).toBe(true);
  });

  it("a targetRef reaches only the Gateway of that name in the policy's namespace", () => {
    const other = aPolicy({ targetRefs: [ref("gateway.networking.k8s.io", "Gateway", "other")] });
    const elsewhere = aPolicy({
      namespace: root,
      targetRefs: [ref("gateway.networking.k8s.io", "Gateway", "gw")],
    });
    expect(selects(other, gateway, root)).toBe(false);
    expect(selects(elsewhere, gateway, root)).toBe(false);
  });

  it("a waypoint takes policies by Service, ServiceEntry and GatewayClass, never by selector", () => {
    expect(
      selects(aPolicy({ namespace: "shop", targetRefs: [ref("", "Service", "svc")] }), waypoint, root),
    ).toBe(true);
    expect(
      selects(aPolicy({ namespace: "foo", targetRefs: [ref("core", "Service", "svc")] }), waypoint, root),
    ).toBe(false);
    const all = ref("gateway.networking.k8s.io", "GatewayClass", "istio-waypoint");
    expect(selects(aPolicy({ namespace: root, targetRefs: [all] }), waypoint, root)).toBe(true);
    expect(selects(aPolicy({ targetRefs: [all] }), waypoint, root)).toBe(false);
    expect(selects(aPolicy(), waypoint, root)).toBe(false);
  });

  it("come from the root namespace, the workload's and those of the services a waypoint serves", () => {
    expect([...policyNamespaces(aWorkload(), root)]).toEqual([root, "foo"]);
    expect([...policyNamespaces(waypoint, root)]).toEqual([root, "foo", "shop"]);
  });
});
