import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { KeyPair } from "./certificates.js";

/** A TCP port in front of another one, that can be slow or end TLS. */
export interface TcpProxy {
  readonly port: number;
  /** How much later the answers come, in milliseconds, from now on. */
  delayMs: number;
  /** Whole chunks that came from callers. */
  readonly reads: () => number;
  close(): Promise<void>;
}

/** What a proxy does beside passing bytes on. */
export interface TcpProxyOptions {
  readonly delayMs?: number;
  /** Speaks TLS to callers; with `clientCa` they must show a certificate of it. */
  readonly tls?: KeyPair & { readonly clientCa?: string };
}

/** Listens on a free loopback port for connections to another one. */
export async function startTcpProxy(target: number, options: TcpProxyOptions = {}): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let reads = 0;
  const accept = (caller: Socket): void => {
    const server = connect(target, "127.0.0.1");
    for (const [one, other] of [
      [caller, server],
      [server, caller],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    caller.on("data", (bytes: Buffer) => {
      reads += 1;
      server.write(bytes);
    });
    server.on("data", (bytes: Buffer) => {
      if (proxy.delayMs === 0) caller.write(bytes);
      else setTimeout(() => caller.write(bytes), proxy.delayMs);
    });
  };
  const listener =
    options.tls === undefined
      ? createServer(accept)
      : createTlsServer(
          {
            cert: options.tls.cert,
            key: options.tls.key,
            ...(options.tls.clientCa === undefined
              ? {}
              : { ca: options.tls.clientCa, requestCert: true, rejectUnauthorized: true }),
          },
          accept,
        );
  listener.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const proxy: TcpProxy = {
    port: (listener.address() as AddressInfo).port,
    delayMs: options.delayMs ?? 0,
    reads: () => reads,
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return proxy;
}
