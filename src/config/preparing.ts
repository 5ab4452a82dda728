import { codes, hasErrors } from "../diagnostics/index.js";
import type { KindTable, PreparePorts } from "./kinds.js";
import { type DocumentReading, hashOf, type Placement, readChunk } from "./reading.js";
import type { Completed, Resolved } from "./references.js";
import type { RegoFolder } from "./resource.js";

/** Makes documents ready whose kind needs it, again only what changed. */
export type Preparation = (placements: readonly Placement[], resolved: Resolved) => Promise<Resolved>;

/** A preparation with a memory of its own. */
export function createPreparation(ports: PreparePorts): Preparation {
  const memory = new WeakMap<DocumentReading, Completed>();
  /** What was made last of a resource, by its id. */
  const last = new Map<string, unknown>();

  const prepare = async (document: DocumentReading): Promise<Completed> => {
    const known = memory.get(document);
    if (known !== undefined) return known;
    const parsed = await document.prepare?.(document.spec, ports, last.get(document.id));
    const { spec, findings = [] } = parsed ?? { spec: document.spec };
    const prepared = { document: { ...document, spec: hasErrors(findings) ? undefined : spec }, findings };
    if (prepared.document.spec !== undefined) last.set(document.id, prepared.document.spec);
    // A compiler that gave no answer may give one the next time.
    if (!findings.some(({ code }) => code === codes.regoCompiler)) memory.set(document, prepared);
    return prepared;
  };

  return async (placements, { completed, named }) => {
    const all = new Map(completed);
    const seen = new Set<string>();
    for (const { reading } of placements) {
      for (const read of reading.documents) {
        if (read.prepare === undefined) continue;
        seen.add(read.id);
        const { document, findings }: Completed = completed.get(read) ?? { document: read, findings: [] };
        if (document.spec === undefined) continue;
        const prepared = await prepare(document);
        all.set(read, { ...prepared, findings: [...findings, ...prepared.findings] });
      }
    }
    for (const id of last.keys()) if (!seen.has(id)) last.delete(id);
    return { completed: all, named };
  };
}

/** The RegoPolicy that a folder stands for: of its name, for the whole mesh. */
export function folderPolicy({ path, name }: RegoFolder, rootNamespace: string, table: KindTable): Placement {
  const id =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .slice(0, 63)
      .replace(/^-+|-+$/g, "") || "rego";
  const text = JSON.stringify({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "RegoPolicy",
    metadata: { name: id, namespace: rootNamespace },
    spec: { path: name },
  });
  return {
    file: path,
    root: path,
    line: 1,
    text,
    reading: readChunk(text, hashOf(text), table),
    isMade: true,
  };
}
