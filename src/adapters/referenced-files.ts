import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { FileReference, ReferencedFile } from "../config/index.js";
import { type Code, codes, show } from "../diagnostics/index.js";
import { codeOf, describeFile, liesUnder } from "./directory-scan.js";
import { type FileText, readFileText } from "./file-text.js";
import { readReferencedFolder } from "./referenced-folder.js";

/** A file that a document names, as it was last looked at. */
export interface Referenced {
  readonly reference: FileReference;
  /** Changes with the file's content, or with why there is none. */
  readonly signature: string;
  readonly changedMs: number;
  /** Undefined when the name leads to nothing that may be read. */
  readonly file: ReferencedText | undefined;
  readonly problem: { readonly code: Code; readonly message: string } | undefined;
  /** Folders in which a change may matter. */
  readonly directories: readonly string[];
}

/** A text with the files that it was made from. */
export interface ReferencedText {
  readonly text: string | undefined;
  readonly files: readonly FileText[];
}

/** Referenced files by `keyOf`. */
export type ReferencedFiles = ReadonlyMap<string, Referenced>;

/** Keys and secrets are small; what is larger was hardly meant. */
const MAX_BYTES = 1024 * 1024;

/** The same for equal references. */
export function keyOf({ root, document, name, kind, maxBytes }: FileReference): string {
  return [root, document, name, kind, maxBytes].join("\0");
}

/**
 * Finds and reads a file or folder that a document names, unless `old` is known to be what is there. It must lie under
 * the document's root after resolving links.
 */
export function readReferenced(reference: FileReference, old: Referenced | undefined): Referenced {
  const { root, document, name, kind, maxBytes = MAX_BYTES } = reference;
  const path = isAbsolute(name) ? name : join(dirname(document), name);
  const refuse = (code: Code, message: string, directories: readonly string[]): Referenced => ({
    reference,
    signature: message,
    changedMs: 0,
    file: undefined,
    problem: { code, message: `${shownFile(name, kind)} ${message}` },
    directories,
  });
  let real: string;
  let stats: Stats;
  try {
    real = realpathSync(path);
    if (!liesUnder(real, realpathSync(statSync(root).isDirectory() ? root : dirname(root)))) {
      return refuse(codes.referenceOutside, "lies outside the configuration path, expected one below it", []);
    }
    stats = statSync(real);
  } catch (error) {
    return refuse(codes.referenceUnreadable, `cannot be read (${codeOf(error)})`, [dirname(path)]);
  }
  if (kind === "folder") {
    if (stats.isDirectory()) return readReferencedFolder(reference, { path, real }, old, refuse);
    return refuse(codes.referenceUnreadable, "is no folder", [dirname(path)]);
  }
  const directories = [dirname(path), dirname(real)];
  // Reading a pipe or a device might never end.
  if (!stats.isFile()) return refuse(codes.referenceUnreadable, "is no regular file", directories);
  if (stats.size > maxBytes) {
    const message = `has ${stats.size} bytes, expected at most ${maxBytes}`;
    return refuse(codes.referenceUnreadable, message, directories);
  }
  const encoding = kind === "bytes" ? "base64" : "utf8";
  const reading = { maxBytes, isResolved: true, encoding } as const;
  const file = readFileText(describeFile(real, stats), old?.file?.files[0], reading);
  const { signature, changedMs, fault, text } = file;
  const problem = fault && {
    code: codes.referenceUnreadable,
    message: `${shownFile(name, kind)} ${fault.message}`,
  };
  return { reference, signature, changedMs, file: { text, files: [file] }, problem, directories };
}

/** A secret may stand in the place of the name of its file: only what is hardly one is repeated. */
function shownFile(name: string, kind: FileReference["kind"]): string {
  if (kind === "folder") return `folder ${show(name)}`;
  const isName = /^[a-z0-9._/-]*$/.test(name) || /\.[a-z0-9]{1,5}$/.test(name);
  return isName ? `file ${show(name)}` : "the file that is named here";
}

/** What the port tells; `paths` of the source's own files are those with this identity. */
export function toReferencedFile(
  { file, problem }: Referenced,
  pathsOf: (identity: string) => readonly string[],
): ReferencedFile {
  if (problem !== undefined) return { text: undefined, ...problem };
  return { text: file?.text ?? "", paths: (file?.files ?? []).flatMap(({ identity }) => pathsOf(identity)) };
}

/** Whether the port would tell the same of both. */
export function isSameReferenced(a: ReferencedFiles, b: ReferencedFiles): boolean {
  return (
    a.size === b.size &&
    [...a].every(([key, { file, problem }]) => {
      const other = b.get(key);
      return other?.file?.text === file?.text && other?.problem?.message === problem?.message;
    })
  );
}
