import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";
import type { Exit, Running } from "./child.js";
import { send } from "./http.js";
import { findTool } from "./tools.js";

/** A bootstrap as plain data, in the form of Envoy's YAML with snake_case names. */
export type Bootstrap = Record<string, unknown>;

/** What to run and how it differs from what the bootstrap says. */
export interface EnvoyOptions {
  /** A bootstrap file, or the bootstrap itself. */
  readonly bootstrap: string | Bootstrap;
  /** Ports by listener name. Listeners that are not named, and the admin, take any free port. */
  readonly listeners?: Readonly<Record<string, number>>;
  readonly adminPort?: number;
  /** Ports on 127.0.0.1 by cluster name, for every endpoint of the cluster. */
  readonly clusters?: Readonly<Record<string, number>>;
  /** Last change to the bootstrap, after the ports. */
  readonly edit?: (bootstrap: Bootstrap) => void;
  /** Worker threads; 1 by default. */
  readonly concurrency?: number;
  /** Folder that relative file names in the bootstrap start from. */
  readonly cwd?: string;
  /** Further arguments, such as `--log-level debug`. */
  readonly args?: readonly string[];
  readonly readyMs?: number;
}

/** An Envoy that serves. */
export interface Envoy {
  /** The chosen port of each listener, by its name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Port of the admin interface, on 127.0.0.1. */
  readonly admin: number;
  readonly pid: number | undefined;
  /** Access log and log so far. In a container they are known only after `stop`. */
  logs(): string;
  /** GET (or POST, as Envoy wants for changes) on the admin interface; throws unless the status is 200. */
  adminText(path: string, method?: "GET" | "POST"): Promise<string>;
  stop(): Promise<Exit>;
}

interface SocketAddress {
  socket_address?: { address?: string; port_value?: number };
}
interface Shape {
  admin?: { address?: SocketAddress };
  static_resources?: {
    listeners?: { name?: string; address?: SocketAddress }[];
    clusters?: {
      name: string;
      load_assignment?: {
        endpoints?: { lb_endpoints?: { endpoint?: { address?: SocketAddress } }[] }[];
      };
    }[];
  };
}

/** Starts Envoy and waits until it serves on all listeners; throws with Envoy's log when it does not. */
export async function startEnvoy(options: EnvoyOptions): Promise<Envoy> {
  const bootstrap = await prepare(options);
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-envoy-"));
  try {
    const file = join(folder, "envoy.json");
    const addressFile = join(folder, "admin-address");
    await writeFile(file, JSON.stringify(bootstrap));
    const tool = await findTool("envoy");
    const running = await tool.launch(
      [
        ...["-c", file, "--admin-address-path", addressFile, "--disable-hot-restart"],
        ...["--concurrency", String(options.concurrency ?? 1), "--log-level", "warning"],
        ...["--file-flush-interval-msec", "50", "--drain-time-s", "1", "--parent-shutdown-time-s", "2"],
        ...(options.args ?? []),
      ],
      { folders: [folder], ...(options.cwd === undefined ? {} : { cwd: options.cwd }) },
    );
    try {
      const admin = await untilReady(running, addressFile, options.readyMs ?? 30_000);
      return {
        ports: await listenerPorts(admin),
        admin,
        pid: running.pid,
        logs: () => running.output(),
        adminText: (path, method = "GET") => adminText(admin, path, method),
        stop: async () => {
          const exit = await running.stop();
          await rm(folder, { recursive: true, force: true });
          return exit;
        },
      };
    } catch (error) {
      await running.stop();
      throw error;
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Lets Envoy check a bootstrap without serving; `output` names what is wrong. */
export async function validateBootstrap(
  options: EnvoyOptions,
): Promise<{ readonly ok: boolean; readonly output: string }> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-envoy-"));
  try {
    const file = join(folder, "envoy.yaml");
    await writeFile(file, stringify(await prepare(options)));
    const tool = await findTool("envoy");
    const running = await tool.launch(["-c", file, "--mode", "validate", "--disable-hot-restart"], {
      folders: [folder],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const { code } = await running.exited;
    return { ok: code === 0, output: running.output() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepare(options: EnvoyOptions): Promise<Bootstrap> {
  const bootstrap: Bootstrap =
    typeof options.bootstrap === "string"
      ? parse(await readFile(options.bootstrap, "utf8"))
      : structuredClone(options.bootstrap);
  const shape = bootstrap as Shape;
  shape.admin ??= {};
  shape.admin.address = {
    socket_address: { address: "127.0.0.1", port_value: options.adminPort ?? 0 },
  };
  const names = new Set(Object.keys({ ...options.listeners, ...options.clusters }));
  for (const { name, address } of shape.static_resources?.listeners ?? []) {
    if (address?.socket_address) address.socket_address.port_value = options.listeners?.[name ?? ""] ?? 0;
    names.delete(name ?? "");
  }
  for (const cluster of shape.static_resources?.clusters ?? []) {
    const port = options.clusters?.[cluster.name];
    names.delete(cluster.name);
    if (port === undefined) continue;
    for (const { lb_endpoints } of cluster.load_assignment?.endpoints ?? []) {
      for (const { endpoint } of lb_endpoints ?? []) {
        if (endpoint) endpoint.address = { socket_address: { address: "127.0.0.1", port_value: port } };
      }
    }
  }
  if (names.size > 0)
    throw new Error(`the bootstrap has no listener or cluster \`${[...names].join("`, `")}\``);
  options.edit?.(bootstrap);
  return bootstrap;
}

async function untilReady(running: Running, addressFile: string, readyMs: number): Promise<number> {
  const deadline = Date.now() + readyMs;
  let ended: Exit | undefined;
  void running.exited.then((exit) => {
    ended = exit;
  });
  for (;;) {
    const address = await readFile(addressFile, "utf8").catch(() => "");
    const port = Number(/:(\d+)\s*$/.exec(address)?.[1]);
    if (port > 0) {
      const ready = await adminText(port, "/ready", "GET").then(
        (text) => text.startsWith("LIVE"),
        () => false,
      );
      if (ready) return port;
    }
    if (ended) throw new Error(`envoy ended with ${ended.code ?? ended.signal}:\n${running.output()}`);
    if (Date.now() > deadline)
      throw new Error(`envoy is not ready after ${readyMs} ms:\n${running.output()}`);
    await sleep(20);
  }
}

async function listenerPorts(admin: number): Promise<Record<string, number>> {
  const answer = JSON.parse(await adminText(admin, "/listeners?format=json", "GET")) as {
    listener_statuses?: { name: string; local_address: SocketAddress }[];
  };
  const ports: Record<string, number> = {};
  for (const { name, local_address } of answer.listener_statuses ?? []) {
    const port = local_address.socket_address?.port_value;
    if (port !== undefined) ports[name] = port;
  }
  return ports;
}

async function adminText(port: number, path: string, method: "GET" | "POST"): Promise<string> {
  const { status, body } = await send({ port, path, method, timeoutMs: 5_000 });
  if (status === 200) return body;
  throw new Error(`envoy admin answered ${status} to \`${path}\`: ${body}`);
}
