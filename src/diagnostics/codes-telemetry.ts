/** GH09xx: Telemetry and Metric. Rows of the table `codes`. */
export const telemetryCodes = {
  unknownTelemetryProvider: {
    code: "GH0901",
    severity: "warning",
    title: "Telemetry names an unknown provider",
    help: "No entry of `Mesh.spec.extensionProviders` has this name, in any case of letters. As in Istio, nothing is measured, logged or traced for it; and what the Telemetry inherits from other levels is no longer asked for either, since providers that are named replace the inherited ones.",
  },
  secondNamespaceTelemetry: {
    code: "GH0902",
    severity: "warning",
    title: "second Telemetry for a whole namespace",
    help: "Of several Telemetry documents of one namespace without selector and targetRefs only one counts. Istio takes the oldest; documents in files have no age, so here it is the first by name. Join them, or give the others a selector.",
  },
  telemetryWithoutEffect: {
    code: "GH0903",
    severity: "warning",
    title: "field of a Telemetry has no effect",
    help: "What the field says is done inside Envoy, or not at all here: trace headers are forwarded by Envoy itself, how often TCP connections are reported is its `access_log_flush_interval`, and custom metrics of Envoy's filters do not exist. The rest of the document holds.",
  },
  secretInTelemetry: {
    code: "GH0904",
    severity: "warning",
    title: "secret header as a tag of spans",
    help: "The header holds credentials. Whoever may look at traces could use them, so the tag is left out.",
  },
  metricNameTaken: {
    code: "GH0905",
    severity: "error",
    title: "name of a metric is taken",
    help: "Another Metric gives series of this name; of a histogram NAME also `NAME_bucket`, `NAME_sum` and `NAME_count`. Prometheus could not tell them apart.",
  },
  metricNaming: {
    code: "GH0906",
    severity: "warning",
    title: "name of a metric misleads",
    help: "By the conventions of Prometheus, which `promtool check metrics` goes by, counters end with `_total` and nothing else does. The metric works.",
  },
  labelShowsQuery: {
    code: "GH0907",
    severity: "warning",
    title: "label shows what stands in queries",
    help: "Queries hold tokens and personal data, and whoever may read `/metrics` would see them. Clients choose them freely, too, so that the label soon says `other`. Use `request.url_path`, best in `pathTemplate()`.",
  },
  labelShowsCredential: {
    code: "GH0908",
    severity: "error",
    title: "label shows a credential",
    help: "A RequestAuthentication, TokenIntrospection or ApiKeys reads a token or key from this header or query parameter, and whoever may read `/metrics` could use it. Take another label: `request.auth.principal`, or a custom tag of the access log that holds no secret.",
  },
} as const;
