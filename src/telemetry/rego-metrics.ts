import { Counter, type Registry } from "prom-client";

/** What evaluations of Rego count. */
export interface RegoMetrics {
  /** An evaluation gave no answer; `reason` is from a closed set. */
  regoFailed(reason: string): void;
}

/** Counts evaluations without an answer. */
export function createRegoMetrics(registers: Registry[]): RegoMetrics {
  const failures = new Counter({
    name: "gatehouse_rego_failures_total",
    help: "Evaluations of Rego policies that gave no answer, by reason; each refused its request or let it pass by failOpen.",
    labelNames: ["reason"],
    registers,
  });
  return { regoFailed: (reason) => failures.inc({ reason }) };
}
