import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { brotliCompress, brotliDecompress, constants } from "node:zlib";
import { findTool } from "../../test/support/tools.js";

/**
 * Builds the embedded OPA: `npm run build:opa`. The artifact is the same on every machine, since toolchain, modules
 * and flags are pinned; `-- --check` builds it again and compares, `-- --native FILE` builds the same operations as
 * a program of this machine, which reads one JSON request a line.
 */

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ARTIFACT = join(HERE, "opa.wasm.br");
const CHECKSUMS = join(HERE, "opa.wasm.sha256");
const BUILD_MS = 900_000;
/** Neither paths, debug information, version control nor the build's own id get into the artifact. */
const FLAGS = ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags=-s -w -buildid="];

async function goBuild(args: readonly string[], target: Readonly<Record<string, string>>): Promise<void> {
  const go = await findTool("go");
  if (go.source === "container") throw new Error("no Go on this machine, and a container's is not supported");
  const pinned = /^toolchain (\S+)$/m.exec(await readFile(join(HERE, "go.mod"), "utf8"))?.[1];
  if (pinned === undefined) throw new Error("go.mod pins no toolchain");
  const { GOROOT: _, ...env } = process.env;
  await promisify(execFile)(go.where, ["build", ...FLAGS, ...args], {
    cwd: HERE,
    timeout: BUILD_MS,
    maxBuffer: 16 << 20,
    env: {
      ...env,
      GOTOOLCHAIN: pinned,
      GOFLAGS: "",
      GOWORK: "off",
      GOEXPERIMENT: "",
      GOENV: "off",
      CGO_ENABLED: "0",
      ...target,
    },
  });
}

async function buildWasm(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-opa-"));
  try {
    const file = join(folder, "opa.wasm");
    const target = { GOOS: "wasip1", GOARCH: "wasm", GOWASM: "" };
    await goBuild(["-buildmode=c-shared", "-o", file, "./reactor"], target);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function compress(wasm: Buffer): Promise<Buffer> {
  return promisify(brotliCompress)(wasm, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length,
    },
  });
}

/** As `sha256sum` writes it. */
function line(name: string, bytes: Uint8Array): string {
  return `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
}

async function check(): Promise<string | undefined> {
  const [artifact, checksums] = [await readFile(ARTIFACT), await readFile(CHECKSUMS, "utf8")];
  const committed = await promisify(brotliDecompress)(artifact);
  const same = (wasm: Buffer) => line("opa.wasm", wasm) + line("opa.wasm.br", artifact) === checksums;
  if (!same(committed)) return "the committed artifact is not what its checksums say";
  const built = await buildWasm();
  return same(built) ? undefined : `built another artifact: ${line("opa.wasm", built).trim()}`;
}

const { values } = parseArgs({ options: { check: { type: "boolean" }, native: { type: "string" } } });
if (values.native !== undefined) {
  await goBuild(["-o", resolve(values.native), "./cmd"], {});
} else if (values.check === true) {
  const wrong = await check();
  if (wrong !== undefined) {
    console.error(wrong);
    process.exitCode = 1;
  }
} else {
  const wasm = await buildWasm();
  const artifact = await compress(wasm);
  await writeFile(ARTIFACT, artifact);
  await writeFile(CHECKSUMS, line("opa.wasm", wasm) + line("opa.wasm.br", artifact));
  console.log(`${wasm.length} bytes, ${artifact.length} compressed`);
}
