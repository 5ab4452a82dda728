import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { ConfigUpdate, Resource } from "../../../src/config/resource.js";
import {
  type ConfigChange,
  type Configuration,
  createConfiguration,
} from "../../../src/server/configuration.js";
import { createMetrics, type Metrics } from "../../../src/telemetry/index.js";

function resource(name: string, hash = "1"): Resource {
  return {
    id: `security.istio.io/AuthorizationPolicy/shop/${name}`,
    kind: "AuthorizationPolicy",
    namespace: "shop",
    name,
    origin: { file: "shop.yaml", line: 1 },
    hash,
    spec: {},
  };
}

function good(upserts: readonly Resource[], removed: readonly string[] = []): ConfigUpdate {
  return { ok: true, upserts, removed, diagnostics: [], worst: undefined };
}

const bad: ConfigUpdate = {
  ok: false,
  upserts: [],
  removed: [],
  diagnostics: [
    { code: "GH0001", severity: "error", message: "broken", file: "shop.yaml", line: 2, column: 3 },
  ],
  worst: "error",
};

interface Fixture {
  readonly configuration: Configuration;
  readonly installed: ConfigChange[];
  readonly metrics: Metrics;
  /** Installing fails while it is true. */
  readonly broken: { now: boolean };
  send(update: ConfigUpdate): Promise<void>;
}

function setUp(): Fixture {
  const installed: ConfigChange[] = [];
  const broken = { now: false };
  const metrics = createMetrics({ processMetrics: false });
  let listener: (update: ConfigUpdate) => void = () => {};
  const configuration = createConfiguration({
    source: {
      onUpdate: (given) => {
        listener = given;
      },
      reload: () => {},
      close: () => {},
    },
    install: async (change) => {
      if (broken.now) throw new Error("no memory");
      installed.push(change);
    },
    metrics,
    logger: pino({ level: "silent" }),
    now: () => 1000,
  });
  return {
    configuration,
    installed,
    metrics,
    broken,
    async send(update) {
      listener(update);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const names = (configuration: Configuration): string[] =>
  [...configuration.state().resources.values()].map(({ resource: { name } }) => name);

describe("the configuration in force", () => {
  it("is none before the first update", () => {
    const { configuration } = setUp();
    expect(configuration.state().generation).toBe(0);
    expect(configuration.inForce()).toBeUndefined();
  });

  it("starts with the whole first configuration and then goes in steps", async () => {
    const { configuration, installed, send } = setUp();
    await send(good([resource("a"), resource("b")]));
    await send(good([resource("c")], [resource("a").id]));
    expect(installed.map(({ generation, full, upserts }) => [generation, full, upserts.length])).toEqual([
      [1, true, 2],
      [2, false, 1],
    ]);
    expect(names(configuration)).toEqual(["b", "c"]);
  });

  it("knows since which generation each resource has been as it is", async () => {
    const { configuration, send } = setUp();
    await send(good([resource("a"), resource("b")]));
    await send(good([resource("b", "2")]));
    const since = [...configuration.state().resources.values()].map(({ generation }) => generation);
    expect(since).toEqual([1, 2]);
  });

  it("stays the last good one when the next is invalid, and says what is wrong", async () => {
    const { configuration, installed, send } = setUp();
    await send(good([resource("a")]));
    await send(bad);
    expect(configuration.state()).toMatchObject({
      generation: 1,
      diagnostics: [{ code: "GH0001", line: 2 }],
      lastReload: { result: "invalid", time: 1000 },
    });
    expect(names(configuration)).toEqual(["a"]);
    expect(installed).toHaveLength(1);
  });

  it("stays the old one when the next cannot be installed; the one after that comes whole", async () => {
    const { configuration, installed, broken, send } = setUp();
    await send(good([resource("a")]));
    broken.now = true;
    await send(good([resource("b")]));
    expect(configuration.state()).toMatchObject({ generation: 1, lastError: "no memory" });
    expect(configuration.inForce()?.upserts.map(({ name }) => name)).toEqual(["a"]);
    broken.now = false;
    await send(good([resource("c")]));
    expect(installed.at(-1)).toMatchObject({ generation: 2, full: true });
    expect(names(configuration)).toEqual(["a", "b", "c"]);
    expect(configuration.state().lastError).toBeUndefined();
  });

  it("settles the wait for the first configuration also when it is invalid", async () => {
    const { configuration, send } = setUp();
    await send(bad);
    expect(await configuration.first).toMatchObject({ generation: 0, lastReload: { result: "invalid" } });
  });

  it("shows in metrics", async () => {
    const { metrics, send } = setUp();
    await send(good([resource("a"), resource("b")]));
    await send(bad);
    const values = await metrics.values();
    const valuesOf = (name: string): unknown =>
      (values.find((metric) => metric.name === name) as never)?.["values"];
    expect(valuesOf("gatehouse_config_generation")).toMatchObject([{ value: 1 }]);
    expect(valuesOf("gatehouse_config_last_reload_success")).toMatchObject([{ value: 0 }]);
    expect(valuesOf("gatehouse_config_reloads_total")).toMatchObject([
      { labels: { result: "ok" }, value: 1 },
      { labels: { result: "invalid" }, value: 1 },
      { labels: { result: "failed" }, value: 0 },
    ]);
    expect(valuesOf("gatehouse_config_diagnostics")).toMatchObject([
      { labels: { severity: "error" }, value: 1 },
      { labels: { severity: "warning" }, value: 0 },
    ]);
    expect(valuesOf("gatehouse_resources")).toMatchObject([
      { labels: { kind: "AuthorizationPolicy" }, value: 2 },
    ]);
  });
});
