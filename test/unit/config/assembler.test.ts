import { describe, expect, it } from "vitest";
import type { Attributes, Workload } from "../../../src/attributes/index.js";
import {
  type Assembler,
  type Catalog,
  createAssembler,
  createCatalog,
  type ExtensionProvider,
} from "../../../src/config/index.js";
import type { Chain, Provider, Snapshot } from "../../../src/engine/index.js";
import { authnOptions } from "../../support/authn.js";

interface World {
  load(...documents: string[]): Promise<Snapshot>;
  readonly assembler: Assembler;
  readonly catalog: Catalog;
}

const verdict: Provider = async () => {
  throw new Error("not asked in these tests");
};

function world(providers: (entry: ExtensionProvider) => Provider | undefined = () => verdict): World {
  const pause = async (): Promise<void> => {};
  const catalog = createCatalog({ pause });
  const assembler = createAssembler({ pause, providers, ...authnOptions });
  return {
    catalog,
    assembler,
    async load(...documents) {
      const files = [{ path: "a.yaml", text: documents.join("\n---\n") }];
      const update = await catalog.update({ files, diagnostics: [] });
      expect(update.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
      return assembler.apply(update);
    },
  };
}

const policy = (namespace: string, name: string, spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}`;

const mesh = (spec: string): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: ${spec}`;

const rbac = (namespace: string, name: string, spec: string): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: EnvoyRbac\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}`;

const workload = (namespace: string, labels: Record<string, string> = {}): Workload => ({
  namespace,
  name: "",
  type: "sidecar",
  labels: new Map(Object.entries(labels)),
  services: [],
});

const keys = ({ filters }: Chain): string[] =>
  filters.flatMap(({ enforced }) => enforced?.rules.map(({ ref }) => ref.key) ?? []);

const any = "{rules: [{}]}";

describe("what applies to a workload", () => {
  it("are the policies of its namespace and of the root, by selector", async () => {
    const { plan, scoped } = await world().load(
      policy("istio-system", "root", any),
      policy("istio-system", "rooted", "{selector: {matchLabels: {app: web}}, rules: [{}]}"),
      policy("shop", "all", any),
      policy("shop", "web", "{selector: {matchLabels: {app: web, v: '1'}}, rules: [{}]}"),
      policy("shop", "db", "{selector: {matchLabels: {app: db}}, rules: [{}]}"),
      policy("other", "all", any),
    );
    expect(scoped).toBe(true);
    expect(keys(plan(workload("shop", { app: "web", v: "1" })).http)).toEqual([
      "ns[istio-system]-policy[root]-rule[0]",
      "ns[istio-system]-policy[rooted]-rule[0]",
      "ns[shop]-policy[all]-rule[0]",
      "ns[shop]-policy[web]-rule[0]",
    ]);
    expect(keys(plan(workload("shop")).http)).toEqual([
      "ns[istio-system]-policy[root]-rule[0]",
      "ns[shop]-policy[all]-rule[0]",
    ]);
    expect(keys(plan(undefined).http)).toEqual(["ns[istio-system]-policy[root]-rule[0]"]);
  });

  it("is remembered for the workload", async () => {
    const { plan } = await world().load(policy("shop", "a", any));
    const shop = workload("shop");
    expect(plan(shop)).toBe(plan(shop));
    expect(plan(undefined)).toBe(plan(undefined));
  });

  it("is scoped only if something is not for the whole mesh", async () => {
    expect((await world().load(policy("istio-system", "a", any))).scoped).toBe(false);
    expect((await world().load(policy("shop", "a", any))).scoped).toBe(true);
    expect((await world().load(rbac("shop", "a", "{rules: {}}"))).scoped).toBe(true);
    expect((await world().load(mesh("{rootNamespace: shop}"), policy("shop", "a", any))).scoped).toBe(false);
  });

  it("ends with EnvoyRbac filters in the order of their names", async () => {
    const rule =
      "{rules: {action: ALLOW, policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}}";
    const { plan } = await world().load(
      rbac("shop", "b", rule.replace("p:", "second:")),
      rbac("shop", "a", rule.replace("p:", "first:")),
      policy("shop", "z", any),
    );
    const { filters } = plan(workload("shop")).http;
    expect(filters.map(({ enforced }) => enforced?.rules[0]?.ref)).toMatchObject([
      { policy: "shop/z" },
      { policy: "shop/a", key: "first" },
      { policy: "shop/b", key: "second" },
    ]);
  });
});

describe("legacy kinds", () => {
  const legacy = (kind: string, namespace: string, name: string, spec: string): string =>
    `apiVersion: rbac.istio.io/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}`;
  const documents = [
    legacy("ClusterRbacConfig", "istio-system", "default", "{mode: 'ON'}"),
    legacy("ServiceRole", "shop", "viewer", "{rules: [{services: ['*'], methods: [GET]}]}"),
    legacy(
      "ServiceRoleBinding",
      "shop",
      "all",
      "{subjects: [{user: '*'}], roleRef: {kind: ServiceRole, name: viewer}}",
    ),
  ];

  it("make one filter, whose rules are named by their roles", async () => {
    const { plan } = await world().load(...documents);
    const { filters } = plan(workload("shop")).http;
    expect(filters).toHaveLength(1);
    expect(filters[0]?.enforced?.rules[0]?.ref).toMatchObject({ key: "viewer", policy: "shop/viewer" });
  });

  it("refuse where no role is, and where nothing is known of the workload", async () => {
    const { plan, scoped } = await world().load(...documents);
    expect(scoped).toBe(true);
    for (const where of [workload("empty"), undefined]) {
      expect(plan(where).http.filters).toMatchObject([{ enforced: { action: "ALLOW", rules: [] } }]);
    }
  });

  it("count no more where an AuthorizationPolicy applies", async () => {
    const { plan } = await world().load(...documents, policy("shop", "new", any));
    expect(keys(plan(workload("shop")).http)).toEqual(["ns[shop]-policy[new]-rule[0]"]);
  });
});

describe("CUSTOM policies", () => {
  const custom = (name: string, provider: string): string =>
    policy("shop", name, `{action: CUSTOM, provider: {name: ${provider}}, rules: [{}]}`);
  const grpc = "{name: grpc, envoyExtAuthzGrpc: {service: 127.0.0.1, port: 9000}}";
  const http = "{name: http, envoyExtAuthzHttp: {service: 127.0.0.1, port: 8000}}";

  const ask = async (...documents: string[]): Promise<{ http: unknown[]; tcp: unknown[] }> => {
    const entries: Record<string, Provider> = {};
    const { plan } = await world((entry) => {
      if (entry.envoyExtAuthzGrpc === undefined && entry.envoyExtAuthzHttp === undefined) return undefined;
      entries[entry.name] ??= async () => verdict({} as never);
      return entries[entry.name];
    }).load(...documents);
    const { http, tcp } = plan(workload("shop"));
    const named = ({ custom }: Chain): unknown[] =>
      custom.map(({ providerName, provider }) => [providerName, provider !== undefined]);
    return { http: named(http), tcp: named(tcp) };
  };

  it("ask their provider", async () => {
    const plan = await ask(custom("c", "grpc"), mesh(`{extensionProviders: [${grpc}]}`));
    expect(plan).toEqual({ http: [["grpc", true]], tcp: [["grpc", true]] });
  });

  it("do nothing on TCP where the provider is asked over HTTP", async () => {
    const plan = await ask(custom("c", "http"), mesh(`{extensionProviders: [${http}]}`));
    expect(plan).toEqual({ http: [["http", true]], tcp: [] });
  });

  it("refuse what they match when the provider is unknown or has no address", async () => {
    expect(await ask(custom("c", "grpc"))).toEqual({ http: [["grpc", false]], tcp: [["grpc", false]] });
    const bare = await ask(custom("c", "bad"), mesh("{extensionProviders: [{name: bad}]}"));
    expect(bare).toEqual({ http: [["bad", false]], tcp: [["bad", false]] });
  });

  it("of several providers refuse, unless the Mesh allows several", async () => {
    const documents = [custom("c", "grpc"), custom("d", "http")];
    const one = await ask(...documents, mesh(`{extensionProviders: [${grpc}, ${http}]}`));
    expect(one.http).toEqual([
      ["grpc", false],
      ["http", false],
    ]);
    const many = await ask(
      ...documents,
      mesh(`{multipleCustomProviders: true, extensionProviders: [${grpc}, ${http}]}`),
    );
    expect(many.http).toEqual([
      ["grpc", true],
      ["http", true],
    ]);
  });
});

describe("a step", () => {
  it("keeps what did not change and leaves the snapshot before as it was", async () => {
    const { load } = world();
    const shop = workload("shop");
    const first = await load(policy("shop", "a", any), policy("shop", "b", any));
    const before = first.plan(shop).http.filters[0]?.enforced?.rules;
    const second = await load(policy("shop", "a", any), policy("shop", "c", any));
    const after = second.plan(shop).http.filters[0]?.enforced?.rules;
    expect(after?.map(({ ref }) => ref.policy)).toEqual(["shop/a", "shop/c"]);
    expect(after?.[0]).toBe(before?.[0]);
    expect(first.plan(shop).http.filters[0]?.enforced?.rules).toBe(before);
    expect([first.generation, second.generation]).toEqual([1, 2]);
  });

  it("translates again when the trust domain's names change", async () => {
    const { load } = world();
    const one = policy("shop", "a", "{rules: [{from: [{source: {principals: [cluster.local/ns/a/sa/b]}}]}]}");
    const matches = ({ plan }: Snapshot, principal: string): boolean | undefined => {
      const identity = { names: [principal] };
      const attributes = {
        protocol: "http",
        identity,
        source: { principal },
        tls: true,
      } as unknown as Attributes;
      return plan(workload("shop")).http.filters[0]?.enforced?.rules[0]?.matches(attributes);
    };
    const first = await load(one);
    expect(matches(first, "spiffe://td1/ns/a/sa/b")).toBe(false);
    const second = await load(one, mesh("{trustDomain: td1}"));
    expect(matches(second, "spiffe://td1/ns/a/sa/b")).toBe(true);
    const third = await load(one);
    expect(matches(third, "spiffe://td1/ns/a/sa/b")).toBe(false);
  });

  it("that only moves a document compiles nothing again", async () => {
    const { load } = world();
    const shop = workload("shop");
    const first = await load(policy("shop", "a", any));
    const second = await load("# more lines\n", policy("shop", "a", any));
    const rule = (snapshot: Snapshot): unknown => snapshot.plan(shop).http.filters[0]?.enforced?.rules[0];
    expect(rule(second)).toBe(rule(first));
  });

  it("that fails leaves the assembler as it was", async () => {
    const { load, assembler } = world();
    await load(policy("shop", "a", any));
    const broken = {
      id: "security.istio.io/AuthorizationPolicy/shop/b",
      kind: "AuthorizationPolicy",
      namespace: "shop",
      name: "b",
      origin: { file: "b.yaml", line: 1 },
      hash: "b",
      spec: null,
    };
    const step = { ok: true, removed: [], diagnostics: [], worst: undefined };
    await expect(assembler.apply({ ...step, upserts: [broken] })).rejects.toThrow();
    const next = await assembler.apply({ ...step, upserts: [] });
    expect(keys(next.plan(workload("shop")).http)).toEqual(["ns[shop]-policy[a]-rule[0]"]);
    expect(next.generation).toBe(2);
  });
});

describe("the workload registry", () => {
  const entry = (name: string, spec: string, metadata = ""): string =>
    `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: ${name}, namespace: shop${metadata}}\nspec: ${spec}`;
  const service = (name: string, spec: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}`;

  const at = (address: string, port: number, principal = ""): Attributes => {
    const words = address.split(".").reduce((word, part) => word * 256 + Number(part), 0);
    const ip = { family: 4, text: address, words: [words] };
    return { destination: { ip, port, principal } } as unknown as Attributes;
  };

  it("finds a WorkloadEntry by address, with the labels of both places", async () => {
    const { lookup } = await world().load(
      entry("vm", "{address: 10.0.0.1, labels: {app: web}}", ", labels: {v: '1'}"),
    );
    const found = lookup(at("10.0.0.1", 80));
    expect(found).toMatchObject({ namespace: "shop", name: "vm", type: "sidecar" });
    expect(found?.labels).toEqual(
      new Map([
        ["app", "web"],
        ["v", "1"],
      ]),
    );
    expect(lookup(at("10.0.0.2", 80))).toBeUndefined();
  });

  it("tells workloads of one address apart by port", async () => {
    const { lookup } = await world().load(
      entry("a", "{address: 10.0.0.1, ports: {http: 80}}"),
      entry("b", "{address: 10.0.0.1, ports: {http: 81}, labels: {app: b}}"),
    );
    expect([80, 81, 82].map((port) => lookup(at("10.0.0.1", port))?.name)).toEqual(["a", "b", undefined]);
  });

  it("finds it by the server's principal, of the mesh's trust domain only", async () => {
    const { lookup } = await world().load(
      entry("vm", "{address: vm.internal, serviceAccount: web}"),
      mesh("{trustDomain: td, trustDomainAliases: [old]}"),
    );
    expect(lookup(at("10.0.0.9", 80, "spiffe://td/ns/shop/sa/web"))?.name).toBe("vm");
    expect(lookup(at("10.0.0.9", 80, "spiffe://old/ns/shop/sa/web"))?.name).toBe("vm");
    expect(lookup(at("10.0.0.9", 80, "spiffe://evil/ns/shop/sa/web"))).toBeUndefined();
  });

  it("has no answer when several differ", async () => {
    const { lookup } = await world().load(
      entry("a", "{address: 10.0.0.1, serviceAccount: web, labels: {app: a}}"),
      entry("b", "{address: 10.0.0.2, serviceAccount: web, labels: {app: b}}"),
    );
    const principal = "spiffe://cluster.local/ns/shop/sa/web";
    expect(lookup(at("10.0.0.3", 80, principal))).toBeUndefined();
    expect(lookup(at("10.0.0.2", 80, principal))?.name).toBe("b");
  });

  it("knows the endpoints of a ServiceEntry, and the WorkloadEntries that it selects", async () => {
    const { lookup } = await world().load(
      service(
        "db",
        "{hosts: [db.shop], ports: [{number: 5432, name: tcp, protocol: TCP, targetPort: 5433}], endpoints: [{address: 10.0.0.5, labels: {app: db}}]}",
      ),
      service("web", "{hosts: [web.shop], workloadSelector: {labels: {app: web}}}"),
      entry("vm", "{address: 10.0.0.1, labels: {app: web}}"),
    );
    expect(lookup(at("10.0.0.5", 5433))).toMatchObject({
      services: [{ name: "db", namespace: "shop", host: "db.shop" }],
    });
    expect(lookup(at("10.0.0.5", 5432))).toBeUndefined();
    expect(lookup(at("10.0.0.1", 1))).toMatchObject({ services: [{ name: "web", host: "web.shop" }] });
  });

  it("gives the same workload after a step that does not touch it", async () => {
    const { load } = world();
    const vm = entry("vm", "{address: 10.0.0.1}");
    const first = await load(vm, policy("shop", "a", "{}"));
    const second = await load(vm, policy("shop", "a", any));
    expect(second.lookup(at("10.0.0.1", 80))).toBe(first.lookup(at("10.0.0.1", 80)));
  });
});
