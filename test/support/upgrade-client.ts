import { connect } from "node:net";

/** A connection that asked for a websocket. */
export interface Upgrading {
  /** All that came back so far, head included. */
  readonly sofar: string;
  say(text: string): void;
  leave(): void;
}

/** Asks for one; `body` is what the request brings along, which none should. */
export function askForWebsocket(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = "",
): Upgrading {
  const socket = connect(port, "127.0.0.1");
  let sofar = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    sofar += bytes.toString("latin1");
  });
  const lines = [
    `GET ${path} HTTP/1.1`,
    "host: shop.example",
    "connection: upgrade",
    "upgrade: websocket",
    ...(body === "" ? [] : [`content-length: ${body.length}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  return {
    get sofar() {
      return sofar;
    },
    say: (text) => void socket.write(text),
    leave: () => void socket.destroy(),
  };
}
