import type { Command } from "commander";
import type { DoctorOptions } from "./doctor.js";
import type { ExitCode, Streams } from "./streams.js";

/** Adds the command that looks at a configuration of Envoy. */
export function addDoctor(program: Command, streams: Streams, done: (code: ExitCode) => void): void {
  program
    .command("doctor")
    .description("say what in a configuration of Envoy would undo or bypass policy")
    .argument("<files...>", "bootstraps (YAML or JSON) or config dumps; - reads standard input")
    .option(
      "--config <path>",
      "policies: say only what matters to them, and what they need besides; may be repeated",
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
    )
    .option("--strict", "end with 1 for warnings too", false)
    .option("--output <format>", "text or json", "text")
    .action(async (files: string[], options: DoctorOptions) => {
      const { doctor } = await import("./doctor.js");
      done(await doctor(files, options, streams));
    });
}
