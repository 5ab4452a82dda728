import { type Code, codes, type Finding, finding, show } from "../diagnostics/index.js";
import type { Parsed, Reference } from "../documents/index.js";
import { type DocumentReading, hashOf, type Placement } from "./reading.js";

/** A file that a document names. */
export interface FileReference {
  /** The configuration path that led to the document: the file must lie under it. */
  readonly root: string;
  /** The document's own file: a relative name starts beside it. */
  readonly document: string;
  readonly name: string;
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
export type ReferenceResolver = (placements: readonly Placement[]) => Resolved;

type Text = ReferencedFile | { readonly text: string };

/** Makes a resolver with a memory of its own. */
export function createReferenceResolver({ files, variable }: References): ReferenceResolver {
  const memory = new WeakMap<DocumentReading, { texts: readonly string[]; completed: Completed }>();

  const complete = (document: DocumentReading, found: readonly Text[]): Completed => {
    const findings = document.references.flatMap((reference, i) => faultOf(reference, found[i]));
    if (findings.length > 0 || document.spec === undefined) {
      return { document: { ...document, spec: undefined }, findings };
    }
    const texts = found.map(({ text }) => text ?? "");
    const known = memory.get(document);
    if (known?.texts.every((text, i) => text === texts[i])) return known.completed;
    const parsed = completeSpec(document, texts);
    const hash = `${document.hash}+${hashOf(JSON.stringify(texts))}`;
    const completed = { document: { ...document, hash, spec: parsed.spec }, findings: parsed.findings };
    memory.set(document, { texts, completed });
    return completed;
  };

  const readVariable = ({ name }: Reference): Text => {
    const text = variable(name);
    if (text !== undefined && text !== "") return { text };
    const message = `${variableName.test(name) ? `environment variable ${show(name)}` : "the environment variable named here"} is not set`;
    return { text: undefined, code: codes.variableMissing, message };
  };

  return (placements) => {
    // A document's text twice is one reading twice, and an error of its own: the first place counts.
    const naming = new Map<DocumentReading, Placement>();
    for (const placement of placements) {
      for (const document of placement.reading.documents) {
        if (document.references.length > 0 && !naming.has(document)) naming.set(document, placement);
      }
    }
    const wanted = [...naming].flatMap(([{ references }, { root, file }]) =>
      references
        .filter(({ kind }) => kind === "file")
        .map(({ name }): FileReference => ({ root, document: file, name })),
    );
    const read = files(wanted)[Symbol.iterator]();
    const completed = new Map<DocumentReading, Completed>();
    const named = new Map<string, DocumentReading>();
    for (const document of naming.keys()) {
      const found = document.references.map((reference): Text => {
        if (reference.kind === "env") return readVariable(reference);
        const file = read.next().value as ReferencedFile;
        if (file.text !== undefined) for (const path of file.paths) named.set(path, document);
        return file;
      });
      completed.set(document, complete(document, found));
    }
    return { completed, named };
  };
}

function faultOf({ path }: Reference, found: Text | undefined): Finding[] {
  return found?.text === undefined && found !== undefined ? [finding(found.code, path, found.message)] : [];
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
