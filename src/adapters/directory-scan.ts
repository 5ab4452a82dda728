import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { codes, type Diagnostic, fileDiagnostic } from "../diagnostics/index.js";

/** A file that belongs to the configuration. */
export interface Found {
  /** As diagnostics print it: below the path that was given. */
  readonly path: string;
  /** The same for all names of one file. */
  readonly identity: string;
  /** Changes with the file's content, as far as the file system tells. */
  readonly signature: string;
  /** Milliseconds since the epoch of the last change to the file or its name. */
  readonly changedMs: number;
}

/** What lies under one configuration path. */
export interface Scan {
  readonly root: string;
  readonly files: readonly Found[];
  /** All directories in which a change may matter. */
  readonly directories: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Which names of a folder count. */
export interface Selection {
  /** Of files, and of links to files. */
  readonly isFile: (name: string) => boolean;
  /** Of everything: files, folders and links. */
  readonly isHidden: (name: string) => boolean;
}

interface Walk extends Selection {
  /** The root after resolving links; nothing outside of it is read. */
  readonly realRoot: string;
  readonly files: Found[];
  readonly directories: Set<string>;
  readonly diagnostics: Diagnostic[];
  /** Resolved, so that links cannot lead in a circle. */
  readonly visited: Set<string>;
}

const extensions = /\.(?:yaml|yml|json)$/;

/** Documents of resources. */
const resources: Selection = {
  isFile: (name) => extensions.test(name),
  isHidden: (name) => name.startsWith(".") || name.startsWith("_"),
};

/**
 * Config files of envoyproxy/ratelimit: every file counts. Names with two dots in front are a ConfigMap's own, whose
 * files are there by their own names too.
 */
export function rateLimitFiles(ignoresDotFiles: boolean): Selection {
  return { isFile: () => true, isHidden: (name) => name.startsWith(ignoresDotFiles ? "." : "..") };
}

/**
 * Finds the files of a configuration path, in string order, without reading them. A path that is not there is an
 * empty one where `mayBeMissing`; one that cannot be read is an error always.
 */
export function scanPath(root: string, mayBeMissing: boolean, selection: Selection = resources): Scan {
  const walk: Walk = {
    ...selection,
    realRoot: realOf(root) ?? root,
    files: [],
    directories: new Set(),
    diagnostics: [],
    visited: new Set(),
  };
  if (walk.realRoot !== root) walk.directories.add(dirname(root));
  try {
    const stats = statSync(root);
    if (stats.isDirectory()) walkDirectory(root, walk.realRoot, walk);
    else {
      walk.directories.add(dirname(root));
      if (stats.isFile() && selection.isFile(root)) addFile(root, walk);
      else walk.diagnostics.push(fileDiagnostic(codes.sourceUnreadable, root, `${what} is none`));
    }
  } catch (error) {
    const reason = codeOf(error);
    if (!mayBeMissing || reason !== "ENOENT") {
      walk.diagnostics.push(
        fileDiagnostic(codes.sourceUnreadable, root, `${what} cannot be read (${reason})`),
      );
    }
  }
  return { root, files: walk.files, directories: [...walk.directories], diagnostics: walk.diagnostics };
}

const what = "configuration path, expected a folder or a file that ends in .yaml, .yml or .json,";

/** `ENOENT` and its like. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}

function walkDirectory(path: string, real: string, walk: Walk): void {
  if (walk.visited.has(real)) return;
  walk.visited.add(real);
  walk.directories.add(real);
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    const message = `folder cannot be read (${codeOf(error)})`;
    walk.diagnostics.push(fileDiagnostic(codes.sourceUnreadable, path, message));
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (walk.isHidden(entry.name)) continue;
    const child = join(path, entry.name);
    if (entry.isSymbolicLink()) followLink(child, walk);
    else if (entry.isDirectory()) walkDirectory(child, join(real, entry.name), walk);
    else if (entry.isFile() && walk.isFile(entry.name)) addFile(child, walk);
  }
}

function followLink(path: string, walk: Walk): void {
  const real = realOf(path);
  if (real === undefined) {
    if (!walk.isFile(path)) return;
    walk.diagnostics.push(fileDiagnostic(codes.sourceUnreadable, path, "symbolic link leads nowhere"));
    return;
  }
  let isDirectory: boolean;
  try {
    isDirectory = statSync(real).isDirectory();
  } catch {
    return;
  }
  if (!isDirectory && !walk.isFile(path)) return;
  if (!liesUnder(real, walk.realRoot)) {
    const message = "symbolic link leads out of the configuration path, expected a file below it";
    walk.diagnostics.push(fileDiagnostic(codes.sourceOutside, path, message));
    return;
  }
  if (isDirectory) {
    walkDirectory(path, real, walk);
  } else {
    walk.directories.add(dirname(real));
    addFile(path, walk);
  }
}

function addFile(path: string, walk: Walk): void {
  try {
    walk.files.push(describeFile(path, statSync(path)));
  } catch (error) {
    const message = `file cannot be read (${codeOf(error)})`;
    walk.diagnostics.push(fileDiagnostic(codes.sourceUnreadable, path, message));
  }
}

/** What tells a file's content from an older one. */
export function describeFile(path: string, { dev, ino, size, mtimeMs, ctimeMs }: Stats): Found {
  const identity = `${dev}:${ino}`;
  const signature = `${identity}:${size}:${mtimeMs}:${ctimeMs}`;
  return { path, identity, signature, changedMs: Math.max(mtimeMs, ctimeMs) };
}

/** Whether a path is a folder's or lies below it; both resolved. */
export function liesUnder(real: string, realRoot: string): boolean {
  return real === realRoot || real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep);
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
