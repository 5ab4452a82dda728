import type { Command } from "commander";
import { defaults } from "../server/index.js";
import type { AuditVerifyOptions } from "./audit.js";
import type { AuditExportOptions, AuditTailOptions } from "./audit-read.js";
import type { DecisionsOptions } from "./decisions.js";
import type { ExitCode, Streams } from "./streams.js";

/** Adds the commands that look at what was decided. */
export function addDecisions(program: Command, streams: Streams, done: (code: ExitCode) => void): void {
  program
    .command("decisions")
    .description("print the last decisions of a running server and what became of them")
    .argument("[id]", "decision_id of one, to be told what would help as well")
    .option("--follow", "go on with those to come, each when its response is known or after 5 seconds")
    .option("--denied", "only what was refused")
    .option("--policy <policy>", "NAMESPACE/NAME that decided")
    .option("--outcome <outcome>", "as in `timeout` or `denied_but_served`")
    .option("--principal <principal>", "ISSUER/SUBJECT, or the principal of the certificate")
    .option("--host <host>", "host that was asked for")
    .option("--path <prefix>", "what the path begins with")
    .option("--since <time>", "RFC 3339, or how long ago: 90s, 15m, 2h")
    .option("--reason <reason>", "reason of the decision")
    .option("--body-policy <policy>", "NAMESPACE/NAME of a BodyPolicy that applied or was asked for")
    .option("--unmet", "only what was served without the body policies that were asked for")
    .option("--request-id <id>", "x-request-id")
    .option("--limit <number>", "how many at most (default: 10)")
    .option("--admin-address <address>", `of the server (default: ${defaults.adminAddress})`)
    .option("--admin-token-file <file>", "file with the bearer token of the admin pages")
    .option("--output <format>", "text or json", "text")
    .action(async (id: string | undefined, options: DecisionsOptions) => {
      const { showDecisions } = await import("./decisions.js");
      done(await showDecisions(id, options, streams));
    });
}

/** Adds the commands that read audit files. */
export function addAudit(program: Command, streams: Streams, done: (code: ExitCode) => void): void {
  const command = program.command("audit").description("verify and read the audit file");
  command
    .command("verify")
    .description(
      "say whether a chain is whole, and what was changed if not; files in the order of their writing",
    )
    .argument("<files...>", "audit files")
    .option(
      "--head <hash>",
      "hash of the last line, as it was noted elsewhere: finds lines cut off at the end",
    )
    .option("--key-file <file>", "file with the key of a chain of HMACs")
    .option("--output <format>", "text or json", "text")
    .action(async (files: string[], options: AuditVerifyOptions) => {
      const { verifyAudit } = await import("./audit.js");
      done(await verifyAudit(files, options, streams));
    });
  command
    .command("tail")
    .description("print the last records")
    .argument("<file>", "audit file")
    .option("-n, --lines <number>", "how many", "10")
    .option("--follow", "go on with those to come", false)
    .option("--output <format>", "text or json", "text")
    .action(async (file: string, options: AuditTailOptions) => {
      const { tailAudit } = await import("./audit-read.js");
      done(await tailAudit(file, options, streams));
    });
  command
    .command("export")
    .description("print records, all or some, for other programs")
    .argument("<files...>", "audit files")
    .option("--from <time>", "RFC 3339")
    .option("--to <time>", "RFC 3339")
    .option("--denied", "only what was refused", false)
    .option("--policy <policy>", "NAMESPACE/NAME that decided")
    .option("--output <format>", "jsonl or csv", "jsonl")
    .action(async (files: string[], options: AuditExportOptions) => {
      const { exportAudit } = await import("./audit-read.js");
      done(await exportAudit(files, options, streams));
    });
}
