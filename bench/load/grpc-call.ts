import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";

/** Opens a call of a method; its answer's bytes when it ended with OK, else it rejects. */
export interface Call {
  /** Takes frames; end it to have the answer. */
  readonly stream: ReturnType<ClientHttp2Session["request"]>;
  readonly answer: Promise<Buffer>;
}

/** A message as it goes on the wire: not compressed, its length in front. */
export function frameOf(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, 5);
  return bytes;
}

/** Begins a call, without what a gRPC library would cost. */
export function startCall(session: ClientHttp2Session, path: string): Call {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const answer = new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    const judge = (headers: IncomingHttpHeaders): void => {
      const { "grpc-status": status = "none", "grpc-message": text = "" } = headers;
      if (status !== "0") reject(new Error(`grpc-status ${String(status)} ${String(text)}`));
    };
    // An answer without a message has its status there already.
    stream.on("response", (headers) => headers["grpc-status"] === undefined || judge(headers));
    stream.on("trailers", judge);
    stream.on("error", reject);
    stream.on("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
  });
  return { stream, answer };
}
