import type grpc from "@grpc/grpc-js";
import type { ExtProcCall, ExtProcService, ExtProcStream } from "../envoy/index.js";

type Call = grpc.ServerDuplexStream<Uint8Array, Uint8Array>;

/**
 * The handler of `ExternalProcessor/Process`: bytes in, bytes out. What the service asks for is what the call does; a call
 * of which nothing more is to come is told to the service once.
 */
export function createExtProcHandler(
  service: ExtProcService,
  isRefused: (call: Call) => boolean,
): grpc.handleBidiStreamingCall<Uint8Array, Uint8Array> {
  return (call) => {
    // A peer that goes away shows as an error and as the end.
    call.on("error", () => {});
    const port: ExtProcCall = {
      send: (bytes) => call.write(bytes),
      pause: () => call.pause(),
      resume: () => call.resume(),
      end: () => call.end(),
      fail: (code, details) => void call.emit("error", { code, details }),
    };
    listen(
      call,
      isRefused(call) ? service.refuse(port) : service.open(port, initialMetadataOf(call.metadata)),
    );
  };
}

function listen(call: Call, stream: ExtProcStream): void {
  const closed = (): void => stream.closed();
  call.on("data", (bytes: Uint8Array) => {
    stream.receive(bytes);
    if (bytes.length > maxKept) forgetMessage(call);
  });
  call.on("drain", () => stream.drained());
  call.on("end", () => stream.ended());
  call.on("cancelled", closed);
  call.on("close", closed);
  call.on("error", closed);
}

/** Bytes of a message that a stream may go on holding when it has been taken. */
const maxKept = 16 * 1024;

/** grpc-js keeps the parts of a message until the next one begins (measured: 1 MiB a stream where Envoy sends as much). */
function forgetMessage(call: object): void {
  const { decoder } = ((call as { call?: unknown }).call ?? {}) as {
    decoder?: { readState?: unknown; readPartialMessage?: unknown };
  };
  const isBetween = decoder?.readState === 0;
  if (isBetween && Array.isArray(decoder.readPartialMessage)) decoder.readPartialMessage = [];
}

/** The first value of each key; those of bytes are nobody's. */
function initialMetadataOf(metadata: grpc.Metadata): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(metadata.getMap())) {
    if (typeof value === "string") values.set(name, value);
  }
  return values;
}
