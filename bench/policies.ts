import { stringify } from "yaml";

/**
 * How many policies there are, and how many of them apply to the workload that the benchmark's requests go
 * to.
 */
export interface PolicyCounts {
  readonly applicable: number;
  readonly loaded: number;
}

/** The workload of every benchmark request. */
export const benchWorkload = {
  namespace: "shop",
  name: "cart",
  labels: { app: "cart", version: "v1" },
} as const;

/**
 * A config of one Mesh (`spec` is its own) and AuthorizationPolicies as teams write them. Of the applicable ones only the last in
 * Envoy's order (that of rule ids) matches the benchmark's request, so all others are tried and fail: a third
 * each on the path, on the client, and on a header. Every fifth is a DENY.
 */
export function benchConfig({ applicable, loaded }: PolicyCounts, spec: object = {}): string[] {
  const mesh = { apiVersion: "gatehouse.dev/v1alpha1", kind: "Mesh", metadata: { name: "mesh" }, spec };
  const here = Array.from({ length: applicable }, (_, i) => applicablePolicy(i, i === applicable - 1));
  const elsewhere = Array.from({ length: loaded - applicable }, (_, i) => otherPolicy(i));
  return [mesh, ...here, ...elsewhere].map((document) => stringify(document));
}

function applicablePolicy(index: number, matches: boolean): object {
  const action = !matches && index % 5 === 4 ? "DENY" : "ALLOW";
  return policy(
    index,
    benchWorkload.namespace,
    { app: benchWorkload.labels.app },
    action,
    rule(index, matches),
  );
}

/** Half in other namespaces, half of other workloads in the same. */
function otherPolicy(index: number): object {
  const namespace = index % 2 === 0 ? `team-${index % 50}` : benchWorkload.namespace;
  return policy(10_000 + index, namespace, { app: `app-${index % 200}` }, "ALLOW", rule(index, false));
}

function policy(index: number, namespace: string, matchLabels: object, action: string, only: object): object {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: `p-${String(index).padStart(5, "0")}`, namespace },
    spec: { selector: { matchLabels }, action, rules: [only] },
  };
}

function rule(index: number, matches: boolean): object {
  const client = matches ? "web" : `client-${index}`;
  const networks = matches ? ["10.1.0.0/16", "127.0.0.0/8"] : [`172.16.${index % 256}.0/24`];
  const from = [
    { source: { principals: [`cluster.local/ns/shop/sa/${client}`] } },
    { source: { ipBlocks: networks } },
  ];
  const anyone = [{ source: { notNamespaces: ["untrusted"] } }];
  const paths =
    matches || index % 3 !== 0 ? ["/api/v1/carts/*"] : [`/api/v1/reports-${index}/*`, `/health-${index}`];
  return {
    from: !matches && index % 3 === 2 ? anyone : from,
    to: [{ operation: { methods: ["GET", "POST"], paths } }],
    ...(!matches && index % 3 === 2
      ? { when: [{ key: "request.headers[x-tenant]", values: [`tenant-${index}`, `beta-${index}-*`] }] }
      : {}),
  };
}
