import type { TelemetryInForce } from "../config/index.js";
import type { AccessLogRule, Report } from "../report/index.js";
import { type DecisionRing, type Metrics, servedOf } from "../telemetry/index.js";
import type { Outlet } from "./outlet.js";

interface ReportingPorts {
  /** What is in force; undefined while there is no configuration. */
  readonly current: () => TelemetryInForce | undefined;
  readonly decisions: Pick<DecisionRing, "served">;
  readonly metrics: Pick<Metrics, "reported">;
  readonly outlet: Pick<Outlet, "write" | "export">;
}

/** Makes of each report what the configuration asks for: metrics, lines, spans, and the other half of its decision. */
export function createReporting(ports: ReportingPorts): (report: Report) => void {
  const { current, decisions, metrics, outlet } = ports;

  const log = (rule: AccessLogRule, report: Report, { accessLogs }: TelemetryInForce): void => {
    const line = accessLogs.get(rule.provider);
    if (line === undefined || !takes(rule, report)) return;
    outlet.write(line(report));
  };

  return (report) => {
    metrics.reported(report);
    const served = servedOf(report);
    if (served !== undefined) decisions.served(served);
    const telemetry = current();
    if (telemetry === undefined) return;
    telemetry.byDecision(report);
    const { recorders, accessLogs, tracing } = telemetry.plans(report.reporter);
    for (const record of recorders[report.side]) record(report);
    if (report.event !== "close") return;
    for (const rule of accessLogs) log(rule, report, telemetry);
    for (const span of telemetry.spans(report, tracing[report.side])) outlet.export(span);
  };
}

/** A filter that has no value takes nothing, as in Envoy, and has been counted. */
function takes({ mode, filter }: AccessLogRule, report: Report): boolean {
  if (mode !== "both" && mode !== report.side) return false;
  const { attributes, destination } = report;
  return filter?.evaluate({ attributes, workload: destination?.workload, report }) ?? true;
}
