import type { Expression } from "../expressions/index.js";
import type { Report, Reporter } from "./report.js";

/** Counts a report into metrics. Must not throw. */
export type Recorder = (report: Report) => void;

/** What an expression over reports reads: `attributes` and `workload` (the destination's) are the request's. */
export interface ReportInput {
  readonly attributes: Report["attributes"];
  readonly workload: NonNullable<Report["destination"]>["workload"] | undefined;
  readonly report: Report;
}

/** Whether the access log of a provider takes a report. */
export interface AccessLogRule {
  /** Of `Mesh.spec.extensionProviders`. */
  readonly provider: string;
  /** Undefined: every report. A failing expression does not take it, and is counted. */
  readonly filter: Expression<boolean, ReportInput> | undefined;
  readonly mode: "client" | "server" | "both";
}

/** A tag of every span. */
export type SpanTag =
  /** Of an environment variable too, read at load. */
  | { readonly name: string; readonly literal: string }
  | { readonly name: string; readonly header: string; readonly fallback: string }
  /** Istio's `formatter`: an Envoy command operator such as `%RESPONSE_CODE%`. */
  | { readonly name: string; readonly format: string };

/** How spans are made of reports; `undefined` fields: not said. */
export interface TracingRule {
  /** Of `Mesh.spec.extensionProviders`. */
  readonly providers: readonly string[];
  /** 0 to 100, for requests whose trace headers do not say themselves. */
  readonly samplingPercent: number;
  readonly disabled: boolean;
  readonly tags: readonly SpanTag[];
  /** Istio's own tags (`istio.mesh_id`, `istio.canonical_service` …). */
  readonly istioTags: boolean;
}

/** All that is made of the reports of one proxy; put together once. */
export interface ReportPlan {
  /** Istio's standard metrics and those of one's own, by side. */
  readonly recorders: { readonly client: readonly Recorder[]; readonly server: readonly Recorder[] };
  readonly accessLogs: readonly AccessLogRule[];
  readonly tracing: { readonly client: TracingRule; readonly server: TracingRule };
}

/** The plan of a proxy, remembered by it. */
export type ReportPlans = (reporter: Reporter) => ReportPlan;
