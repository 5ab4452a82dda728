import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  contradictions,
  type Facts,
  factsOfDescriptors,
  factsOfRoot,
  omissions,
} from "../support/api-facts.js";
import { embeddedDescriptors } from "../support/descriptors.js";
import { findTool } from "../support/tools.js";

const FOLDER = fileURLToPath(new URL("../../proto", import.meta.url));
const OUR_FILES: readonly string[] = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter(
  (file) => file.endsWith(".proto"),
);

function load(change: (file: string, text: string) => string = (_, text) => text): protobuf.Root {
  const root = new protobuf.Root();
  for (const file of OUR_FILES) {
    const text = change(file, readFileSync(`${FOLDER}/${file}`, "utf8"));
    protobuf.parse(text, root, { keepCase: true });
  }
  // The common files that ours import: protobufjs carries them.
  for (const name of ["any", "duration", "struct", "timestamp", "wrappers"]) {
    const common = protobuf.common.get(`google/protobuf/${name}.proto`);
    if (common?.nested) root.addJSON(common.nested);
  }
  root.resolveAll();
  return root;
}

/**
 * Envoy only calls Check and so embeds an older health.proto, without List: gRPC's own package has the
 * present one.
 */
function healthFacts(): Facts {
  const file = createRequire(import.meta.url).resolve("grpc-health-check/proto/health/v1/health.proto");
  const { root } = protobuf.parse(readFileSync(file, "utf8"), { keepCase: true });
  root.resolveAll();
  return factsOfRoot(root);
}

describe("our .proto files beside the API that the real Envoy embeds", () => {
  let real: Facts;
  let names: Set<string>;

  beforeAll(async () => {
    const envoy = await findTool("envoy");
    const files = embeddedDescriptors(await envoy.program());
    names = new Set(files.keys());
    real = new Map([...factsOfDescriptors(files.values()), ...healthFacts()]);
  });

  test("the real API is found whole, well-known types included", () => {
    expect(names.size).toBeGreaterThan(500);
    expect(real.get("field google.protobuf.Any.value")).toBe("bytes = 2");
    expect(real.get("field envoy.config.core.v3.Metadata.filter_metadata")).toBe(
      "map<string, message google.protobuf.Struct> = 1",
    );
  });

  test("every file of ours has the path of a real one", () => {
    const missing = OUR_FILES.filter((file) => !names.has(file));
    // In Envoy it lies where gRPC's C++ sources have it; services and clients know it under this path.
    expect(missing).toEqual(["grpc/health/v1/health.proto"]);
  });

  test("every message, field, enum value and method of ours is the real one", () => {
    const ours = factsOfRoot(load());
    expect(ours.size).toBeGreaterThan(150);
    expect(contradictions(ours, real)).toEqual([]);
  });

  test("no field of a message and no value of an enum is left out", () => {
    expect(omissions(factsOfRoot(load()), real)).toEqual([]);
  });

  test.each([
    ["a wrong number", "bool keep_empty_value = 4", "bool keep_empty_value = 5"],
    ["a wrong type", "bytes raw_body = 12", "string raw_body = 12"],
    ["a missing label", "repeated string headers_to_remove = 5", "string headers_to_remove = 5"],
    ["a wrong message type", "Metadata metadata_context = 11", "HeaderMap metadata_context = 11"],
    ["a wrong name", "string sni = 1", "string server_name = 1"],
    [
      "a wrong map value",
      "map<string, google.protobuf.Any> typed_filter_metadata",
      "map<string, google.protobuf.Struct> typed_filter_metadata",
    ],
    [
      "a field outside of its oneof",
      "  oneof address {\n    SocketAddress",
      "  oneof addr {\n    SocketAddress",
    ],
    ["a wrong enum number", "OVERWRITE_IF_EXISTS = 3", "OVERWRITE_IF_EXISTS = 4"],
    [
      "a wrong method",
      "rpc Check(CheckRequest) returns (CheckResponse)",
      "rpc Check(CheckResponse) returns (CheckResponse)",
    ],
    ["a missing stream", "returns (stream HealthCheckResponse)", "returns (HealthCheckResponse)"],
  ])("%s is caught", (_, right, wrong) => {
    let changes = 0;
    const ours = factsOfRoot(
      load((_file, text) => {
        if (!text.includes(right)) return text;
        changes++;
        return text.replace(right, wrong);
      }),
    );
    expect(changes).toBe(1);
    expect(contradictions(ours, real)).not.toEqual([]);
  });

  test("a left-out field is caught", () => {
    const ours = factsOfRoot(load((_, text) => text.replace("TLSSession tls_session = 12;", "")));
    expect(omissions(ours, real)).toEqual(["field envoy.service.auth.v3.AttributeContext.tls_session"]);
  });
});
