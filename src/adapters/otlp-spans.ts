import type { Span } from "../traces/index.js";
import {
  beginField,
  endField,
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
} from "./otlp-wire.js";

const kinds: Readonly<Record<Span["kind"], number>> = { internal: 1, server: 2, client: 3 };
const statuses: Readonly<Record<Span["status"], number>> = { unset: 0, ok: 1, error: 2 };

/** `ExportTraceServiceRequest`: a ResourceSpans for each different resource. */
export function encodeSpans(spans: readonly Span[]): Buffer {
  const wire = startWire();
  for (const group of byResource(spans)) {
    writeScoped(wire, { resource: group[0]?.resource ?? {}, items: group, write: writeSpan });
  }
  return finishWire(wire);
}

/** What a resource says; remembered by object, of which a reporter, or a batch of a worker, has one. */
const said = new WeakMap<Span["resource"], string>();

function byResource(spans: readonly Span[]): Iterable<readonly Span[]> {
  const groups = new Map<string, Span[]>();
  for (const span of spans) {
    let key = said.get(span.resource);
    if (key === undefined) {
      key = JSON.stringify(span.resource);
      said.set(span.resource, key);
    }
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [span]);
    else group.push(span);
  }
  return groups.values();
}

/** Numbers of opentelemetry/proto/trace/v1. */
function writeSpan(wire: Wire, span: Span): void {
  writeId(wire, 1, span.traceId, 32);
  writeId(wire, 2, span.spanId, 16);
  writeText(wire, 3, span.traceState);
  writeId(wire, 4, span.parentSpanId, 16);
  writeText(wire, 5, span.name);
  writeNumber(wire, 6, kinds[span.kind]);
  writeNanos(wire, 7, span.startMs);
  writeNanos(wire, 8, span.endMs);
  writeAttributes(wire, 9, span.attributes);
  if (span.status === "unset" && span.statusMessage === "") return;
  const status = beginField(wire, 15);
  writeText(wire, 2, span.statusMessage);
  writeNumber(wire, 3, statuses[span.status]);
  endField(wire, status);
}

/** About how long a span is on the wire, in bytes; its resource is shared. */
export function sizeOfSpan(span: Span): number {
  return 96 + span.name.length + span.traceState.length + sizeOfAttributes(span.attributes);
}
