import { Buffer } from "node:buffer";
import { deny } from "../../engine/index.js";
import type { ExtProcCall, ExtProcOptions, ExtProcStream } from "./call.js";
import { createMessageReader } from "./decode.js";
import { createAnswerWriter } from "./encode.js";
import type { Immediate } from "./exchange.js";
import { failByClosing, openStream, type StreamContext } from "./stream.js";

/** `envoy.service.ext_proc.v3.ExternalProcessor`, which knows nothing of the transport. */
export interface ExtProcService {
  open(call: ExtProcCall, initialMetadata: ReadonlyMap<string, string>): ExtProcStream;
  /** For a caller that may not ask: its first message is answered with 403, since its Envoy may let an error through. */
  refuse(call: ExtProcCall): ExtProcStream;
  /** How many streams are open: those that wait for Envoy are not ended, as it would go on without us. */
  streams(): number;
  /** Fails all that are open with UNAVAILABLE, so that Envoy's failure mode decides. */
  failAll(): void;
}

const untrusted = deny("guard", "untrusted_caller");

/** As ext_authz answers it. */
const untrustedCaller: Immediate = {
  kind: "immediate",
  httpStatus: untrusted.httpStatus,
  headers: [],
  body: Buffer.from(untrusted.body),
  grpcStatus: untrusted.code,
  details: "gatehouse_denied",
};

/** Makes the service. */
export function createExtProcService(options: ExtProcOptions): ExtProcService {
  const context: StreamContext = {
    ...options,
    read: createMessageReader(),
    write: createAnswerWriter(),
    maxWaitingBytes: options.maxWaitingBytes ?? 64 * 1024,
    maxHeldBytes: options.maxHeldBytes ?? 16 * 1024 * 1024,
    open: new Set(),
  };
  return {
    open: (call, initialMetadata) => openStream(context, call, initialMetadata),
    refuse(call) {
      let isAnswered = false;
      return {
        receive() {
          if (!isAnswered) call.send(context.write(untrustedCaller));
          isAnswered = true;
        },
        drained: () => {},
        ended: () => call.end(),
        closed: () => {},
      };
    },
    streams: () => context.open.size,
    failAll() {
      for (const stream of [...context.open]) failByClosing(stream);
    },
  };
}
