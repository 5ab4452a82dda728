import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Workload } from "../../../src/attributes/index.js";
import { codes } from "../../../src/diagnostics/index.js";
import type { ResourceDocument } from "../../../src/documents/index.js";
import {
  type LegacyFilter,
  type LegacyResource,
  type Protocol,
  parseLegacy,
  translateLegacy,
} from "../../../src/istio/index.js";

function aDocument(kind: string, spec: string, name = "viewer", namespace = "shop"): ResourceDocument {
  return {
    apiVersion: "rbac.istio.io/v1alpha1",
    kind,
    name,
    namespace,
    annotations: new Map(),
    spec: parse(spec, { uniqueKeys: false }),
  };
}

function resource(document: ResourceDocument): LegacyResource {
  const { spec, findings } = parseLegacy(document);
  if (spec === undefined) throw new Error(JSON.stringify(findings));
  return spec;
}

const role = (spec: string, name = "viewer"): LegacyResource =>
  resource(aDocument("ServiceRole", spec, name));
const binding = (spec: string, name = "bind"): LegacyResource =>
  resource(aDocument("ServiceRoleBinding", spec, name));
const config = (spec: string, kind = "ClusterRbacConfig"): LegacyResource =>
  resource(aDocument(kind, spec, "default"));

const products: Workload = {
  namespace: "shop",
  name: "products-v2",
  type: "sidecar",
  labels: new Map([["version", "v2"]]),
  services: [{ name: "products", namespace: "shop", host: "" }],
};

function filterOf(
  resources: readonly LegacyResource[],
  options: { readonly workload?: Workload; readonly protocol?: Protocol } = {},
): LegacyFilter | undefined {
  return translateLegacy(resources, {
    workload: options.workload ?? products,
    protocol: options.protocol ?? "http",
    trustDomains: { trustDomain: "cluster.local", aliases: ["old"] },
  });
}

const on = config("mode: ON");
const anyone = binding("subjects: [{user: '*'}]\nroleRef: {kind: ServiceRole, name: viewer}");
const everything = role("rules: [{services: ['*']}]");

/** The permission and principal of the one policy `viewer`. */
function rulesFor(access: string, subject: string, protocol: Protocol = "http"): unknown {
  const bound = binding(`subjects: [${subject}]\nroleRef: {kind: ServiceRole, name: viewer}`);
  const filter = filterOf([on, role(`rules: [${access}]`), bound], { protocol });
  return filter?.rules?.policies["viewer"];
}

const permissionsFor = (access: string): unknown =>
  (rulesFor(access, "{user: '*'}") as { permissions: unknown } | undefined)?.permissions;
const principalsFor = (subject: string): unknown =>
  (rulesFor("{services: ['*']}", subject) as { principals: unknown } | undefined)?.principals;

function said(kind: string, spec: string, name = "viewer"): string[] {
  return parseLegacy(aDocument(kind, spec, name)).findings.map((f) => `${f.code.code} ${f.path.join(".")}`);
}

describe("the mode of the config", () => {
  const applies = (spec: string, workload = products): boolean =>
    filterOf([config(spec), everything, anyone], { workload }) !== undefined;
  const other: Workload = {
    ...products,
    namespace: "bank",
    services: [{ name: "x", namespace: "bank", host: "" }],
  };

  it("switches legacy rules on and off", () => {
    expect([applies("mode: ON"), applies("mode: OFF"), applies("{}")]).toEqual([true, false, false]);
    expect(filterOf([everything, anyone])).toBeUndefined();
  });

  it("of inclusion names services by host, or namespaces", () => {
    const byHost = "mode: ON_WITH_INCLUSION\ninclusion: {services: [products.shop.svc.cluster.local]}";
    expect([applies(byHost), applies(byHost, other)]).toEqual([true, false]);
    expect(applies("mode: 2\ninclusion: {namespaces: [shop]}")).toBe(true);
    expect(applies("mode: ON_WITH_INCLUSION\ninclusion: {}")).toBe(false);
  });

  it("of exclusion leaves out what it names", () => {
    expect(applies("mode: ON_WITH_EXCLUSION\nexclusion: {namespaces: [shop]}")).toBe(false);
    expect(applies("mode: ON_WITH_EXCLUSION\nexclusion: {services: [products.shop.svc.cluster.local]}")).toBe(
      false,
    );
    expect(applies("mode: ON_WITH_EXCLUSION\nexclusion: {}")).toBe(true);
  });

  it("covers a workload whose services are unknown when it names services", () => {
    const unknown = { ...products, services: [] };
    expect(applies("mode: ON_WITH_INCLUSION\ninclusion: {services: [a.b]}", unknown)).toBe(true);
    expect(applies("mode: ON_WITH_EXCLUSION\nexclusion: {services: [a.b]}", unknown)).toBe(true);
  });

  it("is the cluster's, when both kinds are there", () => {
    expect(
      filterOf([config("mode: ON", "RbacConfig"), config("mode: OFF"), everything, anyone]),
    ).toBeUndefined();
  });
});

