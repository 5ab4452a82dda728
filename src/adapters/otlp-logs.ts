import type { LogLine } from "../logs/index.js";
import {
  beginField,
  endField,
  finishWire,
  startWire,
  type Wire,
  writeAttributes,
  writeId,
  writeNanos,
  writeNumber,
  writeScope,
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

/** `ExportLogsServiceRequest` of lines, all of one resource, `service.name=gatehouse`. */
export function encodeLogs(lines: readonly LogLine[]): Buffer {
  const wire = startWire();
  const resourceLogs = beginField(wire, 1);
  const resource = beginField(wire, 1);
  writeAttributes(wire, 1, { "service.name": "gatehouse" });
  endField(wire, resource);
  const scopeLogs = beginField(wire, 2);
  writeScope(wire);
  for (const line of lines) {
    const record = beginField(wire, 2);
    writeRecord(wire, line);
    endField(wire, record);
  }
  endField(wire, scopeLogs);
  endField(wire, resourceLogs);
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

/** About how long attributes are on the wire, in bytes. */
export function sizeOfAttributes(attributes: Readonly<Record<string, unknown>> = {}): number {
  let size = 0;
  for (const key of Object.keys(attributes)) {
    const value = attributes[key];
    size += 16 + key.length + (typeof value === "string" ? value.length : 0);
  }
  return size;
}
