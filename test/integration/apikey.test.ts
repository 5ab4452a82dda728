import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { editFile } from "../../src/cli/edit-file.js";
import { type ConfigUpdate, createCatalog } from "../../src/config/index.js";
import { type ApiKeys, createApiKeyCheck } from "../../src/credentials/index.js";
import { type Finished, runCli } from "../support/cli.js";
import { type ConfigFolder, makeConfigFolder } from "../support/server-fixture.js";

let folder: ConfigFolder;
let file: string;

beforeEach(() => {
  folder = makeConfigFolder();
  file = join(folder.path, "keys.yaml");
});
afterEach(() => folder.remove());

const create = (...args: string[]): Promise<Finished> =>
  runCli(["apikey", "create", "--file", file, "--owner", "alice", ...args]);
const revoke = (...args: string[]): Promise<Finished> =>
  runCli(["apikey", "revoke", "--file", file, ...args]);
const list = (...args: string[]): Promise<Finished> => runCli(["apikey", "list", "--file", file, ...args]);

const content = (): string => readFileSync(file, "utf8");
const idOf = (key: string): string => key.split("_")[1] ?? "";

const load = (): Promise<ConfigUpdate> =>
  createCatalog({ pause: async () => {} }).update({
    files: [{ path: file, text: content() }],
    diagnostics: [],
  });

/** What a server that loads the file says of a key. */
async function verdictOf(key: string): Promise<string> {
  const { upserts, diagnostics } = await load();
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const check = createApiKeyCheck(upserts[0]?.spec as ApiKeys);
  const { payload, refusal } = await check.judge(key, Date.now());
  return refusal === undefined ? String(payload["sub"]) : refusal.reason;
}

const written = `# Keys of our partners; ask ops before you add one.
apiVersion: gatehouse.dev/v1alpha1
kind: ApiKeys
metadata: {name: partners, namespace: shop} # the shop's
spec:
  # only orders
  selector: {matchLabels: {app: orders}}
  # nobody yet
  keys: []
---
# Not ours: stays byte by byte.
apiVersion:   example.com/v1
kind: Other
data: {  a: 010,b:   yes }
`;

