import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { codes } from "../../../src/diagnostics/index.js";
import type { ResourceDocument } from "../../../src/documents/index.js";
import {
  compileRbacPolicy,
  type EnvoyRbac,
  type Permission,
  type Principal,
  parseEnvoyRbac,
} from "../../../src/rbac/index.js";

function aDocument(spec: unknown): ResourceDocument {
  return {
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "EnvoyRbac",
    name: "r",
    namespace: "shop",
    annotations: new Map(),
    spec,
  };
}

const withRules = (rules: unknown): ReturnType<typeof parseEnvoyRbac> => parseEnvoyRbac(aDocument({ rules }));

/** One policy with one permission, written in YAML flow form. */
function permission(text: string): ReturnType<typeof parseEnvoyRbac> {
  return withRules({ policies: { p: { permissions: [parse(text)], principals: [{ any: true }] } } });
}

function principal(text: string): ReturnType<typeof parseEnvoyRbac> {
  return withRules({ policies: { p: { permissions: [{ any: true }], principals: [parse(text)] } } });
}

function readPermission(text: string): Permission | undefined {
  const { spec, findings } = permission(text);
  expect(findings).toEqual([]);
  return spec?.rules?.policies["p"]?.permissions[0];
}

function readPrincipal(text: string): Principal | undefined {
  const { spec, findings } = principal(text);
  expect(findings).toEqual([]);
  return spec?.rules?.policies["p"]?.principals[0];
}

const said = (parsed: ReturnType<typeof parseEnvoyRbac>): string[] =>
  parsed.findings.map((f) => `${f.code.code} ${f.path.slice(5).join(".")}`);

const templateType = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";
const template = (text: string): string =>
  `{uri_template: {name: u, typed_config: {'@type': ${templateType}, path_template: ${JSON.stringify(text)}}}}`;

describe("every permission that a check request can answer", () => {
  const kinds: readonly (readonly [yaml: string, data: object])[] = [
    ["{any: true}", { any: true }],
    ["{and_rules: {rules: [{any: true}]}}", { andRules: { rules: [{ any: true }] } }],
    ["{orRules: {rules: [{any: true}]}}", { orRules: { rules: [{ any: true }] } }],
    ["{not_rule: {any: true}}", { notRule: { any: true } }],
    ["{header: {name: x}}", { header: { name: "x" } }],
    [
      "{url_path: {path: {prefix: /a, ignore_case: true}}}",
      { urlPath: { path: { prefix: "/a", ignoreCase: true } } },
    ],
    [
      template("/a/*"),
      { uriTemplate: { name: "u", typedConfig: { "@type": templateType, pathTemplate: "/a/*" } } },
    ],
    [
      "{destination_ip: {address_prefix: 10.0.0.0, prefix_len: {value: 8}}}".replace("{value: 8}", "8"),
      { destinationIp: { addressPrefix: "10.0.0.0", prefixLen: 8 } },
    ],
    ["{destination_port: 80}", { destinationPort: 80 }],
    ["{destination_port: '80'}", { destinationPort: 80 }],
    ["{destination_port_range: {start: 1, end: 9}}", { destinationPortRange: { start: 1, end: 9 } }],
    ["{destination_port_range: {end: 9}}", { destinationPortRange: { start: 0, end: 9 } }],
    ["{requested_server_name: {suffix: .b}}", { requestedServerName: { suffix: ".b" } }],
    [
      "{metadata: {filter: f, path: [{key: k}], value: {string_match: {contains: v}}, invert: true}}",
      {
        metadata: {
          filter: "f",
          path: [{ key: "k" }],
          value: { stringMatch: { contains: "v" } },
          invert: true,
        },
      },
    ],
    [
      "{sourced_metadata: {metadata_matcher: {filter: f, path: [{key: k}], value: {bool_match: false}}, metadata_source: 1}}",
      {
        sourcedMetadata: {
          metadataMatcher: { filter: "f", path: [{ key: "k" }], value: { boolMatch: false } },
          metadataSource: "ROUTE",
        },
      },
    ],
  ];
  for (const [yaml, data] of kinds) {
    it(`reads ${yaml.slice(0, 60)}`, () => {
      expect(readPermission(yaml)).toEqual(data);
    });
  }
});

