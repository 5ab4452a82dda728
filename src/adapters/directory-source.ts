import { type FSWatcher, watch } from "node:fs";
import { basename, resolve } from "node:path";
import type { ConfigFiles, FileReference, ReferencedFile, RegoFolder, SourceFile } from "../config/index.js";
import { codes, type Diagnostic, fileDiagnostic } from "../diagnostics/index.js";
import { rateLimitFiles, scanPath } from "./directory-scan.js";
import { type FileFault, type FileText, readFileText } from "./file-text.js";
import {
  isSameReferenced,
  keyOf,
  type Referenced,
  type ReferencedFiles,
  readReferenced,
  toReferencedFile,
} from "./referenced-files.js";

/** Files and folders as a source of configuration. */
export interface DirectorySource {
  /** What is there now. */
  read(): Promise<ConfigFiles>;
  /** Tells of every change from now on, one at a time; a burst of edits is one change. */
  watch(listener: (files: ConfigFiles) => Promise<void>): void;
  /**
   * Reads files that documents name (port `References.files`); call it with all of them while a reading is told.
   * From then on they belong to what is read and watched, until the next call.
   */
  readNamed(named: readonly FileReference[]): readonly ReferencedFile[];
  /** Reads now and tells the listener, changed or not. */
  reload(): Promise<void>;
  close(): void;
}

interface DirectorySourceOptions {
  readonly paths: readonly string[];
  /** A path without any document is no error. */
  readonly allowEmpty: boolean;
  /** Folders of Rego that stand for a RegoPolicy each. */
  readonly rego?: readonly string[];
  /** Config files of envoyproxy/ratelimit and folders of them; a folder may be empty. */
  readonly rateLimit?: readonly string[];
  /** RUNTIME_IGNOREDOTFILES: among them. */
  readonly ignoresDotFiles?: boolean;
}

/** Edits that come closer together than this are one. */
const SETTLE_MS = 50;
/** A burst is waited for at most so long. */
const LONGEST_BURST_MS = 250;
/**
 * Watching can miss changes (network file systems, inotify's limits), so everything is also looked at this
 * often.
 */
const POLL_MS = 1000;
/** Looking may take at most this part of the time. */
const POLL_SHARE = 1 / 20;
/** How often reading is begun again because files changed meanwhile. */
const ATTEMPTS = 5;
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** What was read at one moment. */
interface Known {
  readonly files: ReadonlyMap<string, FileText>;
  readonly named: ReferencedFiles;
}

interface Reading extends Known {
  readonly input: ConfigFiles;
  /** Of the files; those of what is named come on top. */
  readonly directories: ReadonlySet<string>;
}

/**
 * Reads YAML and JSON files of the paths given, folders with all below them. File system calls are
 * synchronous, since they are ten times cheaper so: run it in a thread of its own, not in one that serves.
 */