describe("gatehouse apikey create", () => {
  it("makes the file, and prints the key once, alone on standard output", async () => {
    const { code, stdout, stderr } = await create();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^gh_[0-9A-Za-z]{10}_[0-9A-Za-z]{32}\n$/);
    const key = stdout.trim();
    expect(content()).toContain(idOf(key));
    for (const text of [content(), stderr]) expect(text).not.toContain(key.slice(-32));
    expect(await verdictOf(key)).toBe("alice");
  });

  it("adds to a file and leaves its comments and its other documents as they are", async () => {
    writeFileSync(file, written);
    const { stdout } = await create("--label", "team=a=b", "--label", "y=on", "--expires", "90d");
    const text = content();
    const added = text.split("\n").filter((line) => !written.split("\n").includes(line));
    expect(added.map((line) => line.trim().split(" ")[0])).toEqual([
      ...["keys:", "-", "hash:", "owner:", "labels:", "team:", '"y":', "created:", "expires:"],
    ]);
    expect(text.slice(text.indexOf("---"))).toBe(written.slice(written.indexOf("---")));
    for (const comment of written.match(/#.*/g) ?? []) expect(text).toContain(comment);
    expect((await list("--output", "json")).stdout).toContain('"team": "a=b"');
    expect(await verdictOf(stdout.trim())).toBe("alice");
  });

  it("keeps the way in which a file indents its lists", async () => {
    writeFileSync(file, written.replace("  keys: []\n", "  fromHeaders:\n  - name: x-key\n  keys: []\n"));
    await create();
    expect(content()).toMatch(/\n {2}keys:\n {2}- id: /);
  });

  it("adds to a list in braces", async () => {
    await create();
    const [entry] = JSON.parse((await list("--output", "json")).stdout) as { id: string }[];
    const hash = /hash: (.*)/.exec(content())?.[1];
    writeFileSync(file, written.replace("[]", `[{id: ${entry?.id}, hash: '${hash}', owner: bob}]`));
    const { stdout } = await create();
    expect(await verdictOf(stdout.trim())).toBe("alice");
    expect((await list()).stdout.split("\n")).toHaveLength(4);
  });

  it("says all as JSON when asked", async () => {
    const { stdout, stderr } = await create("--output", "json", "--expires", "2999-01-01", "--label", "a=b");
    const report = JSON.parse(stdout) as { key: string };
    expect(report).toEqual({
      key: expect.stringMatching(/^gh_/),
      id: idOf(report.key),
      owner: "alice",
      labels: { a: "b" },
      expires: "2999-01-01T00:00:00Z",
      namespace: "default",
      name: "api-keys",
      file,
    });
    expect(stderr).toBe("");
  });

  it("names a new resource as it is told", async () => {
    await create("--name", "ops", "--namespace", "on");
    const { upserts } = await load();
    expect(upserts.map(({ id }) => id)).toEqual(["gatehouse.dev/ApiKeys/on/ops"]);
  });

  it("begins behind the comments of a file without documents", async () => {
    writeFileSync(file, "# keys\n");
    await create();
    expect(content()).toMatch(/^# keys\napiVersion: /);
  });

  it("writes an owner that YAML would take for something else as text", async () => {
    for (const owner of ["yes", "010", "1e3", "null", "a: b # c", "'\"\\", "~", "ü\u2028"]) {
      const { stdout } = await create("--owner", owner);
      expect(await verdictOf(stdout.trim())).toBe(owner);
    }
  });

  it("keeps the file's mode, and follows a link", async () => {
    writeFileSync(file, written);
    chmodSync(file, 0o640);
    const link = join(folder.path, "link.yaml");
    symlinkSync("keys.yaml", link);
    expect((await runCli(["apikey", "create", "--file", link, "--owner", "bob"])).code).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(content()).toContain("owner: bob");
    expect(readdirSync(folder.path).sort()).toEqual(["keys.yaml", "link.yaml"]);
  });

  it("of several at once all keys are in the file", async () => {
    const made = await Promise.all(Array.from({ length: 8 }, (_, i) => create("--owner", `o${i}`)));
    expect(made.map(({ code }) => code)).toEqual(Array(8).fill(0));
    for (const [i, { stdout }] of made.entries()) expect(await verdictOf(stdout.trim())).toBe(`o${i}`);
  });

  it.each([
    ["an expiry that is none", ["--expires", "soon"]],
    ["an expiry that is over", ["--expires", "2020-01-01"]],
    ["an expiry of no time", ["--expires", "0d"]],
    ["a label without a value", ["--label", "team"]],
    ["a label twice", ["--label", "a=1", "--label", "a=2"]],
    ["an empty owner", ["--owner", ""]],
    ["an unknown output", ["--output", "yaml"]],
  ])("is used wrongly with %s: nothing is written", async (_what, args) => {
    const { code, stdout } = await create(...args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ["a document of another kind", "apiVersion: v1\nkind: Secret\n"],
    ["no YAML", "a: [\n"],
    ["a text", "just words\n"],
    ["ApiKeys of another version", written.replace("v1alpha1", "v9")],
    ["ApiKeys without a name", written.replace("name: partners, ", "")],
    ["ApiKeys with errors", written.replace("keys: []", "keys: [{id: a}]")],
    [
      "several ApiKeys",
      `${written}---\n${written.replace("name: partners", "name: others").split("---")[0]}`,
    ],
    ["bytes that are no text", "\xff\xfe"],
  ])("refuses a file with %s and leaves it as it is", async (_what, text) => {
    writeFileSync(file, text, "latin1");
    const { code, stdout, stderr } = await create();
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: /);
    expect(readFileSync(file, "latin1")).toBe(text);
    expect(readdirSync(folder.path)).toEqual(["keys.yaml"]);
  });

  it("takes the one of several that is named", async () => {
    writeFileSync(
      file,
      `${written}---\n${written.replace("name: partners", "name: others").split("---")[0]}`,
    );
    const { code, stderr } = await create("--name", "others");
    expect(code).toBe(0);
    expect(stderr).toContain("shop/others");
  });

  it("refuses a folder, and a folder that is not there", async () => {
    file = folder.path;
    expect((await create()).code).toBe(1);
    file = join(folder.path, "nowhere", "keys.yaml");
    expect((await create()).code).toBe(1);
  });
});

describe("an edit of a file", () => {
  it("is given up when somebody else changes the file meanwhile", async () => {
    writeFileSync(file, "a");
    const edit = editFile(file, () => {
      writeFileSync(file, "theirs");
      return "ours";
    });
    await expect(edit).rejects.toThrow("was changed meanwhile");
    expect(content()).toBe("theirs");
    expect(readdirSync(folder.path)).toEqual(["keys.yaml"]);
  });

  it("does not replace a file that came meanwhile", async () => {
    const edit = editFile(file, () => {
      writeFileSync(file, "theirs");
      return "ours";
    });
    await expect(edit).rejects.toThrow("was changed meanwhile");
    expect(content()).toBe("theirs");
  });

  it("keeps its draft from others from the first moment on, and a private file private", async () => {
    writeFileSync(file, "a", { mode: 0o600 });
    let mode = 0;
    await editFile(file, () => {
      const draft = readdirSync(folder.path).find((name) => name !== "keys.yaml") ?? "";
      mode = statSync(join(folder.path, draft)).mode & 0o777;
      return "b";
    });
    expect([mode, statSync(file).mode & 0o777]).toEqual([0o600, 0o600]);
    expect(content()).toBe("b");
  });

  it("leaves all as it was when it fails", async () => {
    writeFileSync(file, "a");
    const edit = editFile(file, () => {
      throw new TypeError("no");
    });
    await expect(edit).rejects.toThrow("cannot write");
    expect(content()).toBe("a");
    expect(readdirSync(folder.path)).toEqual(["keys.yaml"]);
  });
});

describe("gatehouse apikey revoke", () => {
  it("ends a key and no other, and does so once", async () => {
    writeFileSync(file, written);
    const [first, second] = [(await create()).stdout.trim(), (await create()).stdout.trim()];
    expect((await revoke(idOf(first))).code).toBe(0);
    expect(await verdictOf(first)).toBe("api_key_revoked");
    expect(await verdictOf(second)).toBe("alice");
    const text = content();
    expect((await revoke(idOf(first), "--output", "json")).code).toBe(0);
    expect(content()).toBe(text);
    for (const comment of written.match(/#.*/g) ?? []) expect(text).toContain(comment);
  });

  it("finds the key among several resources", async () => {
    writeFileSync(
      file,
      `${written}---\n${written.replace("name: partners", "name: others").split("---")[0]}`,
    );
    const key = (await create("--name", "others")).stdout.trim();
    expect((await revoke(idOf(key))).stdout).toContain("shop/others");
  });

  it("says when the file does not know the key, and when there is no file", async () => {
    expect((await revoke("AAAAAAAAAA")).code).toBe(1);
    writeFileSync(file, written);
    expect((await revoke("AAAAAAAAAA")).stderr).toBe("error: there is no key `AAAAAAAAAA` in the file\n");
  });

  it("does not repeat a whole key that it is given by mistake", async () => {
    const key = (await create()).stdout.trim();
    const { code, stderr } = await revoke(key);
    expect(code).toBe(2);
    expect(stderr).not.toContain(key.slice(-32));
  });
});

describe("gatehouse apikey list", () => {
  it("shows who has keys and how they stand, never a hash", async () => {
    const old = (await create("--owner", "old")).stdout.trim();
    await revoke(idOf(old));
    await create("--owner", "two\nlines", "--expires", "2999-01-01");
    const rows = JSON.parse((await list("--output", "json")).stdout) as Record<string, unknown>[];
    expect(rows).toEqual([
      expect.objectContaining({ id: idOf(old), owner: "old", state: "revoked", expires: null, labels: {} }),
      expect.objectContaining({ owner: "two\nlines", state: "active", expires: "2999-01-01T00:00:00Z" }),
    ]);
    const { stdout } = await list();
    expect(stdout.split("\n")).toHaveLength(4);
    expect(stdout).toContain("two?lines");
    for (const text of [stdout, JSON.stringify(rows)]) expect(text).not.toContain("sha256");
  });

  it("says when a key is over", async () => {
    await create("--expires", "2999-01-01");
    writeFileSync(file, content().replace("2999", "2001"));
    expect((await list()).stdout).toMatch(/ expired /);
  });

  it("fails without a file", async () => {
    expect((await list()).code).toBe(1);
  });
});
