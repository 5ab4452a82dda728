import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import { describe, expect, test } from "vitest";
import { PROTO_SERVICES } from "../../../src/proto/index.js";

const ROOT = new URL("../../../", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")) as {
  files: string[];
  scripts: Record<string, string>;
};

describe("the proto files that we serve", () => {
  test.each(PROTO_SERVICES)("$file loads by itself and declares $name", ({ name, file }) => {
    const loaded = loadSync(file, { includeDirs: [fileURLToPath(new URL("proto", ROOT))] });
    expect(loaded).toHaveProperty([name]);
  });

  test("types are generated for exactly these files", () => {
    const files = manifest.scripts["protos"]?.split(" -- ")[1]?.split(" ");
    expect(files).toEqual(PROTO_SERVICES.map(({ file }) => file));
  });

  test("the package brings them along, since they are read at start", () => {
    expect(manifest.files).toContain("proto");
  });
});