describe("every principal that a check request can answer", () => {
  const range = { addressPrefix: "::1", prefixLen: 128 };
  const kinds: readonly (readonly [yaml: string, data: object])[] = [
    ["{any: true}", { any: true }],
    ["{and_ids: {ids: [{any: true}]}}", { andIds: { ids: [{ any: true }] } }],
    ["{or_ids: {ids: [{any: true}]}}", { orIds: { ids: [{ any: true }] } }],
    ["{not_id: {any: true}}", { notId: { any: true } }],
    // Envoy: any client of a TLS connection, even without a certificate.
    ["{authenticated: {}}", { authenticated: {} }],
    ["{authenticated: {principal_name: {exact: a}}}", { authenticated: { principalName: { exact: "a" } } }],
    ["{source_ip: {address_prefix: '::1', prefix_len: 128}}", { sourceIp: range }],
    ["{direct_remote_ip: {address_prefix: '::1', prefix_len: 128}}", { directRemoteIp: range }],
    ["{remote_ip: {address_prefix: '::1', prefix_len: 128}}", { remoteIp: range }],
    ["{header: {name: x, present_match: false}}", { header: { name: "x", presentMatch: false } }],
    ["{url_path: {path: {exact: /}}}", { urlPath: { path: { exact: "/" } } }],
    [
      "{metadata: {filter: f, path: [{key: k}], value: {null_match: {}}}}",
      { metadata: { filter: "f", path: [{ key: "k" }], value: { nullMatch: {} } } },
    ],
    [
      "{sourced_metadata: {metadata_matcher: {filter: f, path: [{key: k}], value: {present_match: true}}}}",
      {
        sourcedMetadata: {
          metadataMatcher: { filter: "f", path: [{ key: "k" }], value: { presentMatch: true } },
          metadataSource: "DYNAMIC",
        },
      },
    ],
  ];
  for (const [yaml, data] of kinds) {
    it(`reads ${yaml.slice(0, 60)}`, () => {
      expect(readPrincipal(yaml)).toEqual(data);
    });
  }
});

describe("the deprecated header specifiers", () => {
  const folded = (specifier: string): unknown => readPermission(`{header: {name: x, ${specifier}}}`);

  it("become string matches", () => {
    expect(folded("exact_match: a")).toEqual({ header: { name: "x", stringMatch: { exact: "a" } } });
    expect(folded("prefix_match: a")).toEqual({ header: { name: "x", stringMatch: { prefix: "a" } } });
    expect(folded("suffixMatch: a")).toEqual({ header: { name: "x", stringMatch: { suffix: "a" } } });
    expect(folded("contains_match: a")).toEqual({ header: { name: "x", stringMatch: { contains: "a" } } });
    expect(folded("safe_regex_match: {regex: a+}")).toEqual({
      header: { name: "x", stringMatch: { safeRegex: { regex: "a+" } } },
    });
  });

  it("take an empty exact_match for any value, as Envoy does, but not an empty exact", () => {
    expect(folded("exact_match: ''")).toEqual({
      header: { name: "x", stringMatch: { safeRegex: { regex: ".*" } } },
    });
    expect(folded("string_match: {exact: ''}")).toEqual({
      header: { name: "x", stringMatch: { exact: "" } },
    });
  });

  it("stand beside inversion and missing-as-empty", () => {
    expect(
      folded("range_match: {start: '1', end: 5}, invert_match: true, treat_missing_header_as_empty: true"),
    ).toEqual({
      header: {
        name: "x",
        rangeMatch: { start: 1, end: 5 },
        invertMatch: true,
        treatMissingHeaderAsEmpty: true,
      },
    });
  });
});

describe("what a check request cannot answer", () => {
  it("is refused by name, wherever it stands", () => {
    const value = "{exact: a}";
    expect(said(permission("{matcher: {name: m, typed_config: {}}}"))).toEqual(["GH0401 0.matcher"]);
    expect(said(permission(`{not_rule: {url_path: {path: {custom: {name: c}}}}}`))).toEqual([
      "GH0401 0.not_rule.url_path.path.custom",
    ]);
    expect(said(principal(`{filter_state: {key: k, string_match: ${value}}}`))).toEqual([
      "GH0401 0.filter_state",
    ]);
    expect(said(principal("{custom: {name: envoy.rbac.principals.mtls_authenticated}}"))).toEqual([
      "GH0401 0.custom",
    ]);
    const policy = { permissions: [{ any: true }], principals: [{ any: true }] };
    for (const field of ["condition", "checked_condition", "cel_config"]) {
      expect(withRules({ policies: { p: { ...policy, [field]: {} } } }).findings.map((f) => f.code)).toEqual([
        codes.envoyUnanswerable,
      ]);
    }
    for (const spec of [{ matcher: {} }, { shadow_matcher: {} }, { rules: { audit_logging_options: {} } }]) {
      expect(parseEnvoyRbac(aDocument(spec)).findings.map((f) => f.code)).toEqual([codes.envoyUnanswerable]);
    }
  });

  it("is an extension type that nobody knows", () => {
    expect(
      said(permission("{uri_template: {name: u, typed_config: {'@type': type.googleapis.com/x.Y}}}")),
    ).toEqual(["GH0401 0.uri_template.typed_config.@type"]);
  });
});

