import { describe, expect, it } from "vitest";
import type { Finding } from "../../../src/diagnostics/index.js";
import type { ResourceDocument } from "../../../src/documents/index.js";
import {
  compileAuthorizationPolicy,
  parseAuthorizationPolicy,
  planAuthorization,
  refuseObligations,
  unknownObligations,
} from "../../../src/istio/index.js";
import { aPolicy, aRule, meshDomain } from "./policies.js";

const annotation = "gatehouse.dev/obligations";

function aDocument(value: string, spec: unknown = {}): ResourceDocument {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    name: "p",
    namespace: "foo",
    annotations: new Map([[annotation, value]]),
    spec,
  };
}

describe("obligations of an AuthorizationPolicy", () => {
  const read = (value: string, action = "ALLOW"): unknown => {
    const { spec, findings } = parseAuthorizationPolicy(aDocument(value, { action, rules: [{}] }));
    return spec?.obligations ?? findings.map(({ code, path }) => `${code.code} ${path.join(".")}`);
  };
  const refused = [`GH1150 metadata.annotations.${annotation}`];

  it("are those of its annotation, sorted, each once, in its own namespace where none is named", () => {
    expect(read("strict, other-ns/mask.v1 ,foo/strict,a")).toEqual([
      "foo/a",
      "foo/strict",
      "other-ns/mask.v1",
    ]);
    expect(read("a", "AUDIT")).toEqual(["foo/a"]);
  });

  it("are none without the annotation", () => {
    const document = { ...aDocument(""), annotations: new Map<string, string>() };
    expect(parseAuthorizationPolicy(document).spec?.obligations).toEqual([]);
  });

  it.each(["DENY", "CUSTOM"])("are refused on %s, which they could never follow", (action) => {
    const spec = { action, rules: [{}], ...(action === "CUSTOM" && { provider: { name: "x" } }) };
    const { findings } = parseAuthorizationPolicy(aDocument("a", spec));
    expect(findings.map(({ code }) => code.code)).toEqual(["GH1150"]);
  });

  it.each(["", " ", "a,", "A", "a/b/c", "/a", "a/", "a b", "a.b/c", "__proto__", "a".repeat(254)])(
    "are refused where `%s` is no list of names",
    (value) => {
      expect(read(value)).toEqual(expect.arrayContaining(refused));
    },
  );

  it("are refused where there are more than 32 of them, however many", () => {
    expect(read(Array.from({ length: 32 }, (_, i) => `n${i}`).join())).toHaveLength(32);
    expect(read(Array.from({ length: 33 }, (_, i) => `n${i}`).join())).toEqual(refused);
    expect(read(",".repeat(100_000))).toHaveLength(34);
  });

  it("are refused on any other kind", () => {
    const out: Finding[] = [];
    refuseObligations({ ...aDocument("a"), kind: "EnvoyRbac" }, out);
    refuseObligations({ ...aDocument("a"), annotations: new Map() }, out);
    expect(out.map(({ code, path }) => `${code.code} ${path.join(".")}`)).toEqual(refused);
  });

  it("are told of at their place when no such BodyPolicy is loaded", () => {
    const policy = aPolicy({ obligations: ["foo/a", "foo/b"] });
    expect(unknownObligations(policy, new Set(["foo/a"]))).toMatchObject([
      { code: { code: "GH1151" }, path: ["metadata", "annotations", annotation] },
    ]);
    expect(unknownObligations(policy, new Set(["foo/a", "foo/b"]))).toEqual([]);
  });
});

describe("the plan of a workload", () => {
  const compile = (overrides: Parameters<typeof aPolicy>[0]) =>
    compileAuthorizationPolicy(aPolicy({ rules: [aRule()], ...overrides }), meshDomain);

  it("asks only policies with obligations for them, and none on trial", () => {
    const { filters } = planAuthorization(
      [
        compile({ name: "plain" }),
        compile({ name: "trial", dryRun: true, obligations: ["foo/t"] }),
        compile({ name: "masked", obligations: ["foo/m"] }),
        compile({ name: "seen", action: "AUDIT", obligations: ["foo/a"] }),
      ],
      "http",
    );
    expect(filters.map(({ obliging }) => obliging?.map(({ obligations }) => obligations))).toEqual([
      [["foo/a"]],
      [["foo/m"]],
    ]);
  });

  it("has nothing to ask where no policy has any", () => {
    const { filters } = planAuthorization([compile({})], "http");
    expect(filters.map((filter) => "obliging" in filter)).toEqual([false]);
  });
});
