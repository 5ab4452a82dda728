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
  /**
   * Ends every open stream with OK, and each that opens from now on, so that Envoy opens another, elsewhere. Each after its
   * next message, when nothing is on its way, or when `withinMs` is over.
   */
  endAll(withinMs: number): void;
}

type Call = grpc.ServerReadableStream<Uint8Array, Uint8Array>;

/** StreamAccessLogsResponse has no fields. */
const empty = new Uint8Array();

/** Envoy's own `buffer_flush_interval`, and the way: who has sent nothing by then has nothing to send. */
const LAST_MESSAGE_MS = 1_200;

/**
 * Streams of access logs stay open as long as Envoy lives, so a drain has to end them. Nothing acknowledges a message, and
 * Envoy sends none again: what is on its way when a stream ends is lost.
 */
export function createAccessLogMethod(
  receiver: AccessLogReceiver,
  refuse: ((call: Call) => string | undefined) | undefined,
  tooLong: (bytes: Uint8Array) => Partial<grpc.StatusObject> | undefined,
): AccessLogMethod {
  /** For each stream what ends it before so many milliseconds are over. */
  const open = new Set<(withinMs: number) => void>();
  let endsWithin: number | undefined;
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
      let messages = 0;
      let timer: NodeJS.Timeout | undefined;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        open.delete(leave);
        log.end();
      };
      const finish = (): void => {
        if (isOver) return;
        end();
        callback(null, empty);
      };
      const leave = (withinMs: number): void => {
        if (withinMs === 0) finish();
        else timer = setTimeout(finish, withinMs);
      };
      /** In the second turn from now, unless another message has come. */
      const finishWhenQuiet = (): void => {
        const seen = messages;
        setImmediate(() =>
          setImmediate(() => {
            if (messages === seen) finish();
          }),
        );
      };
      call.on("data", (bytes: Uint8Array) => {
        if (isOver) return;
        const error = tooLong(bytes);
        if (error !== undefined) {
          end();
          callback(error);
          return;
        }
        messages += 1;
        log.receive(bytes);
        if (endsWithin !== undefined) finishWhenQuiet();
      });
      call.on("end", finish);
      call.on("cancelled", end);
      call.on("close", end);
      open.add(leave);
      if (endsWithin !== undefined) leave(endsWithin);
    },
    endAll(withinMs) {
      endsWithin = Math.min(withinMs, LAST_MESSAGE_MS);
      for (const leave of [...open]) leave(endsWithin);
    },
  };
}