export function createDirectorySource({
  paths,
  allowEmpty,
  rego = [],
  rateLimit = [],
  ignoresDotFiles = false,
}: DirectorySourceOptions): DirectorySource {
  let known: Known = { files: new Map(), named: new Map() };
  let last: ConfigFiles | undefined;
  /** What documents name, as it was when the last reading was told. */
  let told: ReferencedFiles = new Map();
  let directories: ReadonlySet<string> = new Set();
  let listener: ((files: ConfigFiles) => Promise<void>) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let burstSince: number | undefined;
  let pollTimer: NodeJS.Timeout | undefined;
  let closed = false;
  let queue: Promise<unknown> = Promise.resolve();
  const watchers = new Map<string, FSWatcher>();

  const readOnce = (): Reading => {
    const limits = rateLimit.map((path) => scanPath(path, allowEmpty, rateLimitFiles(ignoresDotFiles)));
    const found = [...paths.map((path) => scanPath(path, allowEmpty)), ...limits];
    const isRateLimit = new Set(limits.flatMap(({ files }) => files));
    const next = new Map<string, FileText>();
    const files: SourceFile[] = [];
    const diagnostics: Diagnostic[] = found.flatMap((path) => path.diagnostics);
    for (const { root, file } of found.flatMap(({ root, files }) => files.map((file) => ({ root, file })))) {
      const entry = readFileText(file, known.files.get(file.path), { maxBytes: MAX_FILE_BYTES });
      next.set(file.path, entry);
      if (entry.fault !== undefined) diagnostics.push(diagnose(file.path, entry.fault));
      if (entry.text === undefined) continue;
      files.push({
        path: file.path,
        text: entry.text,
        root,
        ...(isRateLimit.has(file) && { isRateLimit: true }),
      });
    }
    const input = { files, diagnostics, roots: allowEmpty ? [] : paths, rego: rego.map(toFolder) };
    const named = new Map([...known.named].map(([key, old]) => [key, readReferenced(old.reference, old)]));
    const seen = new Set(found.flatMap((path) => path.directories));
    return { input, files: next, named, directories: seen };
  };

  /** Until two looks agree, so that a swap of `..data` in the midst of it is never read half. */
  const readStable = async (): Promise<{ input: ConfigFiles; changed: boolean }> => {
    let reading = readOnce();
    for (let attempt = 1; attempt < ATTEMPTS && isNews(reading); attempt++) {
      const before = reading;
      known = before;
      if (hasJustChanged(before)) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      reading = readOnce();
      if (sameSignatures(before, reading)) break;
    }
    known = reading;
    directories = reading.directories;
    rearm();
    const changed = isNews(reading);
    last = reading.input;
    return { input: reading.input, changed };
  };

  const isNews = ({ input, named }: Reading): boolean =>
    isOtherInput(input, last) || !isSameReferenced(named, told);

  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const result = queue.then(task);
    queue = result.catch(() => {});
    return result;
  };

  const look = (force: boolean): Promise<void> =>
    inTurn(async () => {
      if (closed) return;
      const { input, changed } = await readStable();
      if (changed || force) await listener?.(input);
    });

  const onEvent = (): void => {
    if (closed) return;
    const now = performance.now();
    burstSince ??= now;
    clearTimeout(timer);
    const wait = Math.min(SETTLE_MS, Math.max(0, burstSince + LONGEST_BURST_MS - now));
    timer = setTimeout(() => {
      burstSince = undefined;
      look(false).catch(() => {});
    }, wait);
  };

  const rearm = (): void => {
    if (listener === undefined || closed) return;
    const wanted = new Set([...directories, ...[...known.named.values()].flatMap((one) => one.directories)]);
    for (const [directory, watcher] of watchers) {
      if (wanted.has(directory)) continue;
      watcher.close();
      watchers.delete(directory);
    }
    for (const directory of wanted) {
      if (watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, onEvent);
        const forget = (): void => {
          watcher.close();
          watchers.delete(directory);
        };
        watcher.on("error", forget);
        watchers.set(directory, watcher);
      } catch {
        // Gone again, or inotify's limit: polling sees its changes.
      }
    }
  };

  const poll = (): void => {
    const start = performance.now();
    look(false)
      .catch(() => {})
      .finally(() => {
        if (closed) return;
        const took = performance.now() - start;
        pollTimer = setTimeout(poll, Math.max(POLL_MS, took / POLL_SHARE));
      });
  };

  return {
    read: () => inTurn(async () => (await readStable()).input),
    watch(given) {
      listener = given;
      poll();
    },
    readNamed(references) {
      const named = new Map<string, Referenced>();
      for (const reference of references) {
        const key = keyOf(reference);
        // What was named before was read together with the documents.
        if (!named.has(key)) named.set(key, known.named.get(key) ?? readReferenced(reference, undefined));
      }
      known = { files: known.files, named };
      told = named;
      rearm();
      const paths = references.length === 0 ? new Map() : pathsByIdentity(known.files);
      const pathsOf = (identity: string): readonly string[] => paths.get(identity) ?? [];
      return references.flatMap((reference) => {
        const one = named.get(keyOf(reference));
        return one === undefined ? [] : [toReferencedFile(one, pathsOf)];
      });
    },
    reload: () => look(true),
    close() {
      closed = true;
      clearTimeout(timer);
      clearTimeout(pollTimer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}

/** A folder's path as given, if it ends in a name. */
function toFolder(given: string): RegoFolder {
  const path = given.replace(/(?<=.)\/+$/, "");
  const name = basename(path);
  return name === "" || name === "." || name === ".." ? whole(resolve(path)) : { path, name };
}

function whole(path: string): RegoFolder {
  return { path, name: basename(path) };
}

const faultCodes = {
  too_large: codes.fileTooLarge,
  not_text: codes.yamlSyntax,
  unreadable: codes.sourceUnreadable,
} as const;

function diagnose(path: string, { reason, message }: FileFault): Diagnostic {
  return fileDiagnostic(faultCodes[reason], path, `file ${message}`);
}

function pathsByIdentity(files: ReadonlyMap<string, FileText>): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, string[]>();
  for (const [path, { identity }] of files) {
    const same = paths.get(identity);
    if (same === undefined) paths.set(identity, [path]);
    else same.push(path);
  }
  return paths;
}

function isOtherInput(input: ConfigFiles, last: ConfigFiles | undefined): boolean {
  if (last === undefined || input.files.length !== last.files.length) return true;
  const same = input.files.every(({ path, text }, i) => {
    const old = last.files[i];
    return old?.path === path && old.text === text;
  });
  return !same || JSON.stringify(input.diagnostics) !== JSON.stringify(last.diagnostics);
}

function hasJustChanged({ files, named }: Known): boolean {
  const since = Date.now() - SETTLE_MS;
  const isNew = ({ changedMs }: { readonly changedMs: number }): boolean => changedMs > since;
  return [...files.values()].some(isNew) || [...named.values()].some(isNew);
}

function sameSignatures(a: Known, b: Known): boolean {
  return isAlike(a.files, b.files) && isAlike(a.named, b.named);
}

type Signed = ReadonlyMap<string, { readonly signature: string }>;

function isAlike(a: Signed, b: Signed): boolean {
  return a.size === b.size && [...a].every(([key, { signature }]) => b.get(key)?.signature === signature);
}
