import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { expect, test } from "vitest";

const folder = new URL("../../../tools/opa/", import.meta.url);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("the committed OPA is what its checksums say, packed and unpacked", () => {
  const packed = readFileSync(new URL("opa.wasm.br", folder));
  const wasm = brotliDecompressSync(packed);
  expect(readFileSync(new URL("opa.wasm.sha256", folder), "utf8")).toBe(
    `${sha256(wasm)}  opa.wasm\n${sha256(packed)}  opa.wasm.br\n`,
  );
});

test("the package that is published holds the OPA and its checksums", () => {
  const { files } = JSON.parse(readFileSync(new URL("../../package.json", folder), "utf8"));
  expect(files).toContain("tools/opa/opa.wasm.br");
  expect(files).toContain("tools/opa/opa.wasm.sha256");
});
