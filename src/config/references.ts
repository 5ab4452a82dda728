import { type Code, codes, type Finding, finding, show } from "../diagnostics/index.js";
import type { Download, Parsed, Reference } from "../documents/index.js";
import type { Egress } from "./mesh.js";
import { type DocumentReading, hashOf, type Placement } from "./reading.js";

/** A file that a document names. */
export interface FileReference {
  /** The configuration path that led to the document: the file must lie under it. */
  readonly root: string;
  /** The document's own file: a relative name starts beside it. */
  readonly document: string;
  readonly name: string;
  /** What its text is, see `Reference`. */
  readonly kind: "file" | "bytes" | "folder";
  /** Undefined: what is usual for keys and secrets; of a folder all files together. */
  readonly maxBytes: number | undefined;
}

/** What a URL gave last. */
export interface Downloaded {
  /** base64; empty before the first answer. */
  readonly text: string;
  /** Why the last attempt brought nothing, in words of ours; undefined when it did, or none was made. */
  readonly failure: string | undefined;
}

/** Something behind a URL that a document names. */
export interface DownloadReference extends Download {
  readonly url: string;
  readonly maxBytes: number;
}

/** What became of a FileReference. A message never holds a part of the text. */
export type ReferencedFile =
  | {
      readonly text: string;
      /** Paths of the source's own files that are this very file. */
      readonly paths: readonly string[];
    }
  | { readonly text: undefined; readonly code: Code; readonly message: string };

/** Port: texts that documents name and do not hold. */
export interface References {
  /**
   * The files' texts, in their order. Called once for each reading with all that are named: from then on a
   * change of one of these, and of no other, is a change of the configuration.
   */
  readonly files: (named: readonly FileReference[]) => readonly ReferencedFile[];
  /** A variable of the environment; undefined when it is not set. */
  readonly variable: (name: string) => string | undefined;
  /**
   * What the URLs gave last, in their order. Called like `files`: from then on
   * these, and no others, are asked again and again, and whatever they give anew is a change of the configuration.
   */
  readonly downloads: (named: readonly DownloadReference[], egress: Egress) => readonly Downloaded[];
}

/** The secret itself may stand in the place of the variable that holds it: only what is hardly one is repeated. */
const variableName = /^[A-Z0-9_]{1,64}$/;

/** For catalogs without surroundings: every reference is an error. */
export const noReferences: References = {
  files: (named) => {
    const message = "files that documents name cannot be read here";
    return named.map(() => ({ text: undefined, code: codes.referenceUnreadable, message }));
  },
  variable: () => undefined,
  downloads: (named) => named.map(() => ({ text: "", failure: "nothing can be downloaded here" })),
};

/** A document with the texts that it names. */
export interface Completed {
  /** Its hash covers the texts; its spec is undefined when something is missing or wrong. */
  readonly document: DocumentReading;
  readonly findings: readonly Finding[];
}

/** All references of a reading. */
export interface Resolved {
  /** Only documents that name something. */
  readonly completed: ReadonlyMap<DocumentReading, Completed>;
  /** Paths of the source's files that documents name, with a document that does. */
  readonly named: ReadonlyMap<string, DocumentReading>;
}

/** Resolves references, completing again only what got other texts. */
export type ReferenceResolver = (placements: readonly Placement[], egress: Egress) => Resolved;

type Text = ReferencedFile | Downloaded | { readonly text: string };

