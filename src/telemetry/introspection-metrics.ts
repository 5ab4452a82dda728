import type { MetricObject } from "prom-client";
import type { IntrospectionEvent } from "../credentials/index.js";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** What introspection counts. */
export interface IntrospectionMetrics {
  /** `resource` is `NAMESPACE/NAME` of a TokenIntrospection. */
  introspected(resource: string, event: IntrospectionEvent): void;
  values(): MetricObject[];
}

const resource = { name: "resource", values: "`NAMESPACE/NAME` of a TokenIntrospection" } as const;

const requests: MetricDefinition = {
  name: "gatehouse_introspection_requests_total",
  type: "counter",
  help: "Tokens asked about at introspection endpoints, by resource and result: active, inactive, refused, or why there was no answer.",
  labels: [
    resource,
    {
      name: "result",
      values:
        "`active`, `inactive`, `refused` (scope, audience or issuer), or without a verdict `malformed`, `status`," +
        " `timeout`, `connect`, `egress`, `too_large`, `overloaded` (more than 256 under way)",
    },
  ],
};

const saved: MetricDefinition = {
  name: "gatehouse_introspection_saved_total",
  type: "counter",
  help: "Tokens that needed no question of their own: remembered (hit), or another request was asking (joined).",
  labels: [resource, { name: "result", values: ["hit", "joined"] }],
};

/** The metrics of introspection. */
export const introspectionDefinitions: readonly MetricDefinition[] = [requests, saved];

/** Counts questions to introspection endpoints, and those that were saved. */
export function createIntrospectionMetrics(): IntrospectionMetrics {
  const asked = createNumberFamily(requests);
  const notAsked = createNumberFamily(saved);
  return {
    introspected(name, event) {
      if (event === "cache_hit") notAsked.add(1, name, "hit");
      else if (event === "cache_joined") notAsked.add(1, name, "joined");
      else asked.add(1, name, event);
    },
    values: () => [asked.object(), notAsked.object()],
  };
}
