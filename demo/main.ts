import { execFile } from "node:child_process";
import { relative } from "node:path";
import { argv, exit, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { roomInDay } from "../test/support/day.js";
import { send } from "../test/support/http.js";
import { findTool } from "../test/support/tools.js";
import { logged } from "./access-log.js";
import { countedRequests, tellRecord } from "./records.js";
import {
  type DemoRequest,
  describe,
  expectation,
  outcome,
  RATE_LIMITS,
  REQUESTS,
  TOLD,
  withCredentials,
} from "./requests.js";
import { type Stage, setStage } from "./stage.js";
import { table } from "./table.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

function say(text: string): void {
  stdout.write(`${text}\n`);
}

/** What came of one request. */
interface Played {
  readonly request: DemoRequest;
  /** x-request-id. */
  readonly id: string;
  readonly right: boolean;
  /** A mark, the request, what was expected, what came, and who decided. */
  readonly row: readonly string[];
}

/** Sends one request and compares. */
async function play(stage: Stage, request: DemoRequest): Promise<Played> {
  const client = request.as === undefined ? undefined : stage.clients.get(request.as);
  const http = request.isProcessed ? stage.bodies : stage.plain;
  const answer = await send({
    port: (client ? stage.mtls.ports["https"] : http.ports["http"]) ?? 0,
    method: request.method,
    path: request.path,
    ...(request.headers ? { headers: withCredentials(request.headers, stage.credentials) } : {}),
    ...(request.from ? { localAddress: request.from } : {}),
    ...(client ? { tls: { ca: stage.ca, client } } : {}),
  });
  const id = String(answer.headers["x-request-id"]);
  const entry = await logged(stage.accessLog, id);
  const policy = entry?.details === "request_rate_limited" ? RATE_LIMITS : entry?.decision?.policy;
  const expected = expectation(request);
  const got = outcome(request, answer);
  const right = got === expected && entry?.decision != null && policy === request.policy;
  const decided =
    policy ?? (entry?.decision ? `none (${entry.decision.reason ?? "no reason"})` : "not asked");
  return { request, id, right, row: [right ? "ok" : "WRONG", describe(request), expected, got, decided] };
}

/** The joined records of three of the requests, and what all of them came to in the metrics. */
async function whatHappened({ gatehouse }: Stage, played: readonly Played[]): Promise<string> {
  const port = gatehouse.adminPort;
  const records: string[] = [];
  for (const told of TOLD) {
    // The last one: where a limit is reached.
    const last = played.filter(({ request }) => told(request)).at(-1);
    if (last) records.push(await tellRecord(port, last.id));
  }
  return `
What became of three of them (gatehouse decisions):

${records.join("\n\n")}

Istio's standard metrics, added up (http://127.0.0.1:${port}/metrics):

${table(["series", "requests"], await countedRequests(port, played.length))}`;
}

function playground(stage: Stage): string {
  const http = `http://127.0.0.1:${stage.plain.ports["http"]}`;
  const bodies = `http://127.0.0.1:${stage.bodies.ports["http"]}`;
  const https = `https://localhost:${stage.mtls.ports["https"]}`;
  return `
Everything stays up; Ctrl-C ends it. Send a request that is refused:

  curl -i -X POST ${http}/books/42

then add POST to the methods of books-public in ${relative(ROOT, stage.policies)}/books.yaml, save, and send it again.
With a token of the login service, good for twelve hours, and with an API key, good for a day:

  curl -i -H 'authorization: Bearer ${stage.credentials.get("good token")}' ${http}/account
  curl -i -H 'x-api-key: ${stage.credentials.get("key of acme")}' ${http}/exports/stock.csv

Change a letter in the middle of the token, or leave it out, and see what comes then; /decisions says why.
An answer that the support sees whole and others masked, by policies/demo/readers.yaml:

  curl -i -H 'authorization: Bearer ${stage.credentials.get("token of bob")}' ${bodies}/readers/7
  curl -i -H 'authorization: Bearer ${stage.credentials.get("token of eve from support")}' ${bodies}/readers/7

With a name of your own, three times, and then with staff-me; policies/demo/quotas.yaml says why:

  curl -i -X POST -H 'x-reader: me' ${http}/books/42/reviews

With a client certificate (also bookshop-admin, reporting-cron, guests-web):

  cd ${stage.folder}/certs
  curl -i --cacert ca.pem --cert bookshop-web.pem --key bookshop-web-key.pem ${https}/orders/7

Gatehouse  http://127.0.0.1:${stage.gatehouse.adminPort}/decisions  /config  /keys  /metrics
Envoy      http://127.0.0.1:${stage.plain.admin}
`;
}

/**
 * With `--exit` it ends after the metrics; with `--built` it takes `dist/` as it is. The result is the exit
 * code.
 */
async function main(): Promise<number> {
  if (!argv.includes("--built")) {
    say("building …");
    await promisify(execFile)("npm", ["run", "build"], { cwd: ROOT });
  }
  const envoy = await findTool("envoy");
  say(`Envoy: ${envoy.source === "container" ? envoy.where : relative(ROOT, envoy.where)} (${envoy.source})`);

  const stopped = new Promise<"stopped">((resolve) => {
    process.once("SIGINT", () => resolve("stopped"));
    process.once("SIGTERM", () => resolve("stopped"));
  });
  const stage = await setStage([...new Set(REQUESTS.flatMap(({ as }) => as ?? []))]);
  try {
    // The limit on covers is by the day.
    await roomInDay(30_000);
    const results: Played[] = [];
    for (const request of REQUESTS) results.push(await play(stage, request));
    say(
      `\n${table(
        ["", "request", "expected", "got", "deciding policy"],
        results.map(({ row }) => row),
      )}`,
    );
    const wrong = results.filter(({ right }) => !right).length;
    say(`\n${results.length - wrong} of ${results.length} as expected`);
    say(await whatHappened(stage, results));
    if (argv.includes("--exit")) return wrong === 0 ? 0 : 1;

    say(playground(stage));
    const end = await Promise.race([stopped, stage.gatehouse.child.exited]);
    if (end === "stopped") return 0;
    say(`gatehouse ended with ${end.code ?? end.signal}:\n${stage.gatehouse.child.output()}`);
    return 1;
  } finally {
    await stage.stop();
  }
}

main().then(exit, (error: unknown) => {
  const { stdout: output = "", stderr = "" } = error as { stdout?: string; stderr?: string };
  say([output, stderr, error instanceof Error ? error.message : String(error)].filter(Boolean).join("\n"));
  exit(1);
});