describe("roles and bindings", () => {
  it("are joined by role name inside the workload's namespace", () => {
    const elsewhere = resource(aDocument("ServiceRole", "rules: [{services: ['*']}]", "viewer", "bank"));
    expect(Object.keys(filterOf([on, everything, anyone])?.rules?.policies ?? {})).toEqual(["viewer"]);
    expect(filterOf([on, elsewhere, anyone])?.rules).toEqual({ action: "ALLOW", policies: {} });
  });

  it("refuse everything when there are none", () => {
    expect(filterOf([on])).toEqual({
      rules: { action: "ALLOW", policies: {} },
      shadowRules: undefined,
      namespace: "shop",
    });
  });

  it("of mode PERMISSIVE are only evaluated beside", () => {
    const quiet = binding(
      "mode: PERMISSIVE\nsubjects: [{user: a}]\nroleRef: {kind: ServiceRole, name: viewer}",
    );
    const filter = filterOf([on, everything, quiet]);
    expect(filter?.rules?.policies).toEqual({});
    expect(Object.keys(filter?.shadowRules?.policies ?? {})).toEqual(["viewer"]);
  });

  it("enforce nothing when the config is PERMISSIVE", () => {
    const filter = filterOf([config("mode: ON\nenforcement_mode: PERMISSIVE"), everything, anyone]);
    expect(filter?.rules).toBeUndefined();
    expect(Object.keys(filter?.shadowRules?.policies ?? {})).toEqual(["viewer"]);
  });

  it("may hold the rules inline", () => {
    const inline = binding("subjects: [{user: '*'}]\nactions: [{methods: [GET]}]");
    expect(Object.keys(filterOf([on, inline])?.rules?.policies ?? {})).toEqual(["binding[bind]"]);
  });
});

describe("an access rule", () => {
  it("becomes a conjunction in Istio's order", () => {
    const access = `{services: ['*'], hosts: [a.b], not_paths: ['/x*', '*/y'], methods: ['*'], ports: [80, "81"],
      constraints: [{key: 'request.headers[x-v]', values: ['*1']}, {key: connection.sni, values: ['*']}]}`;
    expect(permissionsFor(access)).toEqual([
      {
        andRules: {
          rules: [
            { orRules: { rules: [{ header: { name: ":authority", stringMatch: { exact: "a.b" } } }] } },
            { orRules: { rules: [{ header: { name: ":method", presentMatch: true } }] } },
            {
              notRule: {
                orRules: {
                  rules: [
                    { header: { name: ":path", stringMatch: { prefix: "/x" } } },
                    { header: { name: ":path", stringMatch: { suffix: "/y" } } },
                  ],
                },
              },
            },
            { orRules: { rules: [{ destinationPort: 80 }, { destinationPort: 81 }] } },
            { orRules: { rules: [{ requestedServerName: { safeRegex: { regex: ".*" } } }] } },
            { orRules: { rules: [{ header: { name: "x-v", stringMatch: { suffix: "1" } } }] } },
          ],
        },
      },
    ]);
  });

  it("compares the path with its query and the host with its case", () => {
    const text = JSON.stringify(permissionsFor("{services: ['*'], paths: [/a], hosts: [A.b]}"));
    expect(text).toContain('"name":":path"');
    expect(text).not.toContain("ignoreCase");
  });

  it("for another destination is left out", () => {
    for (const access of [
      "{services: [products.bank.svc.cluster.local]}",
      "{services: ['*'], constraints: [{key: 'destination.labels[version]', values: [v1]}]}",
      "{services: ['*'], constraints: [{key: 'destination.labels[absent]', values: ['*']}]}",
      "{services: ['*'], constraints: [{key: destination.name, values: [orders]}]}",
      "{services: ['*'], constraints: [{key: destination.namespace, values: [bank]}]}",
    ]) {
      expect(permissionsFor(access), access).toBeUndefined();
    }
  });

  it("for this destination asks nothing more of the request", () => {
    for (const access of [
      "{services: ['products.shop*']}",
      "{services: ['*.svc.cluster.local'], constraints: [{key: destination.name, values: ['prod*']}]}",
      "{services: ['*'], constraints: [{key: 'destination.labels[version]', values: [v1, v2]}]}",
    ]) {
      expect(permissionsFor(access), access).toEqual([{ andRules: { rules: [{ any: true }] } }]);
    }
  });
});

