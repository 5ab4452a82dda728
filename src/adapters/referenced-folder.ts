import { type Dirent, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FileReference } from "../config/index.js";
import { type Code, codes, show } from "../diagnostics/index.js";
import { isConfiguration } from "../rego/index.js";
import { codeOf, describeFile, liesUnder } from "./directory-scan.js";
import { type FileText, readFileText } from "./file-text.js";
import type { Referenced } from "./referenced-files.js";

/** What belongs to a policy in Rego; documents and data may be put aside by a name with `_`, as elsewhere. */
const extensions = /(?:\.rego|^(?!_).*\.(?:json|yaml|yml))$/;
/** Of all files together, when the reference says nothing. */
const MAX_BYTES = 128 * 1024 * 1024;
const MAX_FILES = 10_000;

/** A folder before and after resolving links. */
export interface FolderPath {
  readonly path: string;
  readonly real: string;
}

type Refuse = (code: Code, message: string, directories: readonly string[]) => Referenced;

/** Files of a folder by their path below it. */
interface Walk {
  readonly real: string;
  /** The naming document's own file, which is none of the policy's. */
  readonly document: string;
  readonly found: [path: string, real: string][];
  readonly directories: string[];
  readonly visited: Set<string>;
}

/**
 * Reads the `.rego` and data files of a folder with all below it, but those whose names begin with `.`, and data whose
 * names begin with `_`. Links may lead
 * to what lies in the folder; others are an error. `old` is what was read before.
 */
export function readReferencedFolder(
  reference: FileReference,
  { path, real }: FolderPath,
  old: Referenced | undefined,
  refuse: Refuse,
): Referenced {
  const document = realOf(reference.document);
  const walk: Walk = { real, document, found: [], directories: [dirname(path)], visited: new Set() };
  const known = new Map(old?.file?.files.map((file) => [file.path, file]));
  const files: FileText[] = [];
  const entries: [string, string][] = [];
  const signatures: string[] = [];
  let bytes = 0;
  try {
    visit("", real, walk);
    for (const [name, file] of walk.found.sort(([a], [b]) => (a < b ? -1 : 1))) {
      const maxBytes = (reference.maxBytes ?? MAX_BYTES) - bytes;
      const stats = statSync(file);
      const read = readFileText(describeFile(file, stats), known.get(file), {
        maxBytes,
        isResolved: true,
      });
      if (read.text === undefined) {
        const why = read.fault?.message ?? "cannot be read";
        return refuse(codes.referenceUnreadable, `has ${show(name)}, which ${why}`, walk.directories);
      }
      bytes += stats.size;
      signatures.push(`${name}:${file}:${read.signature}`);
      if (!name.endsWith(".rego") && isConfiguration(read.text)) continue;
      files.push(read);
      entries.push([name, read.text]);
    }
  } catch (error) {
    const message = error instanceof FolderFault ? error.message : `cannot be read (${codeOf(error)})`;
    return refuse(codes.referenceUnreadable, message, walk.directories);
  }
  const signature = signatures.join("\n");
  // The names are part of the text, and a link may get another one while its file stays.
  const same = old?.signature === signature && files.every((file, i) => old.file?.files[i] === file);
  return {
    reference,
    signature,
    changedMs: Math.max(0, ...files.map(({ changedMs }) => changedMs)),
    file: same && old?.file !== undefined ? old.file : { text: JSON.stringify(entries), files },
    problem: undefined,
    directories: walk.directories,
  };
}

/** Its message follows the folder's name. */
class FolderFault extends Error {}

function visit(below: string, real: string, walk: Walk): void {
  if (walk.visited.has(real)) return;
  walk.visited.add(real);
  walk.directories.push(real);
  const entries: Dirent[] = readdirSync(real, { withFileTypes: true });
  for (const { name } of entries) {
    if (name.startsWith(".")) continue;
    const path = below === "" ? name : `${below}/${name}`;
    const child = targetOf(join(real, name));
    if (child === undefined) {
      // Editors leave links to nowhere as locks, and files go while their folder is read.
      if (extensions.test(name)) throw new FolderFault(`has ${show(path)}, which leads nowhere`);
      continue;
    }
    if (!liesUnder(child, walk.real)) {
      if (extensions.test(name)) throw new FolderFault(`has ${show(path)}, which leads out of it`);
      continue;
    }
    const stats = statSync(child);
    if (stats.isDirectory()) visit(path, child, walk);
    else if (stats.isFile() && extensions.test(name) && child !== walk.document) {
      if (walk.found.push([path, child]) > MAX_FILES)
        throw new FolderFault(`has more than ${MAX_FILES} files`);
    }
  }
}

function realOf(path: string): string {
  return targetOf(path) ?? path;
}

function targetOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
