import { z } from "zod";
import { codes, finding } from "../diagnostics/index.js";
import { type Parsed, parseWith, type ResourceDocument } from "../documents/index.js";

/** One place where a workload listens. */
export interface Endpoint {
  /**
   * An IP address, or something that no request can be told by (a host name, a unix socket): empty then too.
   */
  readonly address: string;
  /** Empty: every port of the address. */
  readonly ports: readonly number[];
  readonly labels: Readonly<Record<string, string>>;
  /** Empty when not given. */
  readonly serviceAccount: string;
}

/** A ServiceEntry, as far as it says which workloads there are. */
export interface ServiceEntry {
  readonly hosts: readonly string[];
  readonly endpoints: readonly Endpoint[];
  /** Labels of the WorkloadEntries of its namespace that serve it. */
  readonly workloadSelector: Readonly<Record<string, string>> | undefined;
}

const port = z.int().min(1).max(65_535);
const labels = z.record(z.string(), z.string()).default({});

/** Fields whose meaning lies in routing: known, typed, without effect here. */
const workloadEntry = z.strictObject({
  address: z.string().default(""),
  ports: z.record(z.string(), port).default({}),
  labels,
  network: z.string().optional(),
  locality: z.string().optional(),
  weight: z.int().min(0).optional(),
  serviceAccount: z.string().default(""),
});

const serviceEntry = z.strictObject({
  hosts: z.array(z.string().min(1)).min(1),
  addresses: z.array(z.string()).optional(),
  ports: z
    .array(
      z.strictObject({
        number: port,
        protocol: z.string().optional(),
        name: z.string().default(""),
        targetPort: port.optional(),
      }),
    )
    .default([]),
  location: z.enum(["MESH_EXTERNAL", "MESH_INTERNAL"]).optional(),
  resolution: z.enum(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]).optional(),
  endpoints: z.array(workloadEntry).default([]),
  workloadSelector: z.strictObject({ labels }).optional(),
  exportTo: z.array(z.string()).optional(),
  subjectAltNames: z.array(z.string()).optional(),
});

/**
 * Parses a `networking.istio.io` WorkloadEntry. As in Istio labels of `metadata` win over those of `spec`.
 */
export function parseWorkloadEntry(document: ResourceDocument): Parsed<Endpoint> {
  const { spec, findings } = parseWith(workloadEntry, document.spec ?? {}, ["spec"]);
  if (spec === undefined) return { spec: undefined, findings };
  const { address, serviceAccount } = spec;
  const merged = { ...spec.labels, ...Object.fromEntries(document.labels ?? []) };
  return {
    spec: { address, ports: Object.values(spec.ports), labels: merged, serviceAccount },
    findings,
  };
}

/** Parses a `networking.istio.io` ServiceEntry. */
export function parseServiceEntry(document: ResourceDocument): Parsed<ServiceEntry> {
  const { spec, findings } = parseWith(serviceEntry, document.spec ?? {}, ["spec"]);
  if (spec === undefined) return { spec: undefined, findings };
  const { hosts, endpoints, workloadSelector } = spec;
  if (endpoints.length > 0 && workloadSelector !== undefined) {
    const message = "expected one of `endpoints` and `workloadSelector`, not both";
    return { spec: undefined, findings: [finding(codes.conflictingFields, ["spec", "endpoints"], message)] };
  }
  return {
    spec: {
      hosts,
      endpoints: endpoints.map(({ address, ports, labels, serviceAccount }) => ({
        address,
        ports: spec.ports.map(({ name, number, targetPort }) => ownPort(ports, name) ?? targetPort ?? number),
        labels,
        serviceAccount,
      })),
      workloadSelector: workloadSelector?.labels,
    },
    findings,
  };
}

function ownPort(ports: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.hasOwn(ports, name) ? ports[name] : undefined;
}
