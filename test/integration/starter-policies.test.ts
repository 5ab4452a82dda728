import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../support/cli.js";

/** The tests beside the starter policies; what the server makes of the policies is in the cases beside them. */
const root = join(import.meta.dirname, "../../policies/rego");
const folders = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe.each(folders)("policies/rego/%s", (name) => {
  const folder = join(root, name);
  const version = readFileSync(join(folder, "policy.yaml"), "utf8").includes("regoVersion: v0")
    ? ["--v0"]
    : [];

  it("has tests that cover every line", async () => {
    const { code, stdout } = await runCli(["rego", "test", folder, "--threshold", "100", ...version]);
    expect(stdout).toMatch(/^PASS: (\d+)\/\1\n/);
    expect(code).toBe(0);
  });

  it("is without complaint in strict mode, and formatted", async () => {
    const checked = await runCli(["rego", "check", "--strict", folder, ...version]);
    expect(checked.stdout).toMatch(/^valid: /);
    expect(await runCli(["rego", "fmt", "--diff", folder, ...version])).toMatchObject({
      code: 0,
      stdout: "",
    });
  });
});

it("there are starter policies", () => {
  expect(folders.length).toBeGreaterThan(6);
});