describe("a subject", () => {
  const named = (principalName: object): object => ({ authenticated: { principalName } });

  it("is anyone for `*` and allUsers, and any identity for allAuthenticatedUsers", () => {
    expect(principalsFor("{user: '*'}")).toEqual([
      { andIds: { ids: [{ orIds: { ids: [{ any: true }] } }] } },
    ]);
    expect(principalsFor("{names: [allUsers]}")).toEqual([
      { andIds: { ids: [{ orIds: { ids: [{ any: true }] } }] } },
    ]);
    expect(principalsFor("{names: [allAuthenticatedUsers]}")).toEqual([
      { andIds: { ids: [{ orIds: { ids: [named({ prefix: "spiffe://" })] } }] } },
    ]);
    expect(principalsFor("{properties: {source.principal: '*'}}")).toEqual([
      { andIds: { ids: [{ any: true }] } },
    ]);
  });

  it("has aliases for `user`, none for `names`", () => {
    const id = "cluster.local/ns/a/sa/b";
    expect(principalsFor(`{user: ${id}, names: [${id}]}`)).toEqual([
      {
        andIds: {
          ids: [
            {
              orIds: {
                ids: [named({ exact: `spiffe://${id}` }), named({ exact: "spiffe://old/ns/a/sa/b" })],
              },
            },
            { orIds: { ids: [named({ exact: `spiffe://${id}` })] } },
          ],
        },
      },
    ]);
  });

  it("compares namespaces, addresses and their opposites", () => {
    expect(principalsFor("{namespaces: ['a*'], not_ips: [10.0.0.0/8]}")).toEqual([
      {
        andIds: {
          ids: [
            { orIds: { ids: [named({ safeRegex: { regex: ".*/ns/a.*/.*" } })] } },
            { notId: { orIds: { ids: [{ directRemoteIp: { addressPrefix: "10.0.0.0", prefixLen: 8 } }] } } },
          ],
        },
      },
    ]);
  });

  it("compares groups with the claim of that name", () => {
    const stringMatch = { exact: "admin" };
    const path = [{ key: "payload" }, { key: "groups" }];
    const value = {
      orMatch: { valueMatchers: [{ listMatch: { oneOf: { stringMatch } } }, { stringMatch }] },
    };
    const metadata = { filter: "envoy.filters.http.jwt_authn", path, value };
    expect(principalsFor("{group: admin}")).toEqual([
      { andIds: { ids: [{ orIds: { ids: [{ metadata }] } }] } },
    ]);
    expect(principalsFor("{properties: {'request.auth.claims[groups]': admin}}")).toEqual([
      { andIds: { ids: [{ metadata }] } },
    ]);
  });

  it("lays a request principal pattern over `ISS/SUB` as a whole", () => {
    const text = JSON.stringify(principalsFor("{properties: {request.auth.principal: 'https://i/*'}}"));
    expect(text).toContain('{"exact":"https://i"}');
    expect(text).toContain('{"prefix":"https://i/"}');
    const exact = JSON.stringify(principalsFor("{properties: {request.auth.principal: 'i/s'}}"));
    expect(exact).toContain('{"exact":"i"}');
    expect(exact).toContain('{"exact":"s"}');
  });

  it("compares an unknown property with metadata of the RBAC filter, with a warning", () => {
    expect(JSON.stringify(principalsFor("{properties: {team: a}}"))).toContain(
      '"filter":"envoy.filters.http.rbac"',
    );
    const spec = "subjects: [{properties: {team: a}}]\nroleRef: {kind: ServiceRole, name: v}";
    expect(said("ServiceRoleBinding", spec)).toEqual([
      "GH0504 spec.subjects.0.properties.team",
      "GH0501 kind",
    ]);
  });
});

