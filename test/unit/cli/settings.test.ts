import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  resolveSettings,
  type SettingSources,
  settings,
  type Values,
  variableOf,
} from "../../../src/cli/settings.js";

function resolve(given: { flags?: Record<string, unknown> } & Partial<SettingSources>): Values {
  return resolveSettings({
    flag: (setting) => given.flags?.[setting.name],
    environment: given.environment ?? {},
    file: given.file ?? {},
  });
}

const address = (values: Values): unknown => values.get("grpc-address");

describe("settings", () => {
  it("take the flag before the environment before the bootstrap file before the default", () => {
    const file = { grpcAddress: "file:1" };
    const environment = { GATEHOUSE_GRPC_ADDRESS: "env:1" };
    const flags = { "grpc-address": "flag:1" };
    expect(address(resolve({ flags, environment, file }))).toBe("flag:1");
    expect(address(resolve({ environment, file }))).toBe("env:1");
    expect(address(resolve({ file }))).toBe("file:1");
    expect(address(resolve({}))).toBe("127.0.0.1:9191");
  });

  it("are the same whether the file says a number or a text", () => {
    expect(resolve({ file: { workers: 3, reflection: true, drainTimeout: "2s" } })).toEqual(
      resolve({
        environment: { GATEHOUSE_WORKERS: "3", GATEHOUSE_REFLECTION: "true", GATEHOUSE_DRAIN_TIMEOUT: "2s" },
      }),
    );
  });

  it("read a list from commas in the environment", () => {
    expect(resolve({ environment: { GATEHOUSE_CONFIG: "a.yaml, b" } }).get("config")).toEqual([
      "a.yaml",
      "b",
    ]);
    expect(resolve({ file: { config: ["a", "b"] } }).get("config")).toEqual(["a", "b"]);
  });

  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["2m", 120_000],
  ])("read the time %s", (text, milliseconds) => {
    expect(resolve({ flags: { "drain-timeout": text } }).get("drain-timeout")).toBe(milliseconds);
  });

  it("count the cores for auto", () => {
    expect(resolve({ flags: { workers: "auto" } }).get("workers")).toBe(availableParallelism());
  });

  it.each([
    ["0", 0],
    ["250", 250],
  ])("take %s as a number of tokens to remember", (text, count) => {
    expect(resolve({ flags: { "token-cache": text } }).get("token-cache")).toBe(count);
  });

  it("ignore an empty variable", () => {
    expect(address(resolve({ environment: { GATEHOUSE_GRPC_ADDRESS: "" } }))).toBe("127.0.0.1:9191");
  });

  it.each([
    ["a time without unit", { "drain-timeout": "10" }],
    ["no workers", { workers: "0" }],
    ["a negative size", { "max-message-bytes": "-1" }],
    ["a negative count", { "token-cache": "-1" }],
    ["an empty address", { "grpc-address": "" }],
  ])("refuse %s", (_what, flags) => {
    expect(() => resolve({ flags })).toThrow(expect.objectContaining({ code: "bad_flag" }));
  });

  it("refuse what is neither true nor false", () => {
    expect(() => resolve({ environment: { GATEHOUSE_REFLECTION: "yes" } })).toThrow(/`GATEHOUSE_REFLECTION`/);
  });

  it("refuse an unknown key of the bootstrap file", () => {
    expect(() => resolve({ file: { grpcAdress: "x:1" } })).toThrow(/unknown key `grpcAdress`/);
  });

  it("each have a line with flag and variable in docs/operations.md", () => {
    const docs = readFileSync(join(import.meta.dirname, "../../../docs/operations.md"), "utf8");
    const missing = settings.filter(
      (setting) =>
        !docs
          .split("\n")
          .some((line) => line.includes(`\`--${setting.name}`) && line.includes(variableOf(setting))),
    );
    expect(missing).toEqual([]);
  });
});
