import { hash } from "node:crypto";
import {
  type Code,
  codes,
  type Diagnostic,
  type Finding,
  finding,
  hasErrors,
  type Path,
} from "../diagnostics/index.js";
import type { Parsed, Reference } from "../documents/index.js";
import { refuseObligations } from "../istio/index.js";
import { type Head, readHead } from "./head.js";
import type { Kind, KindTable } from "./kinds.js";
import { looksLikeRateLimits, readRateLimits } from "./rate-limit-files.js";
import { readYaml } from "./yaml.js";
import { insideScalar, type Locate, locator, type Position, type YamlProblem } from "./yaml-nodes.js";

/** Something to say about a chunk; its line counts from the chunk's first. */
export interface Mark extends Position {
  readonly code: Code;
  readonly message: string;
  /** `kind namespace/name`. */
  readonly resource: string | undefined;
}

/** One document of a chunk that is to be loaded; more than one only in a `v1 List`. */
export interface DocumentReading {
  /** `GROUP/KIND/NAMESPACE/NAME`. */
  readonly id: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly hash: string;
  /** Undefined when it has errors. */
  readonly spec: unknown;
  /** Texts that the spec lacks; the document's file decides what they are, so they are not looked at here. */
  readonly references: readonly Reference[];
  readonly complete: Kind["complete"];
  readonly prepare: Kind["prepare"];
  /** Where the document stands in its chunk. */
  readonly path: Path;
  readonly line: number;
}

/** What a chunk says, wherever it stands. */
export interface ChunkReading {
  readonly hash: string;
  readonly documents: readonly DocumentReading[];
  readonly marks: readonly Mark[];
}

/** Says something of a part of a document, at its place in the file. */
export type Diagnose = (
  placement: Placement,
  document: DocumentReading,
  code: Code,
  below: Path,
  message: string,
) => Diagnostic;

/** A chunk where it stands. */
export interface Placement {
  readonly file: string;
  /** The configuration path that led to the file. */
  readonly root: string;
  readonly line: number;
  readonly text: string;
  readonly reading: ChunkReading;
  /** Its text stands in no file: what is said of it is said of `file` as a whole. */
  readonly isMade?: true;
}

/** Names a text by its content. */
export function hashOf(text: string): string {
  return hash("sha1", text, "base64");
}

/** Reads a chunk's documents; positions are looked up only when there is something to say. */
export function readChunk(text: string, chunkHash: string, table: KindTable): ChunkReading {
  // A copy of its own: values are slices of it and would otherwise keep the whole file in memory.
  const own = Buffer.from(text).toString();
  if (looksLikeRateLimits(own)) return readRateLimits(own, chunkHash);
  const { value, problems } = readYaml(own);
  if (hasErrors(problems)) {
    return { hash: chunkHash, documents: [], marks: problems.map(toMark) };
  }
  const marks: Mark[] = problems.map(toMark);
  let locate: Locate | undefined;
  const locateOnce: Locate = (path, part) => {
    locate ??= locator(own);
    return locate(path, part);
  };
  const documents = itemsOf(value).flatMap(({ item, path }, i): DocumentReading[] => {
    const read = readDocument(item, table);
    const label = labelOf(read);
    for (const { code, message, path: below, place } of read.findings) {
      const part = code === codes.unknownField ? "key" : "value";
      const position = locateOnce([...path, ...below], part);
      const inside = place === undefined ? position : insideScalar(own, position, place);
      marks.push({ code, message, resource: label, ...inside });
    }
    const { document, group } = read.head;
    if (document === undefined || document.name === "") return [];
    const { kind, namespace, name } = document;
    const line = path.length === 0 ? 1 : locateOnce(path, "value").line;
    const id = `${group}/${kind}/${namespace}/${name}`;
    const hash = path.length === 0 ? chunkHash : `${chunkHash}:${i}`;
    const { spec, references, complete, prepare } = read;
    return [{ id, kind, namespace, name, hash, spec, references, complete, prepare, path, line }];
  });
  return { hash: chunkHash, documents, marks };
}

interface Read {
  readonly head: Head;
  readonly spec: unknown;
  readonly findings: readonly Finding[];
  readonly references: readonly Reference[];
  readonly complete: Kind["complete"];
  readonly prepare: Kind["prepare"];
}

const noReferences: readonly Reference[] = [];

function readDocument(value: unknown, table: KindTable): Read {
  const head = readHead(value, table);
  const { document, group } = head;
  if (document === undefined) {
    const { findings } = head;
    const nothing = { references: noReferences, complete: undefined, prepare: undefined };
    return { head, spec: undefined, findings, ...nothing };
  }
  const kind = table.find(group, document.kind);
  let parsed: Parsed<unknown>;
  try {
    parsed = kind?.parse(document) ?? { spec: undefined, findings: [] };
  } catch (error) {
    // INVARIANT: no document ends the process; what cannot be read is an error of the document.
    const message = `document cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    parsed = { spec: undefined, findings: [finding(codes.invalidValue, [], message)] };
  }
  const misplaced: Finding[] = [];
  if (document.kind !== "AuthorizationPolicy") refuseObligations(document, misplaced);
  const failed = hasErrors([...head.findings, ...misplaced]);
  return {
    head,
    spec: failed ? undefined : parsed.spec,
    findings: [...head.findings, ...misplaced, ...parsed.findings],
    references: parsed.references ?? noReferences,
    complete: kind?.complete,
    prepare: kind?.prepare,
  };
}

/** Opens a `v1 List`, also one within another. */
function itemsOf(value: unknown, path: Path = []): { item: unknown; path: Path }[] {
  if (value === undefined) return [];
  if (typeof value === "object" && value !== null && "kind" in value && value.kind === "List") {
    const list = value as Readonly<Record<string, unknown>>;
    const items = list["items"];
    if (list["apiVersion"] === "v1" && Array.isArray(items)) {
      return items.flatMap((item, i) => itemsOf(item ?? null, [...path, "items", i]));
    }
  }
  return [{ item: value, path }];
}

function labelOf({ head: { document, findings } }: Read): string | undefined {
  if (document === undefined || document.name === "") return undefined;
  // Only a name that is one: anything may stand there by mistake.
  if (findings.some(({ code }) => code === codes.invalidName)) return undefined;
  return `${document.kind} ${document.namespace}/${document.name}`;
}

function toMark({ code, message, line, column }: YamlProblem): Mark {
  return { code, message, line, column, resource: undefined };
}
