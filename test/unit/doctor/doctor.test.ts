import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { codes } from "../../../src/diagnostics/index.js";
import { examine, fixOf, type PolicyFacts } from "../../../src/doctor/index.js";
import { baseBootstrap, doctorCases } from "../../support/doctor-cases.js";

const codesOf = (document: unknown, facts?: PolicyFacts): readonly string[] =>
  examine(document, facts).map(({ code }) => code.code);

const cases = doctorCases();

/** The value at a path, to show that paths of findings lead somewhere. */
function valueAt(document: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((here, step) => (here as Record<string | number, unknown>)?.[step], document);
}

/** Keys in lowerCamel, as proto3 JSON has them; keys of maps stay. */
function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      /^[a-z0-9_]+$/.test(key) ? key.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase()) : key,
      camel(item),
    ]),
  );
}

describe("the doctor", () => {
  test("finds nothing in a configuration that has all", () => {
    expect(examine(baseBootstrap()).map(({ message }) => message)).toEqual([]);
  });

  test.each(cases)(
    "$name is found in the bad configuration and not in the good one",
    ({ code, bad, good }) => {
      const findings = examine(bad).filter((one) => one.code.code === code);
      expect(findings).not.toEqual([]);
      for (const { path, message, fix } of findings) {
        expect(valueAt(bad, path)).toBeDefined();
        expect(message).toMatch(/^[^A-Z]/);
        expect(message).not.toMatch(/\.$|\n/);
        expect(fix).not.toBe("");
      }
      expect(codesOf(good)).not.toContain(code);
      expect(codesOf(camel(bad))).toEqual(codesOf(bad));
    },
  );

  test.each(cases.filter(({ mended }) => mended !== undefined))(
    "$name is mended by its fix",
    ({ code, mended }) => {
      expect(codesOf(mended)).not.toContain(code);
    },
  );

  test("has a case for each of its codes", () => {
    const all = Object.values(codes).filter(({ code }) => code.startsWith("GH12") && code !== "GH1200");
    const covered = new Set(cases.map(({ code }) => code));
    expect(all.map(({ code }) => code).filter((code) => !covered.has(code))).toEqual([]);
    expect(all.filter((code) => fixOf(code) === "")).toEqual([]);
  });

  test("has fixes that are YAML", () => {
    for (const code of Object.values(codes)) expect(() => parse(fixOf(code))).not.toThrow();
  });

  test.each([[null], [[]], [{}], ["text"], [{ kind: "AuthorizationPolicy" }], [{ configs: [] }]])(
    "says of %j that it is no configuration of Envoy",
    (document) => {
      expect(codesOf(document)).toEqual(["GH1200"]);
    },
  );

  test("survives any document", () => {
    const keys = fc.constantFrom(
      "static_resources",
      "listeners",
      "filter_chains",
      "filters",
      "typed_config",
      "@type",
      "http_filters",
      "admin",
      "__proto__",
      "constructor",
      "clusters",
      "configs",
      "route_config",
      "virtual_hosts",
      "routes",
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 8 },
        fc.anything({ maxDepth: 1 }),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.array(fc.tuple(keys, tie("tree")), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
      ),
    }));
    fc.assert(fc.property(tree, (document) => Array.isArray(examine(document))));
  });
});

describe("the repository's own bootstraps", () => {
  const folder = new URL("../../../envoy/", import.meta.url);
  test.each(readdirSync(folder).filter((file) => file.endsWith(".yaml")))("%s has no errors", (file) => {
    const document: unknown = parse(readFileSync(new URL(file, folder), "utf8"));
    const errors = examine(document).filter(({ code }) => code.severity === "error");
    expect(errors.map(({ code, message }) => `${code.code} ${message}`)).toEqual([]);
  });
});

describe("a dump or bootstrap of which parts are missing", () => {
  const discovered = (typed: object): unknown => {
    const document = JSON.stringify(baseBootstrap());
    const filter = {
      name: "envoy.filters.http.ext_authz",
      config_discovery: { config_source: { ads: {} }, ...typed },
    };
    return JSON.parse(
      document.replace(/"http_filters":\[.*?\],"route_config"/, () => {
        return `"http_filters":[${JSON.stringify(filter)}],"route_config"`;
      }),
    );
  };

  test("does not say that nobody asks where the filter may be the one that is not here", () => {
    const findings = examine(discovered({}));
    expect(findings.map(({ code, message }) => `${code.code} ${message}`)).toEqual([
      "GH1291 filter `envoy.filters.http.ext_authz` comes from elsewhere, expected a config dump of a running Envoy",
    ]);
  });

  test("looks at the default of a filter that comes from elsewhere, in its place", () => {
    const type = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";
    const document = discovered({ default_config: { "@type": type, failure_mode_allow: true } });
    const open = examine(document).find(({ code }) => code.code === "GH1201");
    expect(open?.path.slice(-4)).toEqual([0, "config_discovery", "default_config", "failure_mode_allow"]);
  });

  test("says nothing about the runtime that it does not have", () => {
    const { static_resources } = baseBootstrap() as { static_resources: { listeners: object[] } };
    const listeners = static_resources.listeners.map((listener) => ({ listener }));
    const type = "type.googleapis.com/envoy.admin.v3.ListenersConfigDump";
    expect(codesOf({ configs: [{ "@type": type, static_listeners: listeners }] })).toEqual([]);
  });
});

