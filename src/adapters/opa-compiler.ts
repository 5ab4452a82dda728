import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { BuildResult, BundleResult, RegoCompiler } from "../rego/index.js";
import { createOpaCache, type OpaCacheOptions } from "./opa-cache.js";
import type { OpaRequest } from "./opa-messages.js";
import { createOpaThread, OPA_CHECKSUMS, type OpaThreadOptions } from "./opa-thread.js";
import type { AuthorTools } from "./opa-tools.js";

/** How OPA runs and where its results are kept. */
export interface OpaCompilerOptions extends Omit<OpaThreadOptions, "maxMemoryBytes"> {
  /** Folder for what was compiled: a restart with unchanged policies compiles nothing. */
  readonly cacheDir?: string | undefined;
  /** Why `cacheDir` is not used. */
  readonly onCacheUnusable?: OpaCacheOptions["onUnusable"];
}

/** The embedded OPA. */
export interface OpaCompiler extends RegoCompiler, AuthorTools {
  /** How many threads were begun so far: none as long as the cache had everything. */
  readonly threadStarts: number;
  close(): Promise<void>;
}

/**
 * OPA 1.22 as WebAssembly in a thread of its own, which is begun when something is first asked that no cache has, and
 * ended when it was idle for a minute. Calls reject with a GatehouseError when OPA fails or takes too long; what is
 * wrong with a policy is in their results.
 */
export function createOpaCompiler(options: OpaCompilerOptions = {}): OpaCompiler {
  const thread = createOpaThread(options);
  const cache = createOpaCache({ folder: options.cacheDir, onUnusable: options.onCacheUnusable });
  const running = new Map<string, Promise<unknown>>();
  let version: Promise<string> | undefined;

  const artifactVersion = (): Promise<string> => {
    version ??= readFile(OPA_CHECKSUMS, "utf8").catch(() => "");
    return version;
  };

  /** Equal requests at the same time are one. */
  const cached = async (request: OpaRequest, mayKeep: (result: unknown) => boolean): Promise<unknown> => {
    const key = await keyOf(await artifactVersion(), request);
    const known = running.get(key);
    if (known !== undefined) return known;
    const work = (async () => {
      const kept = await cache.get(key);
      if (kept !== undefined) return kept;
      const result = await thread.ask(request);
      if (mayKeep(result)) await cache.put(key, result);
      return result;
    })();
    running.set(key, work);
    try {
      return await work;
    } finally {
      running.delete(key);
    }
  };

  const ask = <Result>(request: OpaRequest): Promise<Result> => thread.ask(request) as Promise<Result>;

  return {
    async build({ modules, query, regoVersion }) {
      const request = { op: "build", modules, query, regoVersion } as const;
      return (await cached(request, () => true)) as BuildResult;
    },
    async openBundle({ bundle, verification, maxBytes }) {
      const request = { op: "openBundle", bundle, verification, maxBytes } as const;
      return (await cached(request, (result) => (result as BundleResult).ok)) as BundleResult;
    },
    check: (request) => ask({ ...request, op: "check" }),
    fmt: (request) => ask({ ...request, op: "fmt" }),
    test: (request) => ask({ ...request, op: "test" }),
    eval: (request) => ask({ ...request, op: "eval" }),
    inspect: (request) => ask({ ...request, op: "inspect" }),
    deps: (request) => ask({ ...request, op: "deps" }),
    get threadStarts() {
      return thread.starts;
    },
    close: () => thread.close(),
  };
}

/** Of all that the result depends on; bytes are hashed apart and outside of this thread. */
async function keyOf(artifact: string, request: OpaRequest): Promise<string> {
  const bundle = "bundle" in request ? await sha256(request.bundle) : undefined;
  const modules =
    "modules" in request ? Object.entries(request.modules).sort(([a], [b]) => (a < b ? -1 : 1)) : undefined;
  const text = JSON.stringify([artifact, { ...request, bundle, modules }]);
  return sha256(new TextEncoder().encode(text));
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes)).toString("hex");
}
