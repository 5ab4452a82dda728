import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileRbacPolicy } from "../../src/rbac/index.js";
import { addressScenes, identityScenes, portScene } from "../support/cases-connection.js";
import {
  type Comparison,
  directRoutes,
  nativeRbac,
  refusedByEnvoy,
  router,
  type Scene,
  type Stage,
  startStage,
} from "../support/cases-differential.js";
import { headerPseudo, headerValues } from "../support/cases-headers.js";
import { metadataScene } from "../support/cases-metadata.js";
import { deadRules, pathScene, wrongTemplates } from "../support/cases-paths.js";
import { oddRules } from "../support/cases-regexes.js";
import { makeAuthority } from "../support/certificates.js";
import { startEnvoy, validateBootstrap } from "../support/envoy.js";
import { freePort } from "../support/ports.js";
import { rawRequest, sendRaw } from "../support/raw-http.js";

// What the CheckRequest cannot carry, so that we cannot agree, and what we do: - Without a tls_inspector
// Envoy's filter sees no SNI, the CheckRequest has it: we match it. - The zone of a link-local address in
// X-Forwarded-For (`fe80::1%eth0`) counts only where Envoy's machine has that   interface: we take it as
// there. - A connection is known to be TLS by a client certificate, an SNI or the server certificate's names.
// TLS without any   of them looks like plaintext, so that `authenticated: {}` does not match. - Regular
// expressions beyond Envoy's runtime setting `re2.max_program_size.error_level` (100 by default) load here:
// they are matched in linear time all the same.

/** Requests that Envoy's HTTP layer answers by itself, by scene. */
const rejected: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "header-values": { '["x-a: \\u000b5"]': 400 },
  "header-pseudo": {
    "host a b": 400,
    "host é": 400,
    "method get": 400,
    "method M-SEARCH": 400,
    "method BREW": 400,
    "path /a#f": 400,
    "path *": 400,
    "CONNECT without port": 400,
    "OPTIONS *": 404,
    "HTTP/1.0 without Host": 400,
    "host and authority": 400,
  },
  paths: Object.fromEntries(
    [
      ...["/a/\x7f", "/é", "/a/é", "/\xff", "/a/\x01", "/a#f", "/a?x#f", "/a/x#f?y"],
      ...["a", "?a", "#a", ";a", "\\a"],
    ].map((path) => [path, 400]),
  ),
};

const port = await freePort();
const server = makeAuthority().issue({ commonName: "server", dns: ["localhost"] });
const scenes: readonly Scene[] = [
  headerValues,
  headerPseudo,
  pathScene,
  metadataScene,
  ...addressScenes,
  ...identityScenes(server),
  portScene(port),
];

describe("Envoy's own RBAC filter and ours judge alike", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(scenes, { ports: port });
  });
  afterAll(async () => stage.stop());

  test.each(scenes.map((scene) => [scene.name, scene] as const))("%s", async (name, scene) => {
    const result: Comparison = await stage.play(scene);
    expect(result.disagreements).toEqual([]);
    expect(result.rejected).toEqual(rejected[name] ?? {});
    const judged = Object.keys(scene.requests).length - Object.keys(result.rejected).length;
    expect(result.compared).toBe(judged * Object.keys(scene.rules).length);
    // Both verdicts occur: a scene in which nothing matches, or all, would prove nothing.
    expect(result.matched).toBeGreaterThan(0);
    expect(result.matched).toBeLessThan(result.compared);
  });
});

describe("what Envoy does not load we do not load", () => {
  /** Of the regular expressions: too long for Envoy's runtime setting. */
  const tooLongForEnvoy = ["regex a{1000}", "regex (a{100}){10}"];

  test("regular expressions", async () => {
    const theirs = await refusedByEnvoy(oddRules);
    for (const rule of tooLongForEnvoy) expect(theirs.get(rule)).toContain("max program size");
    const refused = [...theirs.keys()].filter((rule) => !tooLongForEnvoy.includes(rule));
    expect(
      Object.keys(oddRules)
        .filter((rule) => !loads(rule))
        .sort(),
    ).toEqual(refused.sort());
    expect(refused.length).toBeGreaterThan(50);
    expect(refused.length).toBeLessThan(Object.keys(oddRules).length);
  });

  test("path templates", async () => {
    const accepted: string[] = [];
    const ours: string[] = [];
    const queue = Object.entries(wrongTemplates);
    const work = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const [text, policy] = next;
        const { ok } = await validateBootstrap({ bootstrap: nativeBootstrap({ text: policy }) });
        if (ok) accepted.push(text);
        if (isCompiled(policy)) ours.push(text);
      }
    };
    await Promise.all([work(), work(), work()]);
    expect({ accepted, ours }).toEqual({ accepted: [], ours: [] });
  });

  test("nor path templates that never match in Envoy, since a star repeats nothing", async () => {
    expect(Object.values(deadRules).filter(isCompiled)).toEqual([]);
    const envoy = await startEnvoy({ bootstrap: nativeBootstrap(deadRules) });
    try {
      for (const path of ["/", "/a", "/aa", "/a/b", "/a**", "/a**/b", "/***", "/*"]) {
        const answer = await sendRaw({ port: envoy.ports["native"] ?? 0, bytes: rawRequest(path) });
        expect([path, answer.status]).toEqual([path, 403]);
      }
    } finally {
      await envoy.stop();
    }
  });

  function loads(rule: string): boolean {
    const policy = oddRules[rule];
    return policy !== undefined && isCompiled(policy);
  }
});

function isCompiled(policy: Parameters<typeof compileRbacPolicy>[0]): boolean {
  try {
    compileRbacPolicy(policy);
    return true;
  } catch {
    return false;
  }
}

function nativeBootstrap(policies: typeof wrongTemplates): Record<string, unknown> {
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "native",
    http_filters: [nativeRbac({ action: "ALLOW", policies }), router],
    route_config: directRoutes(),
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  return { static_resources: { listeners: [{ name: "native", address, filter_chains: [{ filters }] }] } };
}
