import { describe, expect, it } from "vitest";
import {
  type ConfigUpdate,
  createAssembler,
  createCatalog,
  type SourceFile,
} from "../../../src/config/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";
import { check, type Decision, type Snapshot } from "../../../src/engine/index.js";
import { authnOptions } from "../../support/authn.js";
import { countingPorts } from "../../support/counting.js";
import { aRequest, aWorkload } from "../../support/request.js";

const pause = async (): Promise<void> => {};

const quota = (name: string, spec: string, namespace = "foo"): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: Quota\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec:\n${spec}`;

interface World {
  readonly update: (...files: SourceFile[]) => Promise<ConfigUpdate>;
  readonly snapshot: (...texts: string[]) => Promise<Snapshot>;
}

function world(mergeDomains = false): World {
  const catalog = createCatalog({ pause, rateLimit: { mergeDomains } });
  const assembler = createAssembler({
    pause,
    providers: () => undefined,
    ...authnOptions,
    ...countingPorts(),
  });
  const update: World["update"] = (...files) => catalog.update({ files, diagnostics: [] });
  return {
    update,
    async snapshot(...texts) {
      const given = await update({ path: "a.yaml", text: texts.join("\n---\n") });
      expect(given.diagnostics.map(formatDiagnostic)).toEqual([]);
      return assembler.apply(given);
    },
  };
}

const said = ({ diagnostics }: ConfigUpdate): string[] => diagnostics.map(formatDiagnostic);

async function ask(snapshot: Snapshot, request = aRequest().to(aWorkload())): Promise<Decision> {
  const ports = { decisionId: () => "id", wallClock: () => 0 };
  return check(snapshot, request.build(), new Uint8Array(), ports);
}

const limits =
  "domain: edge\ndescriptors:\n  - key: client\n    rate_limit: {unit: hour, requests_per_unit: 1}\n";

describe("a Quota among other documents", () => {
  const perMinute = "  limit: 1\n  window: 1m\n";

  it("limits the workloads that its namespace and selector say, and no others", async () => {
    const snapshot = await world().snapshot(
      quota("one", `  selector: {matchLabels: {app: httpbin}}\n${perMinute}`),
    );
    const other = aRequest().to(aWorkload({ labels: new Map([["app", "web"]]) }));
    const elsewhere = aRequest().to(aWorkload({ namespace: "bar" }));
    const answers = [];
    for (const request of [aRequest().to(aWorkload()), other, elsewhere]) {
      answers.push([(await ask(snapshot, request)).allowed, (await ask(snapshot, request)).allowed]);
    }
    expect(answers).toEqual([
      [true, false],
      [true, true],
      [true, true],
    ]);
  });

  it("keeps what it has counted when its limit is edited", async () => {
    const { snapshot } = world();
    const before = await snapshot(quota("one", perMinute));
    expect((await ask(before)).allowed).toBe(true);
    expect((await ask(before)).allowed).toBe(false);
    const after = await snapshot(quota("one", "  limit: 2\n  window: 1m\n"));
    expect((await ask(after)).allowed).toBe(true);
    expect((await ask(after)).allowed).toBe(false);
  });

  it("of the root namespace is for the whole mesh", async () => {
    const snapshot = await world().snapshot(quota("all", perMinute, "istio-system"));
    expect((await ask(snapshot, aRequest().to(aWorkload({ namespace: "a" })))).allowed).toBe(true);
    expect((await ask(snapshot, aRequest().to(aWorkload({ namespace: "b" })))).allowed).toBe(false);
  });

  it("applies to TCP connections exactly when it asks nothing of a request", async () => {
    const tcp = aRequest().tcp().to(aWorkload());
    const plain = await world().snapshot(quota("q", `  dimensions: [source.ip]\n${perMinute}`));
    await ask(plain, tcp);
    expect(await ask(plain, tcp)).toMatchObject({ allowed: false, reason: "quota_exceeded" });
    const http = await world().snapshot(quota("q", `  dimensions: [request.method]\n${perMinute}`));
    await ask(http, tcp);
    expect((await ask(http, tcp)).allowed).toBe(true);
  });

  it("tells callers by the header fields that the Mesh asks for", async () => {
    const mesh = (headers: string): string =>
      `apiVersion: gatehouse.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {quotaHeaders: ${headers}}`;
    const names = async (headers: string): Promise<string[]> => {
      const snapshot = await world().snapshot(mesh(headers), quota("q", perMinute));
      return (await ask(snapshot)).quota.headers.map(([name]) => name);
    };
    expect(await names("rateLimit")).toEqual(["ratelimit-policy", "ratelimit"]);
    expect(await names("xRateLimit")).toContain("x-ratelimit-remaining");
    expect(await names("none")).toEqual([]);
  });

  it("with a wrong expression is an error at the place in the expression", async () => {
    const text = quota("q", `  match: request.method = 'GET'\n${perMinute}`);
    const [finding] = (await world().update({ path: "a.yaml", text })).diagnostics;
    expect(finding).toMatchObject({ file: "a.yaml", line: 5, code: "GH0701", resource: "Quota foo/q" });
    expect(finding?.column).toBe(25);
    const quoted = text.replace("request.method = 'GET'", `"request.method = 'GET'"`);
    const [other] = (await world().update({ path: "a.yaml", text: quoted })).diagnostics;
    expect(other).toMatchObject({ line: 5, column: 26 });
  });
});

describe("config files of envoyproxy/ratelimit", () => {
  it("stand among other documents and answer for their domain", async () => {
    const snapshot = await world().snapshot(limits, quota("q", "  limit: 1\n  window: 1m\n"));
    const entries = [{ key: "client", value: "a" }];
    const call = {
      domain: "edge",
      hitsAddend: 0,
      descriptors: [{ entries, limit: undefined, hitsAddend: undefined, isNegative: false }],
    };
    expect(await snapshot.rateLimits.decide(call)).toMatchObject({ code: "OK" });
    expect(await snapshot.rateLimits.decide(call)).toMatchObject({ code: "OVER_LIMIT" });
  });

  it("are known by their place, whatever they say, and then have one document only", async () => {
    const file: SourceFile = {
      path: "limits/readme.txt",
      text: `${limits}---\n- garbage`,
      isRateLimit: true,
    };
    expect(said(await world().update(file))).toEqual([]);
    const empty: SourceFile = { path: "limits/empty", text: "", isRateLimit: true };
    expect(said(await world().update(empty))).toEqual([
      expect.stringMatching(/^limits\/empty:1:1: error GH08\d\d .*domain/),
    ]);
  });

  it("that are wrong say where, counted from the file's first line", async () => {
    const text = `# a policy comes first\n${quota("q", "  limit: 1\n  window: 1m")}\n---\n${limits.replace("hour", "hours")}`;
    expect(said(await world().update({ path: "a.yaml", text }))).toEqual([
      expect.stringMatching(/^a\.yaml:12:\d+: error GH08\d\d .*hours/),
    ]);
  });

  it("share no domain, unless domains are merged", async () => {
    const other = limits.replace("client", "host");
    const files: SourceFile[] = [
      { path: "a.yaml", text: limits },
      { path: "b.yaml", text: other },
    ];
    expect(said(await world().update(...files))).toEqual([
      expect.stringMatching(/^[ab]\.yaml:1:\d+: error GH08\d\d .*`edge`/),
    ]);
    expect(said(await world(true).update(...files))).toEqual([]);
  });

  it("and Quotas never answer for one domain together", async () => {
    const mapped = quota(
      "q",
      "  dimensions: [request.method]\n  limit: 1\n  window: 1m\n  rateLimitService: {domain: edge, descriptor: [request.method]}\n",
    );
    expect(said(await world().update({ path: "a.yaml", text: `${limits}---\n${mapped}` }))).toEqual([
      expect.stringMatching(/^a\.yaml:13:\d+: error GH0706 .*`edge`.* \(Quota foo\/q\)$/),
    ]);
  });
});