/** Each was given to Envoy 1.40 with `--mode validate`, which refused it. */
describe("what Envoy refuses to load", () => {
  const refused = [
    "{}",
    "{any: false}",
    "{any: true, destination_port: 3}",
    "{destination_port: 70000}",
    "{destination_port: 80.5}",
    "{destination_port: null}",
    "{destination_port_range: {start: 5, end: 5}}",
    "{destination_port_range: {start: -5, end: 4}}",
    "{destination_port_range: {start: 5, end: 70000}}",
    "{destination_ip: {address_prefix: '', prefix_len: 3}}",
    "{destination_ip: {address_prefix: 1.2.3.4/8}}",
    "{destination_ip: {address_prefix: 010.1.2.3, prefix_len: 8}}",
    "{destination_ip: {address_prefix: '::1', prefix_len: 129}}",
    "{and_rules: {}}",
    "{or_rules: {rules: []}}",
    "{not_rule: {}}",
    "{url_path: {}}",
    "{url_path: {path: {}}}",
    "{url_path: {path: {exact: null}}}",
    "{url_path: {path: {prefix: ''}}}",
    "{url_path: {path: {safe_regex: {regex: ''}}}}",
    "{url_path: {path: {safe_regex: {regex: 'a(?=b)'}}}}",
    "{url_path: {path: {safe_regex: {regex: '('}}}}",
    "{url_path: {path: {safe_regex: {regex: a}, ignore_case: true}}}",
    "{url_path: {path: {safe_regex: {google_re2: {max_program_size: 3}, regex: abcd}}}}",
    `{url_path: {path: {safe_regex: {regex: ${"a".repeat(120)}}}}}`,
    "{header: {present_match: true}}",
    "{header: {name: ''}}",
    '{header: {name: "a\\nb"}}',
    "{header: {name: x, string_match: {}}}",
    "{header: {name: x, prefix_match: ''}}",
    "{header: {name: x, contains_match: ''}}",
    "{sourced_metadata: {}}",
    "{metadata: {filter: '', path: [{key: k}], value: {present_match: true}}}",
    "{metadata: {filter: f, path: [], value: {present_match: true}}}",
    "{metadata: {filter: f, path: [{key: ''}], value: {present_match: true}}}",
    "{metadata: {filter: f, path: [{key: k}]}}",
    "{metadata: {filter: f, path: [{key: k}], value: {}}}",
    "{metadata: {filter: f, path: [{key: k}], value: {list_match: {}}}}",
    "{metadata: {filter: f, path: [{key: k}], value: {double_match: {}}}}",
    "{metadata: {filter: f, path: [{key: k}], value: {or_match: {value_matchers: [{null_match: {}}]}}}}",
    "{uri_template: {name: '', typed_config: {}}}",
    ...["", "*", "**", "a/*", "//*", "/*//", "/a//*", "/a/b//", "/a b/*", "/a?b/*", "/**/*", "/**/**"].map(
      template,
    ),
    template("/{a}/{b}/{c}/{d}/{e}/{f}"),
    template("/{a}/{a}"),
    template("/{1}"),
    template("/{a"),
    template(`/${"a".repeat(254)}/*`),
  ];
  for (const yaml of refused) {
    it(`refuses ${yaml.slice(0, 90)}`, () => {
      const { spec, findings } = permission(yaml);
      expect(spec).toBeUndefined();
      expect(findings.length).toBeGreaterThan(0);
    });
  }

  it("refuses a principal name without a pattern, and empty sets", () => {
    expect(principal("{authenticated: {principal_name: {}}}").spec).toBeUndefined();
    expect(principal("{and_ids: {ids: []}}").spec).toBeUndefined();
    expect(principal("{}").spec).toBeUndefined();
  });

  it("refuses a policy without permissions or principals, and an unknown action", () => {
    expect(withRules({ policies: { p: {} } }).findings.map((f) => f.path.join("."))).toEqual([
      "spec.rules.policies.p.permissions",
      "spec.rules.policies.p.principals",
    ]);
    expect(withRules({ action: 7 }).spec).toBeUndefined();
    expect(withRules({ action: "PERMIT" }).findings[0]?.message).toBe(
      "unknown `action` `PERMIT`, expected one of ALLOW, DENY, LOG",
    );
  });
});

