import grpc from "@grpc/grpc-js";

/** One stream of Envoy's access log, as its receiver sees it. */
export interface AccessLogCall {
  /** Bytes of a StreamAccessLogsMessage. Never throws, never waits. */
  receive(bytes: Uint8Array): void;
  /** Nothing comes any more. */
  end(): void;
}

/** Receives access logs. */
export interface AccessLogReceiver {
  open(): AccessLogCall;
}

/** The method's handler, and a way to end what is open. */
export interface AccessLogMethod {
  readonly handle: grpc.handleClientStreamingCall<Uint8Array, Uint8Array>;
  /** Ends every open stream with OK, and each that opens from now on: Envoy opens another, elsewhere. */
  endAll(): void;
}

type Call = grpc.ServerReadableStream<Uint8Array, Uint8Array>;

/** StreamAccessLogsResponse has no fields. */
const empty = new Uint8Array();

/** Streams of access logs stay open as long as Envoy lives, so a drain has to end them. */
export function createAccessLogMethod(
  receiver: AccessLogReceiver,
  refuse: ((call: Call) => string | undefined) | undefined,
): AccessLogMethod {
  const open = new Set<() => void>();
  let isEnding = false;
  return {
    handle(call, callback) {
      // A peer that goes away shows as an error and as the end.
      call.on("error", () => {});
      if (refuse?.(call) !== undefined) {
        callback({ code: grpc.status.PERMISSION_DENIED, details: "the caller may not report here" });
        return;
      }
      const log = receiver.open();
      let isOver = false;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        open.delete(finish);
        log.end();
      };
      const finish = (): void => {
        end();
        callback(null, empty);
      };
      call.on("data", (bytes: Uint8Array) => {
        if (!isOver) log.receive(bytes);
      });
      call.on("end", () => {
        if (!isOver) finish();
      });
      call.on("cancelled", end);
      call.on("close", end);
      if (isEnding) finish();
      else open.add(finish);
    },
    endAll() {
      isEnding = true;
      for (const finish of [...open]) finish();
    },
  };
}