describe("on TCP", () => {
  it("a rule with an HTTP condition is dropped, the others stay", () => {
    const access = "{services: ['*'], methods: [GET]}, {services: ['*'], ports: [80]}";
    expect(rulesFor(access, "{user: '*'}", "tcp")).toMatchObject({
      permissions: [{ andRules: { rules: [{ orRules: { rules: [{ destinationPort: 80 }] } }] } }],
    });
  });

  it("a subject with an HTTP condition is dropped, the others stay", () => {
    const subjects = "{group: a}, {properties: {'request.headers[a]': b}}, {ips: [1.2.3.4]}";
    const rules = rulesFor("{services: ['*']}", subjects, "tcp") as { principals: unknown[] };
    expect(rules.principals).toHaveLength(1);
    expect(rulesFor("{services: ['*']}", "{group: a}", "tcp")).toBeUndefined();
  });
});

describe("a legacy document", () => {
  it("has one warning that names its successor", () => {
    const { findings } = parseLegacy(aDocument("ServiceRole", "rules: [{services: ['*']}]"));
    expect(findings.map((f) => f.code)).toEqual([codes.legacyKind]);
    expect(findings[0]?.message).toContain("security.istio.io/v1");
  });

  it("with an unknown constraint key is refused, since ignoring it would allow more", () => {
    const rule = (constraint: string): string => `rules: [{services: ['*'], constraints: [${constraint}]}]`;
    expect(said("ServiceRole", rule("{key: request.header, values: [a]}"))).toEqual([
      "GH0503 spec.rules.0.constraints.0.key",
    ]);
    expect(said("ServiceRole", rule("{key: destination.user, values: [a]}"))).toHaveLength(1);
    expect(said("ServiceRole", rule("{key: destination.ip, values: [a]}"))).toEqual([
      "GH0108 spec.rules.0.constraints.0.values.0",
    ]);
    expect(
      said("ServiceRole", rule("{key: ':path', values: [a]}, {key: ':path', values: [b]}")),
    ).toHaveLength(1);
  });

  it("is refused where Istio refused it", () => {
    const bind = (rest: string): string[] =>
      said("ServiceRoleBinding", `{subjects: [{user: a}], roleRef: {kind: ServiceRole, name: v}, ${rest}}`);
    expect(said("ServiceRole", "rules: []")).toEqual(["GH0104 spec.rules"]);
    expect(said("ServiceRole", "rules: [{methods: [GET]}]")).toEqual(["GH0104 spec.rules.0.services"]);
    expect(said("ServiceRole", "rules: [{services: [a], methods: [A], not_methods: [B]}]")).toEqual([
      "GH0201 spec.rules.0.not_methods",
    ]);
    expect(said("ServiceRole", "rules: [{services: [a], ports: [70000]}]")).toEqual([
      "GH0108 spec.rules.0.ports.0",
    ]);
    expect(said("ServiceRole", "rules: [{services: [a], path: [/]}]")).toEqual(["GH0101 spec.rules.0.path"]);
    expect(said("ServiceRoleBinding", "roleRef: {kind: ServiceRole, name: v}")).toEqual([
      "GH0104 spec.subjects",
    ]);
    expect(bind("subjects: [{}]")).toEqual(["GH0105 spec.subjects.0"]);
    expect(bind("subjects: [{names: ['*']}]")).toEqual(["GH0108 spec.subjects.0.names.0"]);
    expect(bind("role: x")).toEqual(["GH0201 spec.roleRef"]);
    expect(bind("roleRef: {kind: Role, name: v}")).toEqual(["GH0103 spec.roleRef.kind"]);
    expect(bind("subjects: [{ips: [1.2.3.4], properties: {source.ip: 1.2.3.4}}]")).toEqual([
      "GH0201 spec.subjects.0.properties.source.ip",
    ]);
    expect(bind("subjects: [{namespaces: ['a|b']}]")).toEqual(["GH0108 spec.subjects.0.namespaces.0"]);
    expect(said("ClusterRbacConfig", "mode: ON", "main")).toEqual(["GH0107 metadata.name"]);
    expect(said("ClusterRbacConfig", "mode: ON_WITH_EXCLUSION", "default")).toEqual([
      "GH0104 spec.exclusion",
    ]);
    expect(said("RbacConfig", "mode: MAYBE", "default")).toEqual(["GH0103 spec.mode"]);
  });

  it("takes a field in snake_case or lowerCamel, not in both", () => {
    expect(said("ServiceRole", "rules: [{services: [a], notPaths: [/x]}]")).toEqual(["GH0501 kind"]);
    expect(said("ServiceRole", "rules: [{services: [a], notPaths: [/x], not_paths: [/y]}]")).toEqual([
      "GH0201 spec.rules.0.not_paths",
    ]);
  });
});

