import { connect } from "node:tls";
import type { KeyPair } from "./certificates.js";

/** One line over a TLS connection to 127.0.0.1. */
export interface TlsTalk {
  readonly port: number;
  readonly ca: string;
  readonly client: KeyPair;
  /** Ends with a line feed. */
  readonly text: string;
}

/**
 * Says the line and gives what came back until a line feed or the end; empty when the connection was refused.
 */
export function talk({ port, ca, client, text }: TlsTalk): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca, ...client });
  return new Promise((resolve) => {
    let got = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      got += chunk;
      if (got.endsWith("\n")) socket.end();
    });
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(got));
    socket.write(text);
  });
}
