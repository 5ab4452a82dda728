import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { examine } from "../../src/doctor/index.js";
import { makeAuthority, spiffe, writeServerCertificates } from "../support/certificates.js";
import { type Bootstrap, doctorCases } from "../support/doctor-cases.js";
import { startEnvoy, validateBootstrap } from "../support/envoy.js";

const OWN = fileURLToPath(new URL("../../envoy", import.meta.url));
const cases = doctorCases();
let cwd: string;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), "gatehouse-doctor-"));
  await writeServerCertificates(cwd, makeAuthority(), { ...spiffe("bookshop", "books"), dns: ["localhost"] });
  for (const end of [".pem", "-key.pem"]) {
    copyFileSync(join(cwd, `certs/server${end}`), join(cwd, `certs/envoy${end}`));
  }
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** Many cases have the same good configuration. */
const accepted = new Map(
  cases
    .flatMap(({ name, good, mended }) => [
      { name: `the good configuration of ${name}`, bootstrap: good },
      ...(mended === undefined ? [] : [{ name: `${name} with its fix`, bootstrap: mended }]),
    ])
    .map((one) => [JSON.stringify(one.bootstrap), one]),
);

test.each([...accepted.values()])("Envoy accepts $name", async ({ bootstrap }) => {
  const { ok, output } = await validateBootstrap({ bootstrap, cwd });
  expect(output).toContain("OK");
  expect(ok).toBe(true);
});

/** What a person sees, without places. */
function told(document: unknown): readonly string[] {
  return examine(document)
    .map(({ code, message }) => `${code.code} ${message}`)
    .sort();
}

async function dumpOf(bootstrap: Bootstrap): Promise<unknown> {
  const envoy = await startEnvoy({ bootstrap, cwd });
  try {
    return JSON.parse(await envoy.adminText("/config_dump?include_eds"));
  } finally {
    await envoy.stop();
  }
}

type Fields = Record<string, unknown>;

/** The base with other fields of its ext_authz and ext_proc. */
function withFields(authz: Fields, proc: Fields): Bootstrap {
  const bootstrap = structuredClone(cases[0]?.good) as Bootstrap;
  const change = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const message = value as Fields;
    const type = String(message["@type"]);
    if (type.endsWith(".ext_authz.v3.ExtAuthz")) Object.assign(message, authz);
    if (type.endsWith(".ExternalProcessor")) Object.assign(message, proc);
    for (const inner of Object.values(message)) change(inner);
  };
  change(bootstrap);
  return bootstrap;
}

describe("texts in place of flags, enums and numbers", () => {
  const flags = ["t", "Yes", "Y", "1", "tRUE", "f", "No", "n", "0", "FALSE"];
  test.each(flags)("Envoy reads the flag %j as the doctor does", async (flag) => {
    const isOn = /^[ty1]/i.test(flag);
    const bootstrap = withFields(
      { failure_mode_allow: flag, shadow_mode: flag, encode_raw_headers: flag },
      { observability_mode: flag, allow_mode_override: flag },
    );
    const expected = isOn ? ["GH1201", "GH1203", "GH1203"] : ["GH1207", "GH1224"];
    expect(told(bootstrap).map((one) => one.slice(0, 6))).toEqual(expected);
    expect(told(await dumpOf(bootstrap))).toEqual(told(bootstrap));
  });

  test.each([
    ["skip", "buffered_partial", { seconds: "60" }],
    ["2", "3", "60.000s"],
    ["+2", "03", { seconds: 59, nanos: 1e9 - 1 }],
  ])("and the modes %j and %j", async (headers, body, timeout) => {
    const bootstrap = withFields(
      {},
      {
        processing_mode: { request_header_mode: headers, response_body_mode: body },
        message_timeout: timeout,
        route_cache_action: "clear",
      },
    );
    const found = told(bootstrap).map((one) => one.slice(0, 6));
    expect(found).toEqual(["GH1209", "GH1221", "GH1226", "GH1229"]);
    expect(told(await dumpOf(bootstrap))).toEqual(told(bootstrap));
  });

  // What the reader of protobuf takes for no flag or mode.
  test.each(["", " true", "2"])("it refuses the flag %j", async (flag) => {
    const bootstrap = withFields({ failure_mode_allow: flag }, {});
    expect((await validateBootstrap({ bootstrap, cwd })).ok).toBe(false);
  });
  test.each(["2.0", "0x2", " SKIP", "9"])("it refuses the mode %j", async (mode) => {
    const bootstrap = withFields({}, { processing_mode: { request_header_mode: mode } });
    expect((await validateBootstrap({ bootstrap, cwd })).ok).toBe(false);
  });
});

/** Of each part of a configuration one that is wrong. */
const wrong = [
  "GH1201 #3",
  "GH1210 #1",
  "GH1212 #1",
  "GH1215 #1",
  "GH1217 #1",
  "GH1205 #4",
  "GH1215 #3",
  "GH1225 #1",
  "GH1226 #1",
  "GH1233 #1",
  "GH1238 #1",
  "GH1245 #1",
  "GH1246 #2",
  "GH1247 #2",
  "GH1250 #1",
  "GH1262 #3",
  "GH1272 #1",
  "GH1274 #1",
  "GH1277 #1",
  "GH1280 #1",
  "GH1283 #1",
  "GH1285 #1",
];

describe("the config dump of a running Envoy", () => {
  test.each(wrong)("has the findings of its bootstrap (%s)", async (name) => {
    const bootstrap = cases.find((one) => one.name === name)?.bad as Bootstrap;
    expect(told(bootstrap)).not.toEqual([]);
    expect(told(await dumpOf(bootstrap))).toEqual(told(bootstrap));
  });

  test.each(readdirSync(OWN).filter((file) => file.endsWith(".yaml")))("has those of %s", async (file) => {
    const bootstrap = parse(readFileSync(join(OWN, file), "utf8")) as Bootstrap;
    expect(told(await dumpOf(bootstrap))).toEqual(told(bootstrap));
  });

  test("tells of routes that come from a control plane what the bootstrap cannot", async () => {
    const inline = cases.find((one) => one.name === "GH1219 #1")?.bad as Bootstrap;
    const { bootstrap, routes } = withoutRoutes(inline);
    writeFileSync(join(cwd, "routes.json"), JSON.stringify({ resources: [routes] }));
    expect(told(bootstrap)).toEqual([expect.stringContaining("GH1291")]);
    expect(told(await dumpOf(bootstrap))).toEqual(told(inline));
  });
});

/** The bootstrap with its routes in a file, as from RDS. */
function withoutRoutes(inline: Bootstrap): { bootstrap: Bootstrap; routes: object } {
  const bootstrap = structuredClone(inline) as Bootstrap & {
    static_resources: {
      listeners: { filter_chains: { filters: { typed_config: Record<string, unknown> }[] }[] }[];
    };
  };
  const manager = bootstrap.static_resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config ?? {};
  const routes = manager["route_config"] as object;
  delete manager["route_config"];
  manager["rds"] = {
    route_config_name: "bookshop",
    config_source: { path_config_source: { path: join(cwd, "routes.json") }, resource_api_version: "V3" },
  };
  const type = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
  return { bootstrap, routes: { "@type": type, ...routes } };
}
