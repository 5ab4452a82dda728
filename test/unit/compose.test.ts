import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { TOOLS } from "../support/tools.js";

const ROOT = new URL("../../", import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const here = (path: string): boolean => existsSync(fileURLToPath(new URL(path, ROOT)));

interface Service {
  image?: string;
  build?: string;
  command: string[];
  volumes?: string[];
  ports?: string[];
  network_mode?: string;
}
interface SocketAddress {
  socket_address: { address: string; port_value: number };
}
interface Bootstrap {
  static_resources: {
    listeners: { address: SocketAddress }[];
    clusters: {
      name: string;
      load_assignment: { endpoints: { lb_endpoints: { endpoint: { address: SocketAddress } }[] }[] };
    }[];
  };
}

interface Collector {
  receivers: { otlp: { protocols: { grpc: { endpoint: string } } } };
}
interface Receiver {
  service: string;
  port: number;
}
interface Uses {
  providers: { name: string }[];
}
/** A Mesh or a Telemetry. */
interface Document {
  spec: {
    extensionProviders?: { name: string; envoyOtelAls?: Receiver; opentelemetry?: Receiver }[];
    accessLogging?: Uses[];
    tracing?: Uses[];
  };
}

const services = (parse(text("docker-compose.yml")) as { services: Record<string, Service> }).services;
const manifest = JSON.parse(text("package.json")) as { bin: { gatehouse: string }; files: string[] };
const dockerfile = text("Dockerfile");

function service(name: string): Service {
  const found = services[name];
  if (found === undefined) throw new Error(`no service \`${name}\``);
  return found;
}

function endpoint(bootstrap: Bootstrap, cluster: string): string {
  const found = bootstrap.static_resources.clusters.find(({ name }) => name === cluster);
  const address = found?.load_assignment.endpoints[0]?.lb_endpoints[0]?.endpoint.address.socket_address;
  return `${address?.address}:${address?.port_value}`;
}

describe("docker-compose.yml", () => {
  const envoy = service("envoy");
  const shell = envoy.command.join(" ");
  const mounted = /\/etc\/gatehouse\/(\S+\.yaml)/.exec(shell)?.[1] ?? "";
  const bootstrap = parse(text(`envoy/${mounted}`)) as Bootstrap;

  test("runs the Envoy that the tests run", () => {
    expect(envoy.image).toBe(TOOLS.envoy.container.image);
    expect(envoy.image).toContain(TOOLS.envoy.pypi?.requirement.split("==")[1]);
  });

  test("mounts only what the repository has", () => {
    const sources = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.map((volume) => volume.split(":")[0]),
    );
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((source) => source === undefined || !here(source))).toEqual([]);
    expect(envoy.volumes).toEqual(["./envoy:/etc/gatehouse:ro"]);
  });

  test("moves the bootstrap's listener beyond loopback, and nothing else", () => {
    const [, from = "", to = ""] = /sed 's\/(.*?)\/(.*?)\/'/.exec(shell) ?? [];
    const changed = text(`envoy/${mounted}`).replace(from, to);
    const expected = structuredClone(bootstrap);
    for (const { address } of expected.static_resources.listeners) address.socket_address.address = "0.0.0.0";
    expect(parse(changed)).toEqual(expected);
    expect(text(`envoy/${mounted}`).split(from)).toHaveLength(2);
  });

  test("publishes the listener's port and that of Prometheus beside it, on the host's loopback", () => {
    const port = bootstrap.static_resources.listeners[0]?.address.socket_address.port_value;
    expect(envoy.ports).toEqual([`127.0.0.1:${port}:${port}`, "127.0.0.1:9090:9090"]);
  });

  test("starts Gatehouse with flags that it has, where Envoy expects it, on mounted policies", () => {
    const { command, volumes, network_mode, build } = service("gatehouse");
    expect(command).toEqual([
      "serve",
      ...(volumes ?? []).map((volume) => `--config=${volume.split(":")[1]}`),
      `--grpc-address=${endpoint(bootstrap, "gatehouse")}`,
      "--admin-address=127.0.0.1:8282",
    ]);
    expect(volumes?.map((volume) => volume.split(":")[0])).toEqual(["./policies/demo", "./deploy/gatehouse"]);
    expect(network_mode).toBe("service:envoy");
    expect(build).toBe(".");
  });

  test("sends logs and traces where the collector listens", () => {
    const { receivers } = parse(text("deploy/otel-collector.yaml")) as Collector;
    const documents = (path: string): Document[] =>
      parseAllDocuments(text(path)).map((document) => document.toJS() as Document);
    const [mesh] = documents("policies/demo/mesh.yaml");
    const [telemetry] = documents("deploy/gatehouse/telemetry.yaml");
    const named = [...(telemetry?.spec.accessLogging ?? []), ...(telemetry?.spec.tracing ?? [])]
      .flatMap(({ providers }) => providers)
      .map(({ name }) => mesh?.spec.extensionProviders?.find((provider) => provider.name === name))
      .map((provider) => provider?.envoyOtelAls ?? provider?.opentelemetry)
      .map((receiver) => `${receiver?.service}:${receiver?.port}`);
    expect(named).toEqual([receivers.otlp.protocols.grpc.endpoint, receivers.otlp.protocols.grpc.endpoint]);
    expect(service("otel-collector").network_mode).toBe("service:envoy");
  });

  test("starts an upstream where Envoy expects it", () => {
    const { command, network_mode, image } = service("upstream");
    const [, port, address] = /\.listen\((\d+), "([\d.]+)"\)/.exec(command.at(-1) ?? "") ?? [];
    expect(`${address}:${port}`).toBe(endpoint(bootstrap, "upstream"));
    expect(network_mode).toBe("service:envoy");
    expect(dockerfile).toContain(`FROM ${image}\n`);
    expect(() => new Function(command.at(-1) ?? "")).not.toThrow();
  });
});

describe("the Dockerfile", () => {
  const lines = dockerfile.split("\n");
  const ignored = text(".dockerignore").split("\n");

  test("copies only what the repository has and .dockerignore lets through", () => {
    const sources = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
      .flatMap((line) => line.split(" ").slice(1, -1));
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      expect(here(source), source).toBe(true);
      expect(ignored, source).toContain(`!${source}`);
    }
  });

  test("starts the program of the package, on the policies of the demo", () => {
    const json = (word: string): string[] =>
      JSON.parse(lines.find((line) => line.startsWith(word))?.slice(word.length) ?? "[]") as string[];
    expect(json("ENTRYPOINT")).toEqual(["node", manifest.bin.gatehouse]);
    expect(json("CMD")).toEqual(["serve", "--config", "policies/demo"]);
  });

  test("uses a Node that the package supports and no root", () => {
    const images = [...dockerfile.matchAll(/^FROM node:(\d+)-slim/gm)].map((match) => Number(match[1]));
    expect(images).toHaveLength(2);
    for (const major of images) expect(major).toBeGreaterThanOrEqual(22);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});