/** Makes a resolver with a memory of its own. */
export function createReferenceResolver({ files, variable, downloads }: References): ReferenceResolver {
  const memory = new WeakMap<DocumentReading, { texts: readonly string[]; completed: Completed }>();

  const complete = (document: DocumentReading, found: readonly Text[]): Completed => {
    const findings = document.references.flatMap((reference, i) => faultOf(reference, found[i]));
    if (findings.length > 0 || document.spec === undefined) {
      return { document: { ...document, spec: undefined }, findings };
    }
    const stale = document.references.flatMap((reference, i) => failureOf(reference, found[i]));
    const texts = found.map(({ text }) => text ?? "");
    const known = memory.get(document);
    if (known?.texts.every((text, i) => text === texts[i])) return withFindings(known.completed, stale);
    const parsed = completeSpec(document, texts);
    const hash = `${document.hash}+${hashOf(JSON.stringify(texts))}`;
    const completed = { document: { ...document, hash, spec: parsed.spec }, findings: parsed.findings };
    memory.set(document, { texts, completed });
    return withFindings(completed, stale);
  };

  const readVariable = ({ name }: Reference): Text => {
    const text = variable(name);
    if (text !== undefined && text !== "") return { text };
    const message = `${variableName.test(name) ? `environment variable ${show(name)}` : "the environment variable named here"} is not set`;
    return { text: undefined, code: codes.variableMissing, message };
  };

  return (placements, egress) => {
    // A document's text twice is one reading twice, and an error of its own: the first place counts.
    const naming = new Map<DocumentReading, Placement>();
    for (const placement of placements) {
      for (const document of placement.reading.documents) {
        if (document.references.length > 0 && !naming.has(document)) naming.set(document, placement);
      }
    }
    const wanted = [...naming].flatMap(([{ references }, { root, file }]) =>
      references.flatMap(({ kind, name, maxBytes }): FileReference[] =>
        kind === "env" || kind === "download" ? [] : [{ root, document: file, name, kind, maxBytes }],
      ),
    );
    const downloaded = downloads([...naming.keys()].flatMap(downloadsOf), egress)[Symbol.iterator]();
    const read = files(wanted)[Symbol.iterator]();
    const completed = new Map<DocumentReading, Completed>();
    const named = new Map<string, DocumentReading>();
    for (const document of naming.keys()) {
      const found = document.references.map((reference): Text => {
        if (reference.kind === "env") return readVariable(reference);
        if (reference.kind === "download") return downloaded.next().value as Downloaded;
        const file = read.next().value as ReferencedFile;
        if (file.text !== undefined) for (const path of file.paths) named.set(path, document);
        return file;
      });
      completed.set(document, complete(document, found));
    }
    return { completed, named };
  };
}

function downloadsOf({ references }: DocumentReading): DownloadReference[] {
  return references.flatMap(({ kind, name: url, maxBytes = 0, download }) =>
    kind === "download" && download !== undefined ? [{ url, maxBytes, ...download }] : [],
  );
}

function faultOf({ path }: Reference, found: Text | undefined): Finding[] {
  return found?.text === undefined && found !== undefined ? [finding(found.code, path, found.message)] : [];
}

function failureOf({ path }: Reference, found: Text | undefined): Finding[] {
  if (found === undefined || !("failure" in found) || found.failure === undefined) return [];
  const message = `the last attempt to fetch it failed: ${found.failure}${found.text === "" ? "" : "; what it gave before stays"}`;
  return [finding(codes.downloadFailed, path, message)];
}

function withFindings(completed: Completed, more: readonly Finding[]): Completed {
  return more.length === 0 ? completed : { ...completed, findings: [...completed.findings, ...more] };
}

function completeSpec({ spec, kind, complete }: DocumentReading, texts: readonly string[]): Parsed<unknown> {
  try {
    if (complete === undefined) throw new Error(`kind ${kind} names texts and takes none`);
    return complete(spec, texts);
  } catch {
    // INVARIANT: no document ends the process. What was thrown is not told: it may quote a secret.
    const message = "document cannot be read together with the files and variables that it names";
    return { spec: undefined, findings: [finding(codes.invalidValue, [], message)] };
  }
}

/** What a chunk is said to be that is no resource at all. */
const noResource: ReadonlySet<string> = new Set(
  [codes.yamlSyntax, codes.notAnObject, codes.missingKind, codes.duplicateKey].map(({ code }) => code),
);

/** Whether a chunk is, or was meant to be, a resource. */
export function holdsResource({ reading: { documents, marks } }: Placement): boolean {
  return documents.length > 0 || marks.some(({ code }) => !noResource.has(code.code));
}
