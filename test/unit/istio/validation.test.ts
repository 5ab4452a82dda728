import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { codes, type Finding } from "../../../src/diagnostics/index.js";
import type { Parsed, ResourceDocument } from "../../../src/documents/index.js";
import { parseAuthorizationPolicy, parseRequestAuthentication } from "../../../src/istio/index.js";

/** A document as Kubernetes' YAML reader sees it: YAML 1.1 scalars, of two equal keys the last. */
function aDocument(text: string): ResourceDocument {
  const raw = parse(text, { version: "1.1", uniqueKeys: false, maxAliasCount: -1 });
  return {
    apiVersion: raw.apiVersion,
    kind: raw.kind,
    name: raw.metadata.name,
    namespace: raw.metadata.namespace ?? "default",
    annotations: new Map(Object.entries<string>(raw.metadata.annotations ?? {})),
    spec: raw.spec,
  };
}

function aPolicy(spec: unknown, annotations: Record<string, string> = {}): ResourceDocument {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    name: "p",
    namespace: "foo",
    annotations: new Map(Object.entries(annotations)),
    spec,
  };
}

const corpus = (name: string): string[] =>
  readFileSync(new URL(`../../conformance/corpus/${name}`, import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line !== "");

function errors(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter((f) => f.code.severity === "error");
}

function warnings(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter((f) => f.code.severity === "warning");
}

/** `CODE path: message`, as short as a test wants it. */
function said(document: ResourceDocument): string[] {
  return parseAuthorizationPolicy(document).findings.map(
    (f) => `${f.code.code} ${f.path.join(".")}: ${f.message}`,
  );
}

interface Row {
  readonly id: string;
  readonly doc: string;
  readonly verdict: { readonly stage: "ok" | "crd" | "istiod"; readonly warnings?: readonly string[] };
}

const rows = corpus("validation.jsonl").map((line): Row => JSON.parse(line));

function parseAny(document: ResourceDocument): Parsed<unknown> {
  return document.kind === "AuthorizationPolicy"
    ? parseAuthorizationPolicy(document)
    : parseRequestAuthentication(document);
}

/** Where Istio says nothing and we do: what it silently drops. */
const ourWarnings: ReadonlyMap<string, string> = new Map([
  ["ra-payloadheader-bad", codes.headerNotSet.code],
  ["ra-presence", codes.presenceWithoutEffect.code],
]);

/**
 * Accepted by Istio; a real Envoy 1.40 aborts while it loads the template, which does not start with one `/`.
 */
const fatalForEnvoy = rows.filter((row) => /tmpl-(noslash|leading-double)/.test(row.id)).map((row) => row.id);

describe("documents with Istio's own verdict", () => {
  it("are all there", () => {
    expect(rows.length).toBe(193);
    expect(rows.filter((row) => row.doc.includes("kind: RequestAuthentication")).length).toBe(25);
    expect(fatalForEnvoy.sort()).toEqual([
      "ap-nottmpl-leading-double",
      "ap-nottmpl-noslash-any",
      "ap-tmpl-noslash",
      "ap-tmpl-noslash-any",
      "ap-tmpl-noslash2",
    ]);
  });

  for (const { id, doc, verdict } of rows) {
    const refused = verdict.stage !== "ok" || fatalForEnvoy.includes(id);
    it(`${refused ? "refuses" : "accepts"} ${id}`, () => {
      const { spec, findings } = parseAny(aDocument(doc));
      expect(errors(findings).length > 0, JSON.stringify(findings)).toBe(refused);
      if (refused) return;
      expect(spec).toBeDefined();
      const ours = ourWarnings.get(id);
      if (ours !== undefined) expect(findings.map((f) => f.code.code)).toEqual([ours]);
      else expect(warnings(findings).length).toBe(verdict.warnings?.length ?? 0);
    });
  }
});

describe("policies at which a real Envoy ends", () => {
  for (const line of corpus("refused.jsonl")) {
    const { set } = JSON.parse(line) as { set: { id: string; policies: string[] } };
    it(`refuses ${set.id}`, () => {
      const found = set.policies.flatMap((text) => parseAuthorizationPolicy(aDocument(text)).findings);
      expect(found.map((f) => f.code)).toContain(codes.envoyRefuses);
    });
  }
});

describe("a diagnostic names the exact place", () => {
  it("of a port that is a number", () => {
    const spec = { rules: [{ to: [{ operation: { ports: ["80", 8080] } }] }] };
    expect(said(aPolicy(spec))).toEqual([
      "GH0102 spec.rules.0.to.0.operation.ports.1: `ports[1]` is number `8080`, expected a string",
    ]);
  });

  it("of an unknown field, with the one that was meant", () => {
    const spec = { rules: [{ from: [{ source: { not_principals: ["a"] } }] }] };
    expect(said(aPolicy(spec))).toEqual([
      "GH0101 spec.rules.0.from.0.source.not_principals: unknown field `not_principals`, did you mean `notPrincipals`",
    ]);
  });

  it("of an unknown action", () => {
    expect(said(aPolicy({ action: "PERMIT" }))).toEqual([
      "GH0103 spec.action: unknown action `PERMIT`, expected ALLOW, DENY, AUDIT or CUSTOM",
    ]);
  });

  it("of a bad CIDR in a condition", () => {
    const spec = { rules: [{ when: [{ key: "remote.ip", values: ["10.0.0.0/33"] }] }] };
    expect(said(aPolicy(spec))).toEqual([
      "GH0108 spec.rules.0.when.0.values.0: `10.0.0.0/33` is no IP address or CIDR range, expected e.g. `10.0.0.1` or `10.0.0.0/8`",
    ]);
  });

  it("of a DENY without rules", () => {
    expect(said(aPolicy({ action: "DENY", rules: [] }))).toEqual([
      "GH0202 spec.rules: DENY without rules never acts, expected `rules: [{}]` to match every request",
    ]);
  });

  it("of an IPv6 zone beside a length, or one at which Envoy ends", () => {
    const spec = { rules: [{ from: [{ source: { ipBlocks: ["fe80::1%eth0/64", "::1%lo"] } }] }] };
    expect(errors(parseAuthorizationPolicy(aPolicy(spec)).findings).length).toBe(2);
  });

  it("of every mistake, not only of the first", () => {
    const spec = { action: "DENY", provider: {}, rules: [null, { to: [{}] }], selecter: {} };
    expect(said(aPolicy(spec)).map((line) => line.split(":")[0])).toEqual([
      "GH0101 spec.selecter",
      "GH0201 spec.provider",
      "GH0102 spec.rules.0",
      "GH0104 spec.rules.1.to.0.operation",
    ]);
  });
});

describe("a namespace or principal with wildcards", () => {
  const namespace = (value: string): ResourceDocument =>
    aPolicy({ rules: [{ from: [{ source: { notNamespaces: [value] } }] }] });

  it("is refused above RE2's program size in Envoy", () => {
    expect(said(namespace("a".repeat(87)))).toEqual([]);
    expect(said(namespace("a".repeat(88)))).toHaveLength(1);
    expect(said(namespace("a*".repeat(29)))).toEqual([]);
    expect(said(namespace("a*".repeat(30)))).toHaveLength(1);
  });

  it("is refused as a condition too", () => {
    const spec = { rules: [{ when: [{ key: "source.principal", values: [`*${"a".repeat(86)}`] }] }] };
    expect(said(aPolicy(spec))).toHaveLength(1);
  });
});

describe("a path template", () => {
  const path = (value: string): ResourceDocument =>
    aPolicy({ rules: [{ to: [{ operation: { paths: [value] } }] }] });

  it("is at most 256 characters long for Envoy", () => {
    expect(said(path(`/${"a".repeat(253)}/{*}`))).toEqual([]);
    expect(said(path(`/${"a".repeat(254)}/{*}`))).toHaveLength(1);
  });

  it("may end in one slash only", () => {
    expect(said(path("/{**}/"))).toEqual([]);
    expect(said(path("/{**}//"))).toHaveLength(1);
  });

  it("without braces is any text", () => {
    expect(said(path("no slash * or ?//"))).toEqual([]);
  });
});

describe("a condition key", () => {
  const key = (name: string): ResourceDocument =>
    aPolicy({ rules: [{ when: [{ key: name, values: ["v"] }] }] });

  it("with an empty claim name is refused, since Envoy refuses an empty metadata key", () => {
    expect(said(key("request.auth.claims[a][]"))).toHaveLength(1);
    expect(said(key("request.auth.claims[a][b]"))).toEqual([]);
  });

  it("with a NUL or line break in the header name is refused", () => {
    for (const c of ["\u0000", "\r", "\n"]) expect(said(key(`request.headers[a${c}b]`))).toHaveLength(1);
    expect(said(key("request.headers[a b]"))).toEqual([]);
  });

  it("that Istio takes by its prefix but cannot use is a warning", () => {
    const { findings, spec } = parseAuthorizationPolicy(
      aPolicy({ rules: [{ when: [{ key: "request.headersX[a]", values: ["v"] }] }] }),
    );
    expect(findings.map((f) => f.code)).toEqual([codes.conditionWithoutEffect]);
    expect(spec).toBeDefined();
  });

  it("of the legacy kinds says what took its place", () => {
    expect(said(key("destination.labels[app]"))).toEqual([
      "GH0204 spec.rules.0.when.0.key: unknown condition key `destination.labels[app]`, expected the policy's `selector` instead",
    ]);
  });
});

describe("what is read", () => {
  it("has lists for what was left out and nothing for empty lists", () => {
    const spec = {
      selector: { matchLabels: { app: "web", __proto__x: "1" } },
      rules: [{ from: [{ source: { principals: [], namespaces: ["a"] } }], to: [] }],
    };
    expect(parseAuthorizationPolicy(aPolicy(spec)).spec).toEqual({
      namespace: "foo",
      name: "p",
      dryRun: false,
      obligations: [],
      action: "ALLOW",
      provider: undefined,
      selector: [
        ["app", "web"],
        ["__proto__x", "1"],
      ],
      targetRefs: [],
      rules: [{ from: [{ namespaces: ["a"] }], to: [], when: [] }],
    });
  });

  it("of an absent spec allows nothing", () => {
    expect(parseAuthorizationPolicy(aPolicy(undefined)).spec).toMatchObject({ action: "ALLOW", rules: [] });
  });

  it("folds the old targetRef into targetRefs, with the core group as the empty one", () => {
    const spec = { targetRef: { group: "core", kind: "Service", name: "web" } };
    expect(parseAuthorizationPolicy(aPolicy(spec)).spec?.targetRefs).toEqual([
      { group: "", kind: "Service", name: "web", namespace: "" },
    ]);
  });

  it("takes the dry-run annotation as Go reads booleans, on ALLOW and DENY only", () => {
    const dryRun = (value: string, action = "ALLOW"): boolean | undefined =>
      parseAuthorizationPolicy(aPolicy({ action, rules: [{}] }, { "istio.io/dry-run": value })).spec?.dryRun;
    expect(["1", "t", "T", "TRUE", "true", "True"].map((v) => dryRun(v))).toEqual(Array(6).fill(true));
    expect(["0", "f", "F", "FALSE", "false", "False"].map((v) => dryRun(v))).toEqual(Array(6).fill(false));
    expect([dryRun("yes"), dryRun(""), dryRun("true", "AUDIT")]).toEqual([undefined, undefined, undefined]);
  });
});

describe("a CUSTOM rule that asks for the caller", () => {
  it("is an error that the Mesh can lift, so the policy is read all the same", () => {
    const spec = {
      action: "CUSTOM",
      provider: { name: "ext" },
      rules: [
        {
          from: [{ source: { principals: ["a"] } }],
          when: [{ key: "request.auth.claims[a]", values: ["b"] }],
        },
      ],
    };
    const parsed = parseAuthorizationPolicy(aPolicy(spec));
    expect(parsed.findings.map((f) => [f.code, f.path.join(".")])).toEqual([
      [codes.customNeedsIdentity, "spec.rules.0.from.0.source.principals"],
      [codes.customNeedsIdentity, "spec.rules.0.when.0.key"],
    ]);
    expect(parsed.spec?.provider).toBe("ext");
  });
});

describe("any JSON at all", () => {
  it("is answered with a spec or an error, never a throw", () => {
    const field = fc.constantFrom(
      ...["rules", "from", "to", "when", "source", "operation", "key", "values", "paths", "principals"],
      ...["selector", "matchLabels", "targetRef", "provider", "action", "__proto__", "constructor"],
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 7 },
        fc.constantFrom<unknown>(null, "", "*", 0, true, "{*}", "/{**}", "request.headers[", "DENY"),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(field, tie("tree"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (spec) => {
        const parsed = parseAuthorizationPolicy(aPolicy(spec));
        expect(parsed.spec !== undefined || errors(parsed.findings).length > 0).toBe(true);
        for (const { message } of parsed.findings) expect(message).toMatch(/^[^\n.]/);
      }),
      { numRuns: 300 },
    );
  });
});
