import type { Report, Reporter } from "../../report/index.js";
import { createTexts } from "../text.js";
import { WireError } from "../wire.js";
import { createConnections } from "./connections.js";
import type { Registry } from "./ends.js";
import type { Entry } from "./entry.js";
import { createFlagNames } from "./flags.js";
import type { Identifier } from "./identifier.js";
import { countEntries, findIdentifier, type MessageParts, readMessage } from "./message.js";
import { createParties } from "./parties.js";
import { eventOf, type ReportMemory, toReport } from "./report.js";
import { createAddresses } from "./request.js";
import { createServices } from "./services.js";

/**
 * Why an entry became no report: it, or the rest of its message, is none, or it is longer than 256 KiB; it is of an
 * upstream log, or of a type that is not known, and would count a request twice; what was done with it failed.
 */
export type AccessLogSkip = "malformed" | "upstream" | "unknown_type" | "failed";

/** What the service needs from its surroundings. */
export interface AccessLogOptions {
  /** The configuration in force; undefined while there is no valid one: then only proxies say who is who. */
  readonly current: () => Registry | undefined;
  /** Told of every entry, once. */
  readonly report: (report: Report) => void;
  /** Told of every entry that became no report. Must not throw. */
  readonly onSkipped: (reason: AccessLogSkip) => void;
  /** Told why bytes were no message, and of what should not have happened. Must not throw. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /**
   * A service that nobody names is called by the request's host, as in Istio. Off by default: clients choose it, and
   * it would be a label of metrics.
   */
  readonly hostFallback?: boolean;
}

/** One stream of a proxy's log: who reports is said once, in front. */
export interface AccessLogStream {
  /**
   * How many entries a message has, without reading them. It learns who reports, too: a message that is thrown away
   * afterwards takes no identifier along. Never throws.
   */
  count(bytes: Uint8Array): number;
  /**
   * Reports the entries of a StreamAccessLogsMessage while it is iterated: one at each step, which gives how many
   * entries are done with it. A message is to be iterated to its end before the next one. Never throws.
   */
  read(bytes: Uint8Array): IterableIterator<number>;
  /** Nothing comes any more. */
  close(): void;
}

/** `envoy.service.accesslog.v3.AccessLogService`, which knows nothing of the transport. */
export interface AccessLogService {
  open(): AccessLogStream;
  /** How many open TCP connections are remembered. */
  connections(): number;
}

/** `AccessLogType.UpstreamPoolReady`, `UpstreamPeriodic` and `UpstreamEnd`. */
const upstreamTypes: ReadonlySet<number> = new Set([7, 8, 9]);

const nobody: Identifier = { id: "", cluster: "", logName: "", metadata: {} };

/** Makes the service, with one memory for all its streams. */
export function createAccessLogService(options: AccessLogOptions): AccessLogService {
  const { current, report, onSkipped, onError } = options;
  const memory: ReportMemory = {
    texts: createTexts(),
    addresses: createAddresses(),
    flags: createFlagNames(),
    parties: createParties(),
    services: createServices(),
    connections: createConnections(options.now()),
    hostFallback: options.hostFallback ?? false,
  };

  function open(): AccessLogStream {
    let reporter: Reporter = memory.parties.reporter(nobody);
    const identify = (identifier: Identifier): void => {
      reporter = memory.parties.reporter(identifier);
    };
    const skip = (reason: AccessLogSkip, error: unknown): void => {
      onSkipped(reason);
      onError(error);
    };
    const take = (entry: Entry, by: Reporter): void => {
      const event = eventOf(entry);
      if (event === undefined) {
        onSkipped(upstreamTypes.has(entry.type) ? "upstream" : "unknown_type");
        return;
      }
      try {
        report(toReport(entry, event, by, current(), memory));
      } catch (error) {
        skip("failed", error);
      }
    };
    const malformed = (error: unknown): void => skip("malformed", error);
    function* read(bytes: Uint8Array): Generator<number, void, void> {
      // Of this message: while it is read another one may be counted that names somebody else.
      let own = reporter;
      const parts: MessageParts = {
        identifier: (identifier) => {
          identify(identifier);
          own = reporter;
        },
        entry: (entry) => take(entry, own),
        malformed,
      };
      try {
        yield* readMessage(bytes, memory.texts, parts);
      } catch (error) {
        if (error instanceof WireError) malformed(error);
        else onError(error);
      }
    }
    return {
      count(bytes) {
        const identifier = findIdentifier(bytes, memory.texts);
        if (identifier !== undefined) identify(identifier);
        return countEntries(bytes);
      },
      read,
      close() {
        reporter = memory.parties.reporter(nobody);
      },
    };
  }

  return { open, connections: () => memory.connections.size() };
}