describe("what Envoy loads although it looks odd", () => {
  for (const yaml of [
    "{any: null, destination_port: 1}",
    "{destination_ip: {address_prefix: 1.2.3.4}}",
    "{header: {name: a b}}",
    "{header: {name: x, range_match: {}}}",
    "{header: {name: x, string_match: {exact: ''}}}",
    "{metadata: {filter: f, path: [{key: k}], value: {string_match: {exact: ''}}}}",
    "{metadata: {filter: f, path: [{key: k}], value: {double_match: {range: {start: 5, end: 3}}}}}",
    "{url_path: {path: {safe_regex: {google_re2: {}, regex: a}}}}",
    ...["/", "/a", "/*", "/*/", "/**", "/**/", "/**/a", "/a/**/b/", "/*/**", "/a=b/*", "/*.x", "/%zz/*"].map(
      template,
    ),
    ...["/{x}", "/{x=*}", "/{x=a/*}/b", "/{x=**}.m3u8"].map(template),
  ]) {
    it(`accepts ${yaml.slice(0, 90)}`, () => {
      const { spec, findings } = permission(yaml);
      expect(findings).toEqual([]);
      for (const policy of Object.values(spec?.rules?.policies ?? {})) {
        expect(() => compileRbacPolicy(policy)).not.toThrow();
      }
    });
  }

  it("accepts an empty rule set, which is one that no request passes", () => {
    expect(withRules({}).spec?.rules).toEqual({ action: "ALLOW", policies: {} });
    expect(withRules({ action: 2 }).spec?.rules?.action).toBe("LOG");
  });
});

describe("what is stricter here than in Envoy", () => {
  it("refuses a star inside a literal of a template, which Envoy takes for a repetition", () => {
    expect(permission(template("/a*")).spec).toBeUndefined();
    expect(permission(template("/a*b")).spec).toBeUndefined();
  });

  it("refuses a prefix longer than an IPv4 address", () => {
    expect(said(permission("{destination_ip: {address_prefix: 1.2.3.4, prefix_len: 33}}"))).toEqual([
      "GH0108 0.destination_ip.prefix_len",
    ]);
  });

  it("refuses rules that are nested very deep", () => {
    const nested = `${"{not_rule: ".repeat(60)}{any: true}${"}".repeat(60)}`;
    expect(permission(nested).findings.map((f) => f.code)).toContain(codes.tooMany);
  });
});

describe("field names", () => {
  it("may be mixed but not given twice", () => {
    expect(said(permission("{destinationPort: 1, destination_port: 1}"))).toEqual([
      "GH0201 0.destination_port",
    ]);
    expect(said(permission("{url_path: {path: {exact: a, ignoreCase: true}}}"))).toEqual([]);
  });

  it("that are unknown are refused, with the one that was meant", () => {
    const { findings } = permission("{any: true, destinationports: 1}");
    expect(findings.map((f) => [f.code, f.path.slice(5)])).toEqual([
      [codes.unknownField, [0, "destinationports"]],
    ]);
    expect(permission("{urlpath: {path: {exact: a}}}").findings[0]?.message).toBe(
      "unknown field `urlpath`, did you mean `urlPath`",
    );
  });
});

describe("the document", () => {
  it("has a selector and one or both rule sets", () => {
    const policies = { p: { permissions: [{ any: true }], principals: [{ any: true }] } };
    const spec = {
      selector: { matchLabels: { app: "web" } },
      rules: { action: "DENY", policies },
      shadow_rules: {},
    };
    const expected: EnvoyRbac = {
      namespace: "shop",
      name: "r",
      selector: [["app", "web"]],
      rules: {
        action: "DENY",
        policies: { p: { permissions: [{ any: true }], principals: [{ any: true }] } },
      },
      shadowRules: { action: "ALLOW", policies: {} },
    };
    expect(parseEnvoyRbac(aDocument(spec))).toEqual({ spec: expected, findings: [] });
  });

  it("without any rule set is refused", () => {
    expect(parseEnvoyRbac(aDocument({})).findings.map((f) => [f.code, f.path])).toEqual([
      [codes.missingField, ["spec", "rules"]],
    ]);
  });

  it("may name a policy `__proto__`", () => {
    const policy = { permissions: [{ any: true }], principals: [{ any: true }] };
    const rules = JSON.parse(JSON.stringify({ policies: { x: policy } }).replace('"x"', '"__proto__"'));
    expect(Object.keys(withRules(rules).spec?.rules?.policies ?? {})).toEqual(["__proto__"]);
  });

  it("of any shape is answered with a spec or an error, never a throw", () => {
    const field = fc.constantFrom(
      ...[
        "any",
        "andRules",
        "or_rules",
        "rules",
        "notRule",
        "header",
        "name",
        "stringMatch",
        "safeRegex",
        "regex",
      ],
      ...["metadata", "path", "value", "key", "url_path", "uriTemplate", "typedConfig", "@type", "orMatch"],
      ...[
        "destinationIp",
        "addressPrefix",
        "prefixLen",
        "permissions",
        "principals",
        "policies",
        "__proto__",
      ],
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 8 },
        fc.constantFrom<unknown>(null, "", "*", "(", -1, 1.5, true, "/*", templateType),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(field, tie("tree"), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (node) => {
        const policies = { p: { permissions: [node], principals: [node] } };
        for (const parsed of [withRules({ policies }), parseEnvoyRbac(aDocument(node))]) {
          expect(parsed.spec !== undefined || parsed.findings.length > 0).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