describe("the early AuthorizationPolicy", () => {
  const early = (spec: string): ReturnType<typeof parseLegacy> =>
    parseLegacy(aDocument("AuthorizationPolicy", spec, "front", "shop"));

  it("with selector.namespaces is the v1 policy in each of them, and the warning shows it", () => {
    const { spec, findings } = early(`
      selector: {namespaces: [shop, bank], matchLabels: {app: web}}
      rules: [{to: [{operation: {methods: [GET]}}]}]`);
    expect(findings.map((f) => f.code)).toEqual([codes.earlyPolicy]);
    expect(findings[0]?.message).toContain(
      '`{"metadata":{"name":"front","namespace":"bank"},"spec":{"selector":{"matchLabels":{"app":"web"}},"rules":[{"to":[{"operation":{"methods":["GET"]}}]}]}}`',
    );
    const policy = {
      name: "front",
      dryRun: false,
      obligations: [],
      action: "ALLOW",
      provider: undefined,
      selector: [["app", "web"]],
      targetRefs: [],
      rules: [{ from: [], to: [{ methods: ["GET"] }], when: [] }],
    };
    expect(spec).toEqual({
      kind: "AuthorizationPolicy",
      policies: [
        { ...policy, namespace: "shop" },
        { ...policy, namespace: "bank" },
      ],
    });
  });

  it("with `allow` has one v1 rule for each subject and action", () => {
    const { spec } = early(`
      workload_selector: {labels: {app: web}}
      allow:
      - subjects: [{names: [cluster.local/ns/a/sa/b], groups: [g]}, {user: '*'}]
        actions: [{paths: [/info], not_methods: [POST], ports: [80]}]
      - subjects: [{namespaces: [test]}]
        actions: [{methods: [GET]}]
        mode: PERMISSIVE`);
    const to = [{ paths: ["/info"], notMethods: ["POST"], ports: ["80"] }];
    expect(spec).toMatchObject({
      policies: [
        {
          name: "front",
          dryRun: false,
          obligations: [],
          selector: [["app", "web"]],
          rules: [
            {
              from: [{ principals: ["cluster.local/ns/a/sa/b"] }],
              to,
              when: [{ key: "request.auth.claims[groups]", values: ["g"] }],
            },
            { from: [], to, when: [] },
          ],
        },
        { name: "front-permissive", dryRun: true, rules: [{ from: [{ namespaces: ["test"] }] }] },
      ],
    });
  });

  it("is refused when v1 refuses what it stands for, at the place in the document", () => {
    const { spec, findings } = early(
      "selector: {namespaces: [a, b]}\nrules: [{to: [{operation: {ports: [80]}}]}]",
    );
    expect(spec).toBeUndefined();
    expect(findings.filter((f) => f.code.severity === "error").map((f) => f.path.join("."))).toEqual([
      "spec.rules.0.to.0.operation.ports.0",
    ]);
  });

  it("is refused when it refers to roles, names services or all namespaces", () => {
    for (const spec of [
      "allow: [{subjects: [{user: a}], roleRef: {kind: ServiceRole, name: r}}]",
      "allow: [{subjects: [{user: a}], actions: [{services: [web]}]}]",
      "selector: {namespaces: ['*']}\nrules: [{}]",
      "selector: {namespaces: []}\nrules: [{}]",
      "allow: []\nrules: [{}]",
    ]) {
      expect(early(spec).spec, spec).toBeUndefined();
    }
  });
});
