import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { codes } from "../../../src/diagnostics/index.js";
import { examine, fixOf, type PolicyFacts } from "../../../src/doctor/index.js";
import { baseBootstrap, doctorCases, noNeeds } from "../../support/doctor-cases.js";

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
    ({ code, bad, good, facts }) => {
      const findings = examine(bad, facts).filter((one) => one.code.code === code);
      expect(findings).not.toEqual([]);
      for (const { path, message, fix } of findings) {
        expect(valueAt(bad, path)).toBeDefined();
        expect(message).toMatch(/^[^A-Z]/);
        expect(message).not.toMatch(/\.$|\n/);
        expect(fix).not.toBe("");
      }
      expect(codesOf(good, facts)).not.toContain(code);
      expect(codesOf(camel(bad), facts)).toEqual(codesOf(bad, facts));
    },
  );

  test.each(cases.filter(({ mended }) => mended !== undefined))(
    "$name is mended by its fix",
    ({ code, mended }) => {
      expect(codesOf(mended)).not.toContain(code);
    },
  );

  test("has a case for each of its codes", () => {
    // What is told of the text, too, has tests of its own.
    const apart = ["GH1200", "GH1292"];
    const all = Object.values(codes).filter(({ code }) => code.startsWith("GH12") && !apart.includes(code));
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

describe("values as Envoy's reader takes them", () => {
  const authz = (fields: string): readonly string[] => codesOf(withFields("ExtAuthz", fields));
  const proc = (fields: string): readonly string[] => codesOf(withFields("ExternalProcessor", fields));

  test.each([true, "true", "TRUE", "tRuE", "t", "T", "yes", "yEs", "y", "Y", "1"])("%j is true", (value) => {
    const written = JSON.stringify(value);
    expect(authz(`failure_mode_allow: ${written}`)).toEqual(["GH1201"]);
    expect(authz(`shadow_mode: ${written}`)).toEqual(["GH1203"]);
    expect(authz(`encode_raw_headers: ${written}`)).toEqual([]);
    expect(proc(`observability_mode: ${written}`)).toEqual(["GH1203"]);
    expect(proc(`allow_mode_override: ${written}`)).toEqual([]);
  });

  // Envoy refuses all but the first six.
  test.each([false, "false", "F", "no", "n", "0", "on", "", " true", 1, "2"])("%j is not true", (value) => {
    const written = JSON.stringify(value);
    expect(authz(`failure_mode_allow: ${written}`)).toEqual([]);
    expect(authz(`encode_raw_headers: ${written}`)).toEqual(["GH1207"]);
    expect(proc(`allow_mode_override: ${written}`)).toEqual(["GH1224"]);
  });

  test("a filter can be switched off by a text", () => {
    const disabled = JSON.parse(
      JSON.stringify(baseBootstrap()).replace('"name":"envoy.filters.http.ext_proc"', '$&,"disabled":"t"'),
    ) as unknown;
    expect(codesOf(disabled)).toEqual(["GH1205"]);
  });

  test.each(["SKIP", "skip", "Skip", 2, "2", "02", "+2", "2 "])("%j is the mode SKIP", (value) => {
    expect(proc(`processing_mode: {request_header_mode: ${JSON.stringify(value)}}`)).toEqual(["GH1229"]);
  });

  test.each([["SEND"], ["1"], ["DEFAULT"], ["0"], ["2.0"], [" SKIP"], ["sk"]])("%j is not", (value) => {
    expect(proc(`processing_mode: {request_header_mode: ${JSON.stringify(value)}}`)).toEqual([]);
  });

  test.each(["buffered_partial", "3"])("%j is the mode BUFFERED_PARTIAL", (value) => {
    expect(proc(`processing_mode: {response_body_mode: "${value}"}`)).toEqual(["GH1226"]);
  });

  test("other enums are read so, too", () => {
    expect(proc("route_cache_action: clear")).toEqual(["GH1209"]);
    expect(authz('status_on_error: {code: "found"}')).toEqual(["GH1244"]);
    expect(authz('status_on_error: {code: "307"}')).toEqual(["GH1244"]);
    expect(authz("status_on_error: {code: PermanentRedirect}")).toEqual(["GH1244"]);
    expect(authz("status_on_error: {code: forbidden}")).toEqual([]);
    const share = (denominator: string): readonly string[] =>
      authz(`filter_enabled: {default_value: {numerator: "100", denominator: ${denominator}}}`);
    expect(share("hundred")).toEqual([]);
    expect(share("ten_thousand")).toEqual(["GH1205"]);
    expect(share('"2"')).toEqual(["GH1205"]);
  });

  test.each(['"2"', "2.0", '"2.0"', '"2e0"', '"20e-1"', '"0x2"', '"+2"', '"02"', '"2."', "{value: 2}"])(
    "%s is the number 2",
    (written) => {
      const xff = { useRemoteAddress: true, numTrustedHops: 2 };
      const told = withFields("HttpConnectionManager", `xff_num_trusted_hops: ${written}`);
      const silent = JSON.parse(
        JSON.stringify(told)
          .replaceAll(/"xff\.[a-z_]+":"\w+",?/g, "")
          .replaceAll(",}", "}"),
      ) as unknown;
      expect(codesOf(silent, { ...noNeeds, xff })).toEqual([]);
    },
  );

  test("a wrapper and a duration may be written as messages", () => {
    expect(codesOf(withFields("HttpConnectionManager", "normalize_path: {value: yes}"))).toEqual([]);
    expect(proc('message_timeout: {seconds: "2", nanos: 500000000}')).toEqual([]);
    expect(proc("message_timeout: {seconds: 60}")).toEqual(["GH1221"]);
    expect(proc("message_timeout: {}")).toEqual(["GH1221"]);
  });

  test("of a field under two names Envoy may take either", () => {
    const both = '"failure_mode_allow": false, "failureModeAllow": true';
    const found = examine(withFields("ExtAuthz", `{${both}}`));
    expect(found.map(({ code, message }) => `${code.code} ${message}`)).toEqual([
      "GH1292 `failure_mode_allow` stands here as `failureModeAllow` too, of which Envoy takes either, expected one",
    ]);
    const metadata = '{"filter_metadata": {"a.b": {"c_d": 1, "cD": 2}}}';
    const root = { ...baseBootstrap(), node: { id: "x", metadata: JSON.parse(metadata) as unknown } };
    expect(codesOf(root)).toEqual([]);
  });
});

/** The base with other fields of the first message of this type. */
function withFields(type: string, fields: string): unknown {
  const document = baseBootstrap();
  const change = (value: unknown): boolean => {
    if (typeof value !== "object" || value === null) return false;
    const message = value as Record<string, unknown>;
    if (String(message["@type"]).endsWith(`.v3.${type}`)) {
      Object.assign(message, parse(fields, { version: "1.1" }));
      return true;
    }
    return Object.values(value).some(change);
  };
  expect(change(document)).toBe(true);
  return document;
}

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
  const nothing = noNeeds;
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

  const masking = { name: "shop/masking", onObligation: false };
  const onDemand = { name: "shop/on-demand", onObligation: true };
  const body = (...bodyPolicies: PolicyFacts["bodyPolicies"]): PolicyFacts => ({
    ...nothing,
    hasBodyPolicies: true,
    bodyPolicies,
  });
  const about = (document: unknown, facts: PolicyFacts): readonly string[] =>
    examine(document, facts).map(({ code, message }) => `${code.code} ${message}`);

  test("a body policy needs ext_proc on the listener, unless it is on trial", () => {
    const unseen = bad("GH1248");
    expect(about(unseen, body(masking))).toEqual([
      "GH1248 listener `http` has no ext_proc, without which BodyPolicies do nothing: `shop/masking`",
    ]);
    expect(about(unseen, body())).toEqual([]);
    expect(codesOf(unseen)).toEqual([]);
    expect(about(unseen, body(onDemand))).toEqual([
      "GH1249 listener `http` has no ext_proc, without which obligations to BodyPolicies are not carried out: `shop/on-demand`",
    ]);
    const many = ["a", "b", "c", "d"].map((name) => ({ name, onObligation: false }));
    expect(about(unseen, body(onDemand, ...many))).toEqual([
      expect.stringContaining("BodyPolicies do nothing: `a`, `b`, `c` and 1 more"),
    ]);
  });

  test("a filter that comes from elsewhere may be ext_proc, unless its types say otherwise", () => {
    const from = (...types: readonly string[]): unknown => {
      const document = JSON.stringify(bad("GH1248"));
      const type_urls = types.map((type) => `type.googleapis.com/envoy.extensions.filters.http.${type}`);
      const filter = { name: "more", config_discovery: { config_source: { ads: {} }, type_urls } };
      return JSON.parse(document.replace('"http_filters":[', `$&${JSON.stringify(filter)},`));
    };
    expect(codesOf(from(), body(masking))).toEqual(["GH1291"]);
    expect(codesOf(from("ext_proc.v3.ExternalProcessor"), body(masking))).toEqual(["GH1291"]);
    expect(codesOf(from("lua.v3.Lua"), body(masking))).toEqual(["GH1248", "GH1291"]);
  });

  test("a listener that answers all by itself needs no ext_proc", () => {
    const document = JSON.stringify(bad("GH1248")).replace(
      '"route":{"cluster":"upstream"}',
      '"redirect":{"https_redirect":true}',
    );
    expect(codesOf(JSON.parse(document), body(masking))).toEqual([]);
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
