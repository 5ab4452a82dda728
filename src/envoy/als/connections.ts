import { LRUCache } from "lru-cache";
import type { Report, ReportEvent } from "../../report/index.js";

type ReportBytes = Report["bytes"];

/** Open connections whose totals are remembered, of all proxies. */
const maxConnections = 100_000;

/** What one entry of a connection adds. */
export interface ConnectionStep {
  /** `continue` where the connection was reported as open before: Envoy may be told to do that twice. */
  readonly event: ReportEvent;
  readonly bytes: ReportBytes;
  /** Nobody has heard of the connection before, as far as is known. */
  readonly isFirst: boolean;
}

/** Totals of connections, from which the bytes since the report before are taken. */
export interface Connections {
  /**
   * `key`: of the proxy, log and connection; empty: unknown, then the totals count whole. `startedAt`: when the
   * connection was opened, in milliseconds since the epoch.
   */
  step(key: string, event: ReportEvent, totals: ReportBytes, startedAt: number): ConnectionStep;
  /** How many connections are remembered. */
  size(): number;
}

const nothing: ReportBytes = { received: 0, sent: 0, upstreamReceived: 0, upstreamSent: 0 };

/**
 * `since`: when this process began to listen. Of an open connection that is older and unknown, whatever is in its
 * totals was reported to another process, so counting begins at them; but where the end is all that Envoy reports
 * of connections, nobody has counted them.
 */
export function createConnections(since: number): Connections {
  const known = new LRUCache<string, ReportBytes>({ max: maxConnections });
  return {
    step(key, event, totals, startedAt) {
      if (key === "") return { event, bytes: totals, isFirst: event === "open" };
      const before = known.get(key);
      if (event === "close") known.delete(key);
      else known.set(key, totals);
      if (before !== undefined) {
        return {
          event: event === "open" ? "continue" : event,
          bytes: difference(totals, before),
          isFirst: false,
        };
      }
      const isOlder = event === "continue" && startedAt < since;
      return { event, bytes: isOlder ? nothing : totals, isFirst: !isOlder };
    },
    size: () => known.size,
  };
}

/** Never less than nothing: entries may be reported again, and late. */
function difference(totals: ReportBytes, before: ReportBytes): ReportBytes {
  return {
    received: Math.max(0, totals.received - before.received),
    sent: Math.max(0, totals.sent - before.sent),
    upstreamReceived: Math.max(0, totals.upstreamReceived - before.upstreamReceived),
    upstreamSent: Math.max(0, totals.upstreamSent - before.upstreamSent),
  };
}
