import type { LogLine } from "../logs/index.js";
import {
  finishWire,
  sizeOfAttributes,
  startWire,
  type Wire,
  writeAttributes,
  writeId,
  writeNanos,
  writeNumber,
  writeScoped,
  writeText,
  writeValue,
} from "./otlp-wire.js";

/** Of opentelemetry/proto/logs/v1: the first number of each range. */
const severityNumber: Readonly<Record<LogLine["severity"], number>> = { info: 9, warn: 13, error: 17 };
const severityText: Readonly<Record<LogLine["severity"], string>> = {
  info: "INFO",
  warn: "WARN",
  error: "ERROR",
};

const resource = { "service.name": "gatehouse" };

/** `ExportLogsServiceRequest` of lines, all of one resource, `service.name=gatehouse`. */
export function encodeLogs(lines: readonly LogLine[]): Buffer {
  const wire = startWire();
  writeScoped(wire, { resource, items: lines, write: writeRecord });
  return finishWire(wire);
}

function writeRecord(wire: Wire, line: LogLine): void {
  writeNanos(wire, 1, line.time);
  writeNanos(wire, 11, line.time);
  writeNumber(wire, 2, severityNumber[line.severity]);
  writeText(wire, 3, severityText[line.severity]);
  writeValue(wire, 5, line.text);
  if (line.fields !== undefined) writeAttributes(wire, 6, line.fields);
  writeId(wire, 9, line.traceId, 32);
  writeId(wire, 10, line.spanId, 16);
}

/** About how long a line is on the wire, in bytes. */
export function sizeOfLine({ text, fields }: LogLine): number {
  return 96 + text.length + sizeOfAttributes(fields);
}
