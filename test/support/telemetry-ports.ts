import type { TelemetryPorts } from "../../src/config/index.js";
import { createSeriesStore } from "../../src/series/index.js";

/** What an assembler makes telemetry with, where no test looks at it. */
export function telemetryPorts(): TelemetryPorts {
  return {
    series: createSeriesStore({ now: () => 0 }),
    environment: () => undefined,
    observer: { expressionFailed: () => {}, valueRefused: () => {} },
    ruleFailed: () => {},
  };
}
