import { type FileHandle, link, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { GatehouseError } from "../diagnostics/index.js";

/** For another edit of the same file to end, in milliseconds. */
const WAIT_MS = 5000;
const POLL_MS = 25;

/** The text of a regular file; undefined when there is none. Throws `source` for anything else. */
export async function readText(file: string): Promise<string | undefined> {
  let bytes: Buffer;
  try {
    if (!(await stat(file)).isFile()) throw new GatehouseError("source", `\`${file}\` is no regular file`);
    bytes = await readFile(file);
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    if (codeOf(error) === "ENOENT") return undefined;
    throw new GatehouseError("source", `cannot read \`${file}\` (${codeOf(error)})`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new GatehouseError("source", `\`${file}\` is no UTF-8 text`);
  }
}

/**
 * Replaces a file's text as a whole or not at all; readers see the old or the new one. The mode stays, and a link is
 * followed. Edits of ours come one after the other; one by somebody else in between is an error, and so is whatever
 * `edit` throws: then the file stays as it is. `edit` gets undefined when there is no file, which then is made.
 */
export async function editFile(file: string, edit: (text: string | undefined) => string): Promise<void> {
  const target = await realTarget(file);
  const draft = join(dirname(target), `.${basename(target)}.gatehouse-draft`);
  const handle = await openDraft(draft, file);
  try {
    const before = await readText(target);
    const after = edit(before);
    // Before there is anything in it: a draft can be read by nobody who cannot read the file.
    if (before === undefined) await handle.chmod(0o666 & ~process.umask());
    else await copyOwnership(target, handle);
    await fill(handle, after);
    if ((await readText(target)) !== before) {
      throw new GatehouseError("source", `\`${file}\` was changed meanwhile by somebody else, try again`);
    }
    await replace(draft, target, before === undefined);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(draft, { force: true });
    if (error instanceof GatehouseError) throw error;
    throw new GatehouseError("source", `cannot write \`${file}\` (${codeOf(error)})`, { cause: error });
  }
}

async function realTarget(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return resolve(file);
    throw new GatehouseError("source", `cannot read \`${file}\` (${codeOf(error)})`);
  }
}

/** The draft is the lock as well: only one edit can make it. */
async function openDraft(draft: string, file: string): Promise<FileHandle> {
  for (let waited = 0; ; waited += POLL_MS) {
    try {
      return await open(draft, "wx", 0o600);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") {
        throw new GatehouseError("source", `cannot write beside \`${file}\` (${codeOf(error)})`, {
          cause: error,
        });
      }
      if (waited >= WAIT_MS) {
        const message = `\`${file}\` is being edited; if it is not, remove \`${draft}\` and try again`;
        throw new GatehouseError("source", message);
      }
    }
    await wait(POLL_MS);
  }
}

async function fill(handle: FileHandle, text: string): Promise<void> {
  await handle.writeFile(text, "utf8");
  // Else a crash of the machine could leave the new name on an empty file.
  await handle.sync();
  await handle.close();
}

async function copyOwnership(target: string, draft: FileHandle): Promise<void> {
  const [old, made] = await Promise.all([stat(target), draft.stat()]);
  if (old.uid !== made.uid || old.gid !== made.gid) await draft.chown(old.uid, old.gid);
  await draft.chmod(old.mode & 0o7777);
}

async function replace(draft: string, target: string, isNew: boolean): Promise<void> {
  if (!isNew) return rename(draft, target);
  // Unlike a rename this does not replace a file that has come meanwhile.
  await link(draft, target);
  await rm(draft);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
