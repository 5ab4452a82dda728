import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findTool } from "../../test/support/tools.js";

const run = promisify(execFile);
/** The version that is embedded. */
const module = "github.com/open-policy-agent/opa@v1.22.0";

/** The `opa` of the embedded version: `OPA_BIN`, else built once into `.tools/` by Go. */
export async function findOpa(): Promise<string> {
  const named = process.env["OPA_BIN"];
  if (named) return named;
  const folder = fileURLToPath(new URL("../../.tools/opa-1.22.0", import.meta.url));
  const program = `${folder}/opa`;
  if (existsSync(program)) return program;
  const go = await findTool("go");
  await run(go.where, ["install", module], { timeout: 900_000, env: { ...process.env, GOBIN: folder } });
  return program;
}
