import type { Workload } from "../../attributes/index.js";

/** A service as the legacy kinds name it. */
export interface Service {
  readonly name: string;
  /** Fully qualified. */
  readonly host: string;
}

/** The services of a workload; Kubernetes' name where none is known. */
export function servicesOf({ services }: Workload): readonly Service[] {
  return services.map(({ name, namespace, host }) => ({
    name,
    host: host === "" ? `${name}.${namespace}.svc.cluster.local` : host,
  }));
}

/** Whether some service of the workload is one; a workload of which none is known has one without a name. */
export function anyService(workload: Workload, is: (service: Service) => boolean): boolean {
  const services = servicesOf(workload);
  return services.length === 0 ? is({ name: "", host: "" }) : services.some(is);
}

/** Exact, `p*`, `*s` or `*`, case-sensitive. */
export function matchesText(text: string, patterns: readonly string[]): boolean {
  return patterns.some(
    (pattern) =>
      text === pattern ||
      (pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1))) ||
      (pattern.startsWith("*") && text.endsWith(pattern.slice(1))),
  );
}
