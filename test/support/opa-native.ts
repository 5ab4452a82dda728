import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { BuildRequest, BuildResult } from "../../src/rego/index.js";
import { findTool } from "./tools.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = join(ROOT, "tools/opa");
const BUILD_MS = 900_000;
/** So many requests wait in the pipe, that it is never idle. */
const QUEUED = 24;

const run = promisify(execFile);

/** The embedded OPA as a program of this machine: the same code, some times as fast. */
export interface NativeOpa {
  readonly build: (request: BuildRequest) => Promise<BuildResult>;
  readonly close: () => void;
}

/** Starts it; builds it first when its sources have changed. */
export async function startNativeOpa(): Promise<NativeOpa> {
  // Each compilation leaves much behind and little stays: collecting it less often saves a third of the time.
  const env = { ...process.env, GOGC: "800" };
  const child = spawn(await nativeOpa(), [], { env, stdio: ["pipe", "pipe", "inherit"] });
  const waiting: { readonly done: (line: string) => void; readonly failed: (error: Error) => void }[] = [];
  const queue: (() => void)[] = [];
  let partial: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      const line = Buffer.concat([...partial, bytes.subarray(start, end)]).toString("utf8");
      partial = [];
      start = end + 1;
      waiting.shift()?.done(line);
      queue.shift()?.();
    }
    if (start < bytes.length) partial.push(bytes.subarray(start));
  });
  const end = (error: Error): void => {
    for (const { failed } of waiting.splice(0)) failed(error);
  };
  child.once("error", end);
  child.once("close", () => end(new Error("the native OPA ended")));

  const ask = async (request: object): Promise<unknown> => {
    if (waiting.length >= QUEUED) await new Promise<void>((free) => queue.push(free));
    const line = await new Promise<string>((done, failed) => {
      waiting.push({ done, failed });
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    return JSON.parse(line);
  };
  return {
    build: async (request) => {
      const answer = (await ask({ ...request, op: "build" })) as Omit<BuildResult, "wasm"> & {
        readonly wasm?: string;
        readonly failure?: string;
      };
      if (answer.failure !== undefined) throw new Error(`the native OPA failed: ${answer.failure}`);
      return { ...answer, wasm: answer.wasm === undefined ? undefined : Buffer.from(answer.wasm, "base64") };
    },
    close: () => {
      child.kill("SIGKILL");
    },
  };
}

/** The folder of OPA's own module, in the version that `tools/opa` pins. */
export async function opaModuleFolder(): Promise<string> {
  const go = await findTool("go");
  const { stdout } = await run(go.where, ["mod", "download", "-json", "github.com/open-policy-agent/opa"], {
    cwd: SOURCES,
    timeout: BUILD_MS,
    env: { ...process.env, GOFLAGS: "", GOWORK: "off" },
  });
  return (JSON.parse(stdout) as { readonly Dir: string }).Dir;
}

/** The program, named by what it is built from. */
async function nativeOpa(): Promise<string> {
  const folder = join(ROOT, ".tools");
  const file = join(folder, `opa-${hashOfSources()}`);
  if (existsSync(file)) return file;
  await mkdir(folder, { recursive: true });
  const fresh = `${file}.${process.pid}`;
  try {
    const args = ["--import", "tsx", join(SOURCES, "build.ts"), "--native", fresh];
    await run(process.execPath, args, { cwd: ROOT, timeout: BUILD_MS });
    await rename(fresh, file);
  } finally {
    await rm(fresh, { force: true });
  }
  return file;
}

function hashOfSources(): string {
  const hash = createHash("sha256");
  const names = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });
  for (const name of names.filter((each) => /(\.go|go\.mod|go\.sum)$/.test(each)).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(SOURCES, name)));
  }
  return hash.digest("hex").slice(0, 16);
}
