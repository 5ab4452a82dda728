import type { MetricObject } from "prom-client";
import type { IntrospectionEvent } from "../credentials/index.js";
import { metricObject } from "./exposition.js";

/** What introspection counts. */
export interface IntrospectionMetrics {
  /** `resource` is `NAMESPACE/NAME` of a TokenIntrospection. */
  introspected(resource: string, event: IntrospectionEvent): void;
  values(): MetricObject[];
}

/** Counts questions to introspection endpoints, and those that were saved. */
export function createIntrospectionMetrics(): IntrospectionMetrics {
  const byResource = new Map<string, Map<IntrospectionEvent, number>>();
  const valuesOf = (
    resultOf: (event: IntrospectionEvent) => string | undefined,
  ): { labels: Record<string, string>; value: number }[] =>
    [...byResource].flatMap(([resource, events]) =>
      [...events].flatMap(([event, value]) => {
        const result = resultOf(event);
        return result === undefined ? [] : [{ labels: { resource, result }, value }];
      }),
    );
  return {
    introspected(resource, event) {
      const events = byResource.get(resource) ?? new Map<IntrospectionEvent, number>();
      byResource.set(resource, events);
      events.set(event, (events.get(event) ?? 0) + 1);
    },
    values: () => [
      metricObject({
        name: "gatehouse_introspection_requests_total",
        help: "Tokens asked about at introspection endpoints, by resource and result: active, inactive, refused, or why there was no answer.",
        type: "counter",
        values: valuesOf((event) => (cached.has(event) ? undefined : event)),
      }),
      metricObject({
        name: "gatehouse_introspection_saved_total",
        help: "Tokens that needed no question of their own: remembered (hit), or another request was asking (joined).",
        type: "counter",
        values: valuesOf((event) => cached.get(event)),
      }),
    ],
  };
}

const cached: ReadonlyMap<IntrospectionEvent, string> = new Map([
  ["cache_hit", "hit"],
  ["cache_joined", "joined"],
]);
