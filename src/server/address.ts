import { lstatSync, unlinkSync } from "node:fs";
import { connect, isIP } from "node:net";
import { GatehouseError } from "../diagnostics/index.js";

/** Where a server listens. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/**
 * Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:/path`. Port 0 asks the system for a free one.
 * Throws `bad_address` for anything else.
 */
export function parseAddress(text: string): ListenAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (path !== "") return { kind: "unix", path };
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? "NaN");
  const bracketed = match?.[1] !== undefined;
  if (host === "" || !(port <= 65_535) || (bracketed && isIP(host) !== 6)) {
    throw new GatehouseError("bad_address", `bad address \`${text}\`, expected HOST:PORT or unix:/PATH`);
  }
  return { kind: "tcp", host, port };
}

/** The text form that `parseAddress` reads. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return `${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Only this machine can reach it: 127.0.0.0/8, ::1, `localhost` or a unix socket. */
export function isLoopback(address: ListenAddress): boolean {
  if (address.kind === "unix") return true;
  if (address.host === "localhost" || address.host === "::1") return true;
  return isIP(address.host) === 4 && address.host.startsWith("127.");
}

/** Why an address cannot be listened on, in the system's word if it gave one. */
export function cannotListen(address: string, cause: Error): GatehouseError {
  const reason = /\bE[A-Z]{3,}\b/.exec(cause.message)?.[0] ?? cause.message;
  return new GatehouseError("listen", `cannot listen on \`${address}\`: ${reason}`, { cause });
}

/**
 * Removes a unix socket file that a dead process left behind. A socket on which somebody answers, and a file
 * that is no socket, stay; the bind that follows then fails with the system's own error.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isSocket()) return;
  if (await answers(path)) return;
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.setTimeout(1000);
    const done = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => done(true));
    socket.once("timeout", () => done(true));
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code !== "ECONNREFUSED"));
  });
}
