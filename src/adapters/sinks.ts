import { readFile } from "node:fs/promises";
import { GatehouseError } from "../diagnostics/index.js";
import type { LogLine, SinkSpec, Sinks } from "../logs/index.js";
import { auditTarget } from "./audit-file.js";
import { type Disk, nodeDisk } from "./file-disk.js";
import { fileTarget, type LineTarget } from "./file-output.js";
import type { Waiter } from "./file-queue.js";
import { createFileSink, type FileSinkLimits, fileSinkLimits } from "./file-sink.js";
import { createLogExporter, type OtlpPorts } from "./otlp-exporters.js";
import { complete, type SinkLoss } from "./sinks-ports.js";
import { createRoster } from "./sinks-roster.js";
import { stdoutTarget } from "./stdout-sink.js";

/** What sinks take from their surroundings. */
export interface SinkPorts extends OtlpPorts {
  /** Gives the bytes of a file; for the keys of audit files. Default: Node's files. */
  readonly readFile?: (path: string) => Promise<Uint8Array>;
  /** How long `store` waits for the disk; default 2000. */
  readonly storeTimeoutMs?: number;
  /** Default: Node's files. */
  readonly disk?: Disk;
  readonly fileLimits?: FileSinkLimits;
  /** Default: 1. */
  readonly stdoutDescriptor?: number;
}

/** One sink of any kind. */
interface Sink {
  readonly add: (line: LogLine, waiter: Waiter | undefined) => void;
  readonly reopen: () => void;
  readonly close: (deadlineMs: number) => Promise<void>;
}

/** Longer lines of logs help nobody, and cost everybody. In UTF-16 units. */
const maxText = 256 * 1024;
const lineBreaks = /[\r\n]+/g;

/** None is configured yet. */
export function createSinks(ports: SinkPorts): Sinks {
  const base = complete(ports);
  const { observer, schedule } = base;
  const disk = ports.disk ?? nodeDisk;
  let isClosed = false;
  const roster = createRoster((spec: SinkSpec) => open(spec));

  const targetOf = (spec: Exclude<SinkSpec, { kind: "otlp" }>): LineTarget => {
    if (spec.kind === "stdout") return stdoutTarget(disk, ports.stdoutDescriptor);
    if (spec.kind === "file") return fileTarget(spec.path, disk);
    const { path, keyFile } = spec;
    const readKey = async (): Promise<Uint8Array | undefined> => {
      if (keyFile === undefined) return undefined;
      const key = await (ports.readFile ?? readFile)(keyFile);
      // Anybody has the key of no bytes.
      if (key.length === 0) throw new GatehouseError("sink", "its key file is empty");
      return key;
    };
    return auditTarget(path, { disk, logger: ports.logger, now: ports.now, readKey });
  };

  const open = (spec: SinkSpec): Sink => {
    if (spec.kind === "otlp") {
      const exporter = createLogExporter(spec, ports, base);
      return queuedOnly({ ...exporter, reopen: () => {} });
    }
    const sink = createFileSink(spec.name, targetOf(spec), base, ports.fileLimits ?? fileSinkLimits);
    return spec.kind === "stdout" ? queuedOnly(sink) : sink;
  };

  const give = (line: LogLine, waiter: Waiter | undefined): void => {
    const sink = roster.get(line.sink);
    const loss: SinkLoss | undefined =
      sink === undefined
        ? isClosed
          ? "closed"
          : "unknown_sink"
        : line.text.length > maxText
          ? "too_long"
          : undefined;
    if (sink === undefined || loss !== undefined) {
      observer.dropped(line.sink, loss ?? "unknown_sink", 1);
      waiter?.lost(loss ?? "unknown_sink");
    } else sink.add(oneLine(line), waiter);
  };

  return {
    configure: roster.configure,
    write: (line) => give(line, undefined),
    store: (line) =>
      new Promise((resolve, reject) => {
        const cancel = schedule(ports.storeTimeoutMs ?? 2000, () => {
          reject(new GatehouseError("timeout", `a line of \`${line.sink}\` is not on disk in time`));
        });
        give(line, {
          stored: () => {
            cancel();
            resolve();
          },
          lost: (loss) => {
            cancel();
            reject(new GatehouseError("sink", `a line of \`${line.sink}\` is not on disk: ${loss}`));
          },
        });
      }),
    reopen: () => {
      for (const sink of roster.all()) sink.reopen();
    },
    close: (deadlineMs) => {
      isClosed = true;
      return roster.close(deadlineMs);
    },
  };
}

/** A sink that is no file, of which being queued is all that can be waited for. */
function queuedOnly(sink: {
  readonly add: (line: LogLine, waiter: undefined) => boolean;
  readonly reopen: () => void;
  readonly close: (deadlineMs: number) => Promise<void>;
}): Sink {
  return {
    ...sink,
    add: (line, waiter) => {
      if (sink.add(line, undefined)) waiter?.stored();
      else waiter?.lost("queue_full");
    },
  };
}

/** Whoever writes a line break into a line would make two of it. */
function oneLine(line: LogLine): LogLine {
  const { text } = line;
  if (!text.includes("\n") && !text.includes("\r")) return line;
  return { ...line, text: text.replace(lineBreaks, " ") };
}
