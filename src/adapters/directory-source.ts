import { type FSWatcher, readFileSync, watch } from "node:fs";
import type { ConfigFiles, SourceFile } from "../config/index.js";
import { codes, type Diagnostic, fileDiagnostic } from "../diagnostics/index.js";
import { codeOf, type Found, scanPath } from "./directory-scan.js";

/** Files and folders as a source of configuration. */
export interface DirectorySource {
  /** What is there now. */
  read(): Promise<ConfigFiles>;
  /** Tells of every change from now on, one at a time; a burst of edits is one change. */
  watch(listener: (files: ConfigFiles) => Promise<void>): void;
  /** Reads now and tells the listener, changed or not. */
  reload(): Promise<void>;
  close(): void;
}

interface DirectorySourceOptions {
  readonly paths: readonly string[];
  /** A path without any document is no error. */
  readonly allowEmpty: boolean;
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
/** A file changed so recently may change again without its time showing it. */
const YOUNG_MS = 2000;
/** How often reading is begun again because files changed meanwhile. */
const ATTEMPTS = 5;
const MAX_FILE_BYTES = 64 * 1024 * 1024;

interface Known extends Pick<Found, "changedMs"> {
  readonly signature: string;
  /** The file may have changed since without a new signature. */
  readonly young: boolean;
  readonly text: string | undefined;
  readonly problem: Diagnostic | undefined;
}

interface Reading {
  readonly input: ConfigFiles;
  readonly known: ReadonlyMap<string, Known>;
  readonly directories: ReadonlySet<string>;
}

/**
 * Reads YAML and JSON files of the paths given, folders with all below them. File system calls are
 * synchronous, since they are ten times cheaper so: run it in a thread of its own, not in one that serves.
 */
export function createDirectorySource({ paths, allowEmpty }: DirectorySourceOptions): DirectorySource {
  let known: ReadonlyMap<string, Known> = new Map();
  let last: ConfigFiles | undefined;
  let listener: ((files: ConfigFiles) => Promise<void>) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let burstSince: number | undefined;
  let pollTimer: NodeJS.Timeout | undefined;
  let closed = false;
  let queue: Promise<unknown> = Promise.resolve();
  const watchers = new Map<string, FSWatcher>();

  const readOnce = (): Reading => {
    const found = paths.map((path) => scanPath(path, allowEmpty));
    const next = new Map<string, Known>();
    const files: SourceFile[] = [];
    const diagnostics: Diagnostic[] = found.flatMap((path) => path.diagnostics);
    for (const { root, file } of found.flatMap(({ root, files }) => files.map((file) => ({ root, file })))) {
      const old = known.get(file.path);
      const entry = old?.signature === file.signature && !old.young ? old : readFile(file, old);
      next.set(file.path, entry);
      if (entry.problem !== undefined) diagnostics.push(entry.problem);
      if (entry.text !== undefined) files.push({ path: file.path, text: entry.text, root });
    }
    const input = { files, diagnostics, roots: allowEmpty ? [] : paths };
    return { input, known: next, directories: new Set(found.flatMap(({ directories }) => directories)) };
  };

  /** Until two looks agree, so that a swap of `..data` in the midst of it is never read half. */
  const readStable = async (): Promise<{ input: ConfigFiles; changed: boolean }> => {
    let reading = readOnce();
    for (let attempt = 1; attempt < ATTEMPTS && isNews(reading.input, last); attempt++) {
      const before = reading.known;
      known = before;
      if (hasJustChanged(before)) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      reading = readOnce();
      if (sameSignatures(before, reading.known)) break;
    }
    known = reading.known;
    rearm(reading.directories);
    const changed = isNews(reading.input, last);
    last = reading.input;
    return { input: reading.input, changed };
  };

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

  const rearm = (directories: ReadonlySet<string>): void => {
    if (listener === undefined || closed) return;
    for (const [directory, watcher] of watchers) {
      if (directories.has(directory)) continue;
      watcher.close();
      watchers.delete(directory);
    }
    for (const directory of directories) {
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

function readFile({ path, signature, changedMs }: Found, old: Known | undefined): Known {
  const seen = { signature, changedMs, young: Date.now() - changedMs < YOUNG_MS };
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_FILE_BYTES) {
      const message = `file has ${bytes.length} bytes, expected at most ${MAX_FILE_BYTES}`;
      return { ...seen, text: undefined, problem: fileDiagnostic(codes.fileTooLarge, path, message) };
    }
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // The same string object tells everyone behind that nothing changed.
    return { ...seen, text: text === old?.text ? old.text : text, problem: undefined };
  } catch (error) {
    const notText = error instanceof TypeError;
    const code = notText ? codes.yamlSyntax : codes.sourceUnreadable;
    const message = notText ? "file is not UTF-8 text" : `file cannot be read (${codeOf(error)})`;
    return { ...seen, text: undefined, problem: fileDiagnostic(code, path, message) };
  }
}

function isNews(input: ConfigFiles, last: ConfigFiles | undefined): boolean {
  if (last === undefined || input.files.length !== last.files.length) return true;
  const same = input.files.every(({ path, text }, i) => {
    const old = last.files[i];
    return old?.path === path && old.text === text;
  });
  return !same || JSON.stringify(input.diagnostics) !== JSON.stringify(last.diagnostics);
}

function hasJustChanged(known: ReadonlyMap<string, Known>): boolean {
  const since = Date.now() - SETTLE_MS;
  return [...known.values()].some(({ changedMs }) => changedMs > since);
}

function sameSignatures(a: ReadonlyMap<string, Known>, b: ReadonlyMap<string, Known>): boolean {
  return a.size === b.size && [...a].every(([path, { signature }]) => b.get(path)?.signature === signature);
}
