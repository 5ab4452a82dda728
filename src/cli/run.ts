import { randomBytes } from "node:crypto";
import { Command, CommanderError } from "commander";
import { GatehouseError } from "../diagnostics/index.js";
import { defaults, packageVersion } from "../server/index.js";
import type { ApiKeyTarget, CreateOptions } from "./apikey.js";
import type { CheckOptions } from "./check.js";
import { addDoctor } from "./doctor-command.js";
import type { QuotaOptions } from "./quota.js";
import { addAudit, addDecisions } from "./record-commands.js";
import { addRego } from "./rego.js";
import { settings } from "./settings.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Runs one command line without the program's name; resolves with its exit code. Never throws. */
export async function run(args: readonly string[], streams: Streams): Promise<ExitCode> {
  let code: ExitCode = exit.fine;
  const program = createProgram(streams, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.fine : exit.usage;
    return explainFailure(error, streams);
  }
}

/** Errors of usage exit with 2, everything else failed: 1. */
function explainFailure(error: unknown, { err }: Streams): ExitCode {
  const message = error instanceof Error ? error.message : String(error);
  err(`error: ${message}\n`);
  const usage =
    error instanceof GatehouseError && ["bad_flag", "bad_address", "bad_request"].includes(error.code);
  return usage ? exit.usage : exit.findings;
}

/** Commands are loaded when they are asked for, so that `serve` starts fast. */
function createProgram(streams: Streams, done: (code: ExitCode) => void): Command {
  const program = new Command("gatehouse")
    .description("policy and telemetry server for Envoy")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ writeOut: streams.out, writeErr: streams.err });
  addServe(program, streams, done);
  addApiKey(program, streams, done);
  addQuota(program, streams, done);
  addDecisions(program, streams, done);
  addDoctor(program, streams, done);
  addAudit(program, streams, done);
  addRego(program, streams, done);
  program
    .command("validate")
    .description("read configuration and print what is wrong with it")
    .argument("[paths...]", "files or folders of YAML")
    .option("--rego <dir>", "folder of .rego and data files, may be repeated", append)
    .option("--ratelimit-config <dir>", "config files of envoyproxy/ratelimit, may be repeated", append)
    .option("--output <format>", "text, json, or rbac: what the policies compile to", "text")
    .action(async (paths: string[], options: ValidateFlags) => {
      const { rego, ratelimitConfig: rateLimit, output } = options;
      requireSome(
        paths,
        [...(rego ?? []), ...(rateLimit ?? [])],
        "a path, --rego DIR or --ratelimit-config DIR",
      );
      const { validate } = await import("./validate.js");
      done(await validate({ paths, rego, rateLimit }, output, streams));
    });
  program
    .command("check")
    .description("decide one CheckRequest, given as proto3 JSON, without a server")
    .requiredOption("--request <file>", "the CheckRequest; - reads standard input")
    .option("--config <path...>", "files or folders of YAML")
    .option("--rego <dir>", "folder of .rego and data files, may be repeated", append)
    .option("--output <format>", "text or json", "text")
    .option("--explain", "say which rule came closest, what it missed, and what Rego decided", false)
    .action(async ({ config = [], ...options }: CheckFlags) => {
      requireSome(config, options.rego, "--config PATH or --rego DIR");
      const { checkOnce } = await import("./check.js");
      done(await checkOnce({ config, ...options }, streams));
    });
  return program;
}

function addServe(program: Command, streams: Streams, done: (code: ExitCode) => void): void {
  const command = program.command("serve").description("answer Envoy");
  for (const setting of settings) {
    const fallback = setting.fallback === undefined ? "" : ` (default: ${setting.fallback})`;
    const flag =
      setting.kind === "flag" ? `--${setting.name}` : `--${setting.name} <${setting.value ?? "VALUE"}>`;
    if (setting.kind === "list") command.option(flag, setting.help, append);
    else command.option(flag, `${setting.help}${fallback}`);
  }
  command
    .option("--bootstrap <FILE>", "YAML file with any of these settings; flags and environment win over it")
    .action(async (flags: Record<string, unknown>) => {
      const { serve } = await import("./serve.js");
      done(await serve(flags, streams));
    });
}

function addApiKey(program: Command, streams: Streams, done: (code: ExitCode) => void): void {
  const command = program.command("apikey").description("make, revoke and list the keys of an ApiKeys file");
  const ports = { now: Date.now, random: randomBytes };
  const targeted = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .requiredOption("--file <file>", "YAML file with the ApiKeys resource")
      .option("--name <name>", "of the resource, when the file holds several or is new")
      .option("--namespace <namespace>", "of the resource")
      .option("--output <format>", "text or json", "text");
  targeted("create", "make a key, add its hash to the file and print it, this once")
    .requiredOption("--owner <name>", "whose key it is: the subject of the identity")
    .option("--label <key=value>", "claim under `labels`, may be repeated", append)
    .option("--expires <time>", "a period like 90d, a day or an RFC 3339 time; never if absent")
    .action(async (options: Omit<CreateOptions, "label"> & Partial<CreateOptions>) => {
      const { createKey } = await import("./apikey.js");
      done(await createKey({ ...options, label: options.label ?? [] }, streams, ports));
    });
  targeted("revoke", "mark a key as no longer good")
    .argument("<id>", "the middle part of the key")
    .action(async (id: string, options: ApiKeyTarget) => {
      const { revokeKey } = await import("./apikey.js");
      done(await revokeKey(id, options, streams, ports));
    });
  targeted("list", "print the keys of the file without their hashes").action(
    async (options: ApiKeyTarget) => {
      const { listKeys } = await import("./apikey.js");
      done(await listKeys(options, streams, ports));
    },
  );
}

interface ValidateFlags {
  readonly output: string;
  readonly rego?: readonly string[];
  readonly ratelimitConfig?: readonly string[];
}

function addQuota(program: Command, streams: Streams, done: (code: ExitCode) => void): void {
  const command = program.command("quota").description("show or reset a counter of a running server");
  const counter = (name: "get" | "reset", description: string): Command =>
    command
      .command(name)
      .description(description)
      .argument("[quota]", "NAMESPACE/NAME of a Quota")
      .option("--dimension <name=value>", "value of a dimension of the Quota, may be repeated", append)
      .option("--domain <domain>", "domain of Envoy's rate limit service")
      .option("--descriptor <key=value>", "entry of one descriptor, in order, may be repeated", append)
      .option("--admin-address <address>", `of the server (default: ${defaults.adminAddress})`)
      .option("--admin-token-file <file>", "file with the bearer token of the admin pages")
      .option("--output <format>", "text or json", "text")
      .action(async (quota: string | undefined, options: QuotaOptions) => {
        const { getQuota, resetQuota } = await import("./quota.js");
        done(await (name === "get" ? getQuota : resetQuota)(quota, options, streams));
      });
  counter("get", "print how a counter stands; changes nothing");
  counter("reset", "forget what a counter has counted");
}

type CheckFlags = Omit<CheckOptions, "config"> & { readonly config?: readonly string[] };

function requireSome(paths: readonly string[], rego: readonly string[] | undefined, expected: string): void {
  if (paths.length > 0 || (rego ?? []).length > 0) return;
  throw new GatehouseError("bad_flag", `no configuration is named, expected ${expected}`);
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
