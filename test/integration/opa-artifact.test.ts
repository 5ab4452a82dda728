import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");

test("the committed OPA is what its sources build to, byte for byte", { timeout: 900_000 }, async () => {
  const args = ["--import", "tsx", join("tools", "opa", "build.ts"), "--check"];
  const { stderr } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 900_000 });
  expect(stderr).not.toContain("built another artifact");
});
