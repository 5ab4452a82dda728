import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { doctor } from "../../../src/cli/doctor.js";
import { addDoctor } from "../../../src/cli/doctor-command.js";
import { readEnvoyDocument } from "../../../src/cli/envoy-document.js";
import type { Streams } from "../../../src/cli/streams.js";
import { baseBootstrap } from "../../support/doctor-cases.js";

const OPEN = `admin:
  address:
    socket_address:
      address: 0.0.0.0
static_resources: {}
`;

let folder: string;
let out = "";
const streams = (stdin = ""): Streams => ({
  out: (text) => {
    out += text;
  },
  err: () => {},
  stdin: () => Promise.resolve(stdin),
  env: {},
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function ask(files: readonly string[], flags: object = {}, stdin = ""): Promise<number> {
  out = "";
  return doctor(files, { output: "text", strict: false, ...flags }, streams(stdin));
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-doctor-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("gatehouse doctor", () => {
  test("prints file, line, code and fix, and ends with 1 for an error", async () => {
    const path = file("open.yaml", OPEN);
    expect(await ask([path])).toBe(1);
    const text = `${path}:4: error GH1290 the admin interface listens on \`0.0.0.0\`, expected 127.0.0.1 or a unix socket`;
    expect(out).toContain(`${text}\n    admin:\n`);
    expect(out).toMatch(/1 errors, 0 warnings\n$/);
  });

  test("ends with 0 when there is nothing to say", async () => {
    expect(await ask([file("good.json", JSON.stringify(baseBootstrap()))])).toBe(0);
    expect(out).toBe("0 errors, 0 warnings\n");
  });

  test("ends with 1 for warnings only when it is strict", async () => {
    const path = file("warned.yaml", "dynamic_resources:\n  lds_config: {ads: {}}\n");
    expect(await ask([path])).toBe(0);
    expect(await ask([path], { strict: true })).toBe(1);
    expect(out).toContain(`${path}:2: warning GH1291 listeners come from elsewhere`);
  });

  test("says once what is wrong in several places, and names them", async () => {
    const listener = JSON.stringify(baseBootstrap()).replaceAll('"merge_slashes":true,', "");
    const document = JSON.parse(listener) as { static_resources: { listeners: object[] } };
    const [one] = document.static_resources.listeners;
    for (let i = 0; i < 7; i++) document.static_resources.listeners.push({ ...one, name: `http${i}` });
    const path = file("many.json", JSON.stringify(document, null, 1));
    expect(await ask([path])).toBe(1);
    expect(out.match(/GH1251/g)).toHaveLength(1);
    expect(out).toMatch(
      /GH1251 slashes are not merged.* \(also lines \d+, \d+, \d+, \d+, \d+ and 2 more\)\n/,
    );
    expect(out).toMatch(/8 errors, 0 warnings\n$/);
    await ask([path], { output: "json" });
    expect(JSON.parse(out)).toHaveLength(8);
  });

  test("puts names with dots into brackets", async () => {
    const document = JSON.stringify(baseBootstrap()).replace("requests_per_connection", "no");
    await ask(["-"], { output: "json" }, document);
    const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    const options = `["${name}"].common_http_protocol_options`;
    const path = `static_resources.clusters[0].typed_extension_protocol_options${options}`;
    expect(JSON.parse(out)).toEqual([expect.objectContaining({ code: "GH1285", path })]);
  });

  test("reads standard input and several files, and prints JSON", async () => {
    const good = file("good.json", JSON.stringify(baseBootstrap()));
    expect(await ask(["-", good, "-"], { output: "json" }, OPEN)).toBe(1);
    const finding = {
      code: "GH1290",
      severity: "error",
      file: "-",
      line: 4,
      path: "admin.address.socket_address.address",
      message: "the admin interface listens on `0.0.0.0`, expected 127.0.0.1 or a unix socket",
      fix: expect.stringContaining("127.0.0.1"),
    };
    expect(JSON.parse(out)).toEqual([finding, finding]);
  });

  test.each([
    ["no YAML", "a: [\n", /:1: error GH1200 no YAML or JSON: unexpected end\n/],
    ["half a JSON", '{"admin": {\n"a": 1\n', /:2: error GH1200 no YAML or JSON: unexpected end\n/],
    ["a missing comma", '{"admin": 1\n"b": 2}', /:1: error GH1200 no YAML or JSON: a key .* or comma/],
    ["tabs", "admin:\n\ta: b\n", /:2: error GH1200 no YAML or JSON: a tab as indentation\n/],
    ["a bad indentation", "admin:\n  a: 1\n b: 2\n", /:3: error GH1200 no YAML or JSON: wrong indentation\n/],
    [
      "a text without quotes",
      "admin:\n  a: b: c\n",
      /:2: error GH1200 no YAML or JSON: a mapping or list ins/,
    ],
    [
      "a policy",
      "kind: Mesh\n",
      /:1: error GH1200 neither a bootstrap.* of kind `Mesh`, perhaps for `--config`/,
    ],
    ["something else", "services: {}\n", /:1: error GH1200 neither a .*, but a mapping with `services`\n/],
    ["a list", "[1]", /GH1200 neither .*, but a list\n/],
    ["endless aliases", "a: &a [*a]\n", /GH1200 /],
    ["nothing", "", /GH1200 neither .*, but empty\n/],
  ])("says of a file with %s that it is no configuration of Envoy", async (_, text, expected) => {
    expect(await ask([file("bad.yaml", text)])).toBe(1);
    expect(out).toMatch(expected);
  });

  test.each([
    ["YAML", `${OPEN}admin: {}\n`, [6], ["`admin` stands twice in one mapping, first on line 1"]],
    [
      "JSON",
      '{"admin": {"a": 1,\n "b": 2,\n "\\u0061": {"a": "a"}}}',
      [3],
      ["`a` stands twice in one mapping"],
    ],
    ["documents", "static_resources: {}\n---\nadmin: {}\n", [2], ["a second document begins here"]],
    ["none", '{"static_resources": {"clusters": [{"a": 1}, {"a": 2}]}, "admin": {"a": "a"}}', [], []],
  ])("names what stands in the file and Envoy does not read (%s)", async (_, text, lines, messages) => {
    await ask([file("twice.yaml", text)], { output: "json" });
    const rows = (JSON.parse(out) as { code: string; line: number; message: string }[]).filter(
      ({ code }) => code === "GH1292",
    );
    expect(rows.map(({ line }) => line)).toEqual(lines);
    expect(rows.map(({ message }) => message)).toEqual(
      messages.map((message) => expect.stringContaining(message)),
    );
  });

  test("takes the last of a key that stands twice, as Envoy does", async () => {
    const end = "      port_value: 0\n";
    await ask([
      file("twice.yaml", `${OPEN}`.replace("0.0.0.0\n", `127.0.0.1\n      address: 0.0.0.0\n${end}`)),
    ]);
    expect(out).toMatch(/:5: error GH1292 `address` stands twice.*line 4, and Envoy takes the last/);
    expect(out).toMatch(/:5: error GH1290 /);
  });

  test("holds body policies against listeners without ext_proc", async () => {
    const own = (name: string): string => new URL(`../../../${name}`, import.meta.url).pathname;
    const config = [own("policies/body")];
    expect(await ask([own("envoy/ext-authz.yaml")], { config })).toBe(1);
    expect(out).toMatch(
      /error GH1248 listener `\w+` has no ext_proc, without which BodyPolicies do nothing: `bookshop\//,
    );
    await ask([own("envoy/ext-proc.yaml")], { config });
    expect(out).not.toMatch(/GH124[89]/);
  });

  test("a folder is wrong usage", async () => {
    await expect(ask([folder])).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(/` is a folder, name files$/),
    });
  });

  test("a file that cannot be read and an unknown output are wrong usage", async () => {
    await expect(ask([join(folder, "none.yaml")])).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(/none\.yaml` cannot be read \(ENOENT\)$/),
    });
    await expect(ask(["-"], { output: "xml" })).rejects.toMatchObject({ code: "bad_flag" });
  });

  test("is a command with its flags", async () => {
    const path = file("warned.yaml", "dynamic_resources: {lds_config: {ads: {}}}\n");
    const codes: number[] = [];
    const program = new Command("gatehouse").exitOverride();
    addDoctor(program, streams(), (code) => codes.push(code));
    await program.parseAsync(["doctor", path, "--strict", "--output", "json"], { from: "user" });
    expect(codes).toEqual([1]);
  });
});

describe("places", () => {
  const yaml = 'a:\n  - b: 1\n    "c d": &x\n      e: 2\n  - *x\n';
  const json = '{\n  "a": [\n    {"b": "}\\"]",\n     "c d": {\n "e": 2}},\n 7\n ]\n}';
  test.each([
    [yaml, [], 1],
    [yaml, ["a"], 1],
    [yaml, ["a", 0], 2],
    [yaml, ["a", 0, "c d"], 3],
    [yaml, ["a", 0, "c d", "e"], 4],
    [yaml, ["a", 0, "none", "e"], 2],
    [yaml, ["a", 9], 1],
    [json, ["a"], 2],
    [json, ["a", 0, "b"], 3],
    [json, ["a", 0, "c d"], 4],
    [json, ["a", 0, "c d", "e"], 5],
    [json, ["a", 1], 6],
    [json, ["a", 1, "x"], 6],
    [json, ["none"], 1],
    ['{"a": {"b": 1},\n "a": {"c": 1,\n "b": 2}}', ["a", "b"], 3],
    ['\uFEFF{\n"a": 1}', ["a"], 2],
    ["[]", [0], 1],
    ['{"a": [\n]}', ["a", 0, "b"], 1],
  ])("in %j the path %j is on line %i", (text, path, line) => {
    expect(readEnvoyDocument(text).lineOf(path)).toBe(line);
  });
});