describe("a listener of connections", () => {
  const tcp = readFileSync(new URL("../../../envoy/tcp.yaml", import.meta.url), "utf8");
  const edited = (from: string, to: string): readonly string[] => {
    expect(tcp).toContain(from);
    return codesOf(parse(tcp.replace(from, to)));
  };

  test("must not let connections pass without an answer", () => {
    expect(edited("failure_mode_allow: false", "failure_mode_allow: true")).toEqual(["GH1201"]);
  });
  test("must send the certificates that it takes", () => {
    expect(edited("include_peer_certificate: true", "include_peer_certificate: false")).toEqual(["GH1206"]);
  });
  test("must have a timeout that the access log tells", () => {
    expect(edited("timeout: 2s", "timeout: 1s")).toEqual(["GH1278"]);
  });
  test("must try its access log again", () => {
    expect(edited("grpc_stream_retry_policy: {num_retries: 20}", "")).toEqual(["GH1276"]);
  });
  test("must ask at all", () => {
    const filter = tcp.replace(
      /envoy\.extensions\.filters\.network\.ext_authz\.v3\.ExtAuthz/,
      "other.Filter",
    );
    expect(codesOf(parse(filter))).toEqual(["GH1216"]);
  });
});

describe("with the policies in force", () => {
  const nothing: PolicyFacts = {
    readsHeaders: new Set(),
    readsAnyHeader: false,
    readsSourceIp: false,
    readsPeer: false,
    hasBodyPolicies: false,
    maxBodyBytes: undefined,
    maxResponseBytes: undefined,
    trustsEnvoyJwt: false,
    xff: undefined,
  };
  const bad = (code: string, nth = 1): unknown => cases.find(({ name }) => name === `${code} #${nth}`)?.bad;

  test("a hidden header is an error only when a policy reads it", () => {
    const hidden = bad("GH1231");
    expect(codesOf(hidden, nothing)).toEqual([]);
    expect(codesOf(hidden, { ...nothing, readsHeaders: new Set(["cookie"]) })).toEqual(["GH1230"]);
    expect(codesOf(hidden, { ...nothing, readsAnyHeader: true })).toEqual(["GH1231"]);
  });

  test("the peer's address matters only to policies that read it", () => {
    expect(codesOf(bad("GH1237"), nothing)).not.toContain("GH1237");
    expect(codesOf(bad("GH1237"), { ...nothing, readsSourceIp: true })).toContain("GH1237");
  });

  test("names of certificates matter only to policies that read the peer", () => {
    expect(codesOf(bad("GH1238"), nothing)).not.toContain("GH1238");
    expect(codesOf(bad("GH1238"), { ...nothing, readsPeer: true })).toContain("GH1238");
  });

  test("mode overrides matter only to body policies", () => {
    expect(codesOf(bad("GH1224"), nothing)).not.toContain("GH1224");
    expect(codesOf(bad("GH1224"), { ...nothing, hasBodyPolicies: true })).toContain("GH1224");
  });

  test("bodies that a policy reads whole must fit the listener's buffer", () => {
    const facts = { ...nothing, hasBodyPolicies: true };
    expect(codesOf(baseBootstrap(), { ...facts, maxBodyBytes: 1_048_576 })).toEqual([]);
    expect(codesOf(baseBootstrap(), { ...facts, maxBodyBytes: 1_048_577 })).toEqual(["GH1242"]);
  });

  test("responses have no buffer but where they are configured so", () => {
    const facts = { ...nothing, hasBodyPolicies: true, maxResponseBytes: 1_048_577 };
    expect(codesOf(baseBootstrap(), facts)).toEqual([]);
    const buffered = JSON.stringify(baseBootstrap()).replace(
      '"response_header_mode":"SEND"',
      '"response_body_mode":"BUFFERED"',
    );
    expect(codesOf(JSON.parse(buffered), facts)).toEqual(["GH1242"]);
  });

  test.each(["GH1225", "GH1226", "GH1246", "GH1262"])(
    "without body policies %s is of no interest",
    (code) => {
      expect(codesOf(bad(code))).toContain(code);
      expect(codesOf(bad(code), nothing)).not.toContain(code);
    },
  );

  test("ext_proc may be switched off for a route where no body policy acts and ext_authz decides", () => {
    expect(codesOf(bad("GH1204", 3))).toContain("GH1204");
    expect(codesOf(bad("GH1204", 3), nothing)).toEqual([]);
    expect(codesOf(bad("GH1204", 2), nothing)).toContain("GH1204");
  });

  test("a response's headers need not be sent where no body policy reads them", () => {
    expect(codesOf(bad("GH1229", 3), nothing)).toEqual([]);
    expect(codesOf(bad("GH1229", 1), nothing)).toEqual(["GH1229"]);
  });

  test("the Mesh's forwarded hops are held against a listener that tells none itself", () => {
    const document = baseBootstrap();
    const xff = { useRemoteAddress: true, numTrustedHops: 2 };
    expect(codesOf(document, { ...nothing, xff })).toEqual([]);
    const silent = JSON.parse(
      JSON.stringify(document)
        .replaceAll(/"xff\.[a-z_]+":"\w+",?/g, "")
        .replaceAll(",}", "}"),
    );
    expect(codesOf(silent, { ...nothing, xff })).toEqual(["GH1255"]);
  });
});
