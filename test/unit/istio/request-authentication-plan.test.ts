import { describe, expect, it } from "vitest";
import type { Workload } from "../../../src/attributes/index.js";
import type { JwtRule } from "../../../src/authn/index.js";
import { codes } from "../../../src/diagnostics/index.js";
import {
  parseRequestAuthentication,
  planAuthentication,
  type RequestAuthentication,
} from "../../../src/istio/index.js";
import { aDocument, ruleOf, said } from "./request-authentications.js";

describe("where it applies", () => {
  it("is said as for an AuthorizationPolicy", () => {
    const selector = { matchLabels: { app: "web" } };
    expect(parseRequestAuthentication(aDocument({ selector })).spec?.selector).toEqual([["app", "web"]]);
    expect(said(parseRequestAuthentication(aDocument({ selector: {} })))).toEqual([
      "GH0206 spec.selector: `selector` has no labels, so it selects every workload; expected `matchLabels`",
    ]);
    expect(
      parseRequestAuthentication(aDocument({ selector, targetRefs: [] })).findings.map(({ code }) => code),
    ).toEqual([codes.conflictingFields]);
  });

  it("cannot be tried out, and is never Istio's own", () => {
    const annotations = { "istio.io/dry-run": "false", "internal.istio.io/parents": "x" };
    expect(said(parseRequestAuthentication(aDocument({}, annotations)))).toEqual([
      "GH0108 metadata.annotations.internal.istio.io/parents: annotation `internal.istio.io/parents` is internal to Istio, expected none",
      "GH0108 metadata.annotations.istio.io/dry-run: annotation `istio.io/dry-run` on a RequestAuthentication, expected it only on an AuthorizationPolicy",
    ]);
  });
});

describe("the rules of a workload", () => {
  const parsedRule = ruleOf({}) as JwtRule;
  const policy = (namespace: string, name: string, ...issuers: string[]): RequestAuthentication => ({
    namespace,
    name,
    selector: undefined,
    targetRefs: [],
    keyFiles: [],
    // The first audience tells the rules apart.
    rules: issuers.map((one) => ({ ...parsedRule, issuer: one, audiences: [`${namespace}/${name}`] })),
  });
  const workload: Workload = {
    namespace: "foo",
    name: "w",
    type: "waypoint",
    labels: new Map(),
    services: [{ name: "s", namespace: "svc", host: "" }],
  };
  const order = (policies: readonly RequestAuthentication[], of: Workload | undefined = workload): string[] =>
    planAuthentication(policies, of, "root").map((rule) => `${rule.issuer} ${rule.audiences[0]}`);

  it("stand in the order of their issuers", () => {
    expect(order([policy("foo", "a", "b", "B", "", "a")])).toEqual([
      " foo/a",
      "B foo/a",
      "a foo/a",
      "b foo/a",
    ]);
  });

  it("of one issuer: first of its own namespace, then of the root, then of the services, each by name", () => {
    const all = [
      policy("svc", "a", "i"),
      policy("root", "b", "i"),
      policy("root", "a", "i"),
      policy("foo", "z", "i", "h"),
      policy("foo", "y", "i"),
    ];
    const wanted = ["h foo/z", "i foo/y", "i foo/z", "i root/a", "i root/b", "i svc/a"];
    expect(order(all)).toEqual(wanted);
    expect(order(all.toReversed())).toEqual(wanted);
  });

  it("that is not known are those of the root namespace", () => {
    const selected = [policy("root", "b", "i"), policy("root", "a", "i")];
    expect(planAuthentication(selected, undefined, "root").map(({ audiences }) => audiences[0])).toEqual([
      "root/a",
      "root/b",
    ]);
  });

  it("that no policy selects are none", () => expect(order([])).toEqual([]));
});
