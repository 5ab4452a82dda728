import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { golden, wrongTimes } from "../support/access-log-golden.js";
import { roomInDay } from "../support/day.js";
import {
  type Chain,
  goldenRecord,
  type ProcLogStage,
  startProcLogStage,
} from "../support/ext-proc-log-stage.js";
import { saysJson } from "../support/spoken-upstream.js";

// What a real Envoy's access log says of a request whose response was looked at, and the one record that Gatehouse makes
// of that and of its own decision.

const customer = JSON.stringify({ name: "Ann", card: "4111111111111111", email: "ann@shop.example" });

const bodyPolicy = (name: string, spec: string): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: ${name}, namespace: bookshop}
spec: ${spec}`;

const policies = [
  `
apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
# Their length goes by the clock.
spec: {quotaHeaders: none}`,
  `
apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: visits, namespace: bookshop}
spec: {match: "request.url_path.startsWith('/customers')", limit: 100, window: 1d}`,
  `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: partners, namespace: bookshop, annotations: {gatehouse.dev/obligations: without-names}}
spec: {action: AUDIT, rules: [{to: [{operation: {paths: [/obliged]}}]}]}`,
  bodyPolicy(
    "customers",
    "{match: request.url_path.startsWith('/customers'), response: {headers: [{operation: set, name: cache-control, value: \"'no-store'\"}], body: {delivery: whole, fields: [{path: $.card, action: mask, keepLast: 4, name: card}, {path: $.email, action: remove, name: email}]}}}",
  ),
  bodyPolicy(
    "no-names",
    "{match: request.url_path == '/customers/closed', response: {body: {delivery: whole, detect: [{pattern: Ann, maxLength: 3, name: names, action: deny}]}}}",
  ),
  bodyPolicy(
    "without-names",
    "{obligationOnly: true, response: {body: {delivery: whole, fields: [{path: $.name, action: remove, name: name}]}}}",
  ),
].join("\n---\n");

const cases = [
  {
    name: "masked",
    path: "/customers/7",
    status: 200,
    body: { name: "Ann", card: "************1111" },
    check: { outcome: "allowed", quota: [{ quota: "bookshop/visits", cost: 1 }], obligations: [], unmet: [] },
  },
  {
    name: "denied",
    path: "/customers/closed",
    status: 502,
    body: "the response was withheld",
    check: {
      outcome: "denied",
      obligations: [],
      unmet: [],
      body: { refused: { policy: "bookshop/no-names", reason: "sensitive_data", phase: "response" } },
    },
  },
  {
    name: "obliged",
    path: "/obliged",
    status: 200,
    body: { card: "4111111111111111", email: "ann@shop.example" },
    check: {
      outcome: "allowed",
      obligations: ["bookshop/without-names"],
      unmet: [],
      body: { fulfilled: ["bookshop/without-names"] },
    },
  },
] as const;

describe.each<Chain>(["alone", "behind"])("ext_proc %s", (chain) => {
  let stage: ProcLogStage;
  beforeAll(async () => {
    await roomInDay(60_000);
    const routes = Object.fromEntries(cases.map(({ path }) => [path, saysJson(customer)]));
    stage = await startProcLogStage(chain, policies, routes);
  });
  afterAll(() => stage?.stop());

  test.each(cases)("a response that was $name", async ({ name, path, status, body, check }) => {
    const from = Date.now();
    const { answer, report, record } = await stage.happen(path);
    expect(answer.status).toBe(status);
    expect(typeof body === "string" ? answer.body : JSON.parse(answer.body)).toEqual(body);

    const { decisionId } = report.check;
    expect(report.check).toMatchObject(check);
    expect(record).toMatchObject({ decision_id: decisionId, outcome: check.outcome });
    const namespaces = [
      "envoy.filters.http.ext_proc",
      ...(chain === "behind" ? ["envoy.filters.http.ext_authz"] : []),
    ];
    for (const namespace of namespaces)
      expect([namespace, report.attributes.metadata(namespace)]).toMatchObject([
        namespace,
        { decision_id: decisionId },
      ]);

    expect(wrongTimes(report, [from, Date.now()])).toEqual([]);
    const folder = `goldens/ext-proc-access-log/${name}-${chain}`;
    await expect(golden([report])).toMatchFileSnapshot(`${folder}.yaml`);
    await expect(goldenRecord(record)).toMatchFileSnapshot(`${folder}-record.yaml`);
  });

  test("leaves nothing in the log that could not be read", () => {
    expect(stage.faults).toEqual([]);
  });
});
