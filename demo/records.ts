import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { send } from "../test/support/http.js";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
/** Envoy sends its access log every second. */
const REPORT_MS = 10_000;

/** The records of `/decisions` as far as the demo reads them. */
interface Page {
  readonly decisions: readonly { readonly decision_id: string; readonly response: unknown }[];
}

/**
 * What `gatehouse decisions ID` prints of a request, once Envoy's access log has told what became of it. Throws when that
 * does not come.
 */
export async function tellRecord(adminPort: number, requestId: string): Promise<string> {
  const path = `/decisions?request_id=${encodeURIComponent(requestId)}`;
  const deadline = Date.now() + REPORT_MS;
  for (;;) {
    const { status, body } = await send({ port: adminPort, path });
    if (status !== 200) throw new Error(`gatehouse answered ${status} to \`${path}\`: ${body}`);
    const [record] = (JSON.parse(body) as Page).decisions;
    if (record && record.response !== null) return decisionsCommand(adminPort, record.decision_id);
    if (Date.now() > deadline) throw new Error(`no access log entry of request \`${requestId}\` has come`);
    await sleep(50);
  }
}

async function decisionsCommand(adminPort: number, decisionId: string): Promise<string> {
  const address = `127.0.0.1:${adminPort}`;
  const args = [MAIN, "decisions", decisionId, "--admin-address", address];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trimEnd();
}

/**
 * How many requests each workload answered with each status, by `istio_requests_total` of `/metrics`, once `expected` of
 * them have been counted. Throws when fewer are.
 */
export async function countedRequests(
  adminPort: number,
  expected: number,
): Promise<readonly (readonly [series: string, count: string])[]> {
  const deadline = Date.now() + REPORT_MS;
  for (;;) {
    const { body } = await send({ port: adminPort, path: "/metrics" });
    const counts = addUp(body);
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (all >= expected) {
      return [...counts]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([labels, count]) => [`istio_requests_total{${labels},…}`, String(count)]);
    }
    if (Date.now() > deadline) throw new Error(`${all} of ${expected} requests are in the metrics`);
    await sleep(50);
  }
}

/** The page in Prometheus' text form, over all labels but two. */
function addUp(page: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, labels = "", count] of page.matchAll(/^istio_requests_total\{(.*)\} (\S+)$/gm)) {
    const label = (name: string): string => new RegExp(`\\b${name}="[^"]*"`).exec(labels)?.[0] ?? "";
    const key = `${label("destination_workload")},${label("response_code")}`;
    counts.set(key, (counts.get(key) ?? 0) + Number(count));
  }
  return counts;
}
