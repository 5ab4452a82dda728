import {
  type Code,
  codes,
  type Diagnostic,
  fileDiagnostic,
  type Path,
  type TextPlace,
} from "../diagnostics/index.js";
import type { AuthorizationPolicy } from "../istio/index.js";
import { defaultRateLimitSettings, type RateLimitSettings } from "../ratelimit/index.js";
import { bodyFindings, quotasChargedLater } from "./body-checks.js";
import { splitDocuments } from "./documents.js";
import { createKindTable, type KindTable, type PreparePorts } from "./kinds.js";
import { defaultMesh, type Mesh } from "./mesh.js";
import { createPreparation, folderPolicy } from "./preparing.js";
import { rateLimitClashes, readRateLimits } from "./rate-limit-files.js";
import {
  type ChunkReading,
  type DocumentReading,
  hashOf,
  type Mark,
  type Placement,
  readChunk,
} from "./reading.js";
import {
  createReferenceResolver,
  holdsResource,
  noReferences,
  type References,
  type Resolved,
} from "./references.js";
import type { ConfigFiles, ConfigUpdate, RegoFolder, Resource, SourceFile } from "./resource.js";
import { telemetryFindings } from "./telemetry-checks.js";
import { insideScalar, locator, type Position } from "./yaml-nodes.js";

interface CatalogOptions {
  readonly table?: KindTable;
  /** Awaited often, so that a thread that also serves is not held up. */
  readonly pause: () => Promise<void>;
  readonly references?: References;
  /** Absent: a document that has to be compiled is an error. */
  readonly ports?: PreparePorts;
  /** How config files of envoyproxy/ratelimit are joined. */
  readonly rateLimit?: Pick<RateLimitSettings, "mergeDomains">;
}

/** Turns texts to resources, reading again only what changed. */
export interface Catalog {
  /** The step from the last good configuration to this one. Updates must come one after the other. */
  update(input: ConfigFiles): Promise<ConfigUpdate>;
}

interface FileReading {
  readonly text: string;
  readonly root: string;
  readonly placements: readonly Placement[];
}

/** Chunks between two pauses: 32 are about 5 ms of reading. */
const CHUNKS_PER_TURN = 32;

/** Makes a catalog that knows nothing yet. */
export function createCatalog({
  table = createKindTable(),
  pause,
  references = noReferences,
  ports = noPorts,
  rateLimit = defaultRateLimitSettings,
}: CatalogOptions): Catalog {
  const resolve = createReferenceResolver(references);
  const prepare = createPreparation(ports);
  const folders = new Map<string, Placement>();

  /** The same placement as long as nothing about it changes. */
  const folderOf = (folder: RegoFolder, rootNamespace: string): Placement => {
    const key = JSON.stringify([folder, rootNamespace]);
    const placement = folders.get(key) ?? folderPolicy(folder, rootNamespace, table);
    folders.set(key, placement);
    return placement;
  };

  let files: ReadonlyMap<string, FileReading> = new Map();
  let chunks: ReadonlyMap<string, ChunkReading> = new Map();
  let good: ReadonlyMap<string, Resource> = new Map();
  let turns = 0;

  const readFile = async (
    { path, text, root = path, isRateLimit }: SourceFile,
    known: Map<string, ChunkReading>,
  ): Promise<FileReading> => {
    const old = files.get(path);
    if (old?.text === text && old.root === root) {
      for (const { reading } of old.placements) known.set(reading.hash, reading);
      return old;
    }
    const placements: Placement[] = [];
    for (const chunk of isRateLimit ? [{ text, line: 1 }] : splitDocuments(text)) {
      const hash = isRateLimit ? `ratelimit:${hashOf(text)}` : hashOf(chunk.text);
      const reading =
        known.get(hash) ??
        chunks.get(hash) ??
        (isRateLimit ? readRateLimits(text, hash) : readChunk(chunk.text, hash, table));
      known.set(hash, reading);
      placements.push({ file: path, root, line: chunk.line, text: chunk.text, reading });
      if (++turns % CHUNKS_PER_TURN === 0) await pause();
    }
    return { text, root, placements };
  };

  return {
    async update(input) {
      const nextFiles = new Map<string, FileReading>();
      const nextChunks = new Map<string, ChunkReading>();
      for (const file of input.files) nextFiles.set(file.path, await readFile(file, nextChunks));
      files = nextFiles;
      chunks = nextChunks;
      await pause();
      const written = [...nextFiles.values()].flatMap((file) => file.placements);
      const mesh = meshAmong(written);
      const placements = [
        ...written,
        ...(input.rego ?? []).map((folder) => folderOf(folder, mesh.rootNamespace)),
      ];
      const resolved = await prepare(placements, resolve(placements, mesh.egress));
      const whole = assemble(placements, resolved, good, rateLimit);
      const diagnostics = [...input.diagnostics, ...emptyRoots(input, nextFiles), ...whole.diagnostics];
      const worst = worstOf(diagnostics);
      if (worst === "error") return { ok: false, upserts: [], removed: [], diagnostics, worst };
      const before = good;
      good = whole.resources;
      return {
        ok: true,
        upserts: [...good.values()].filter((resource) => before.get(resource.id) !== resource),
        removed: [...before.keys()].filter((id) => !good.has(id)),
        diagnostics,
        worst,
      };
    },
  };
}

function emptyRoots(
  { roots = [], files, diagnostics }: ConfigFiles,
  readings: ReadonlyMap<string, FileReading>,
): Diagnostic[] {
  const filled = new Set(
    files.filter(({ path }) => (readings.get(path)?.placements.length ?? 0) > 0).map(({ root }) => root),
  );
  // What the source says of a path is the better reason.
  const explained = new Set(diagnostics.map(({ file }) => file));
  return roots
    .filter((root) => !filled.has(root) && !explained.has(root))
    .map((root) => {
      const message = `no document found under \`${root}\`, expected at least one, or --allow-empty`;
      return fileDiagnostic(codes.sourceEmpty, root, message);
    });
}

interface Whole {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly diagnostics: readonly Diagnostic[];
}

const authorizationPolicies = "security.istio.io/AuthorizationPolicy/";
const requestAuthentications = "security.istio.io/RequestAuthentication/";
const meshes = "gatehouse.dev/Mesh/";
const regoPolicies = "gatehouse.dev/RegoPolicy/";

const noPorts: PreparePorts = {
  rego: {
    build: () => Promise.reject(new Error("Rego cannot be compiled here")),
    openBundle: () => Promise.reject(new Error("bundles cannot be opened here")),
  },
};

function meshAmong(placements: readonly Placement[]): Mesh {
  for (const { reading } of placements) {
    for (const { id, spec } of reading.documents) {
      if (id.startsWith(meshes) && spec !== undefined) return spec as Mesh;
    }
  }
  return defaultMesh;
}

/** Puts all documents together and looks at what only shows between them. */
function assemble(
  all: readonly Placement[],
  { completed, named }: Resolved,
  before: ReadonlyMap<string, Resource>,
  rateLimit: Pick<RateLimitSettings, "mergeDomains">,
): Whole {
  const placements = all.filter((placement) => !named.has(placement.file) || holdsResource(placement));
  const resources = new Map<string, Resource>();
  const diagnostics: Diagnostic[] = [];
  const meshDocuments: [Placement, DocumentReading][] = [];
  const authentications: [Placement, DocumentReading][] = [];
  const custom: [Placement, DocumentReading, AuthorizationPolicy][] = [];
  for (const placement of placements) {
    const namedBy = named.get(placement.file);
    if (namedBy !== undefined) diagnostics.push(namedDocument(placement, namedBy));
    for (const read of placement.reading.documents) {
      const { document = read, findings = [] } = completed.get(read) ?? {};
      const first = resources.get(document.id);
      if (first !== undefined) {
        const message = `${labelOf(document)} is already defined at ${first.origin.file}:${first.origin.line}`;
        diagnostics.push(
          diagnose(placement, document, codes.duplicateResource, ["metadata", "name"], message),
        );
        continue;
      }
      for (const { code, path, message, place } of findings) {
        diagnostics.push(diagnose(placement, document, code, path, message, place));
      }
      resources.set(document.id, toResource(placement, document, before));
      if (document.id.startsWith(meshes)) meshDocuments.push([placement, document]);
      if (document.id.startsWith(requestAuthentications)) authentications.push([placement, document]);
      if (document.spec === undefined || !document.id.startsWith(authorizationPolicies)) continue;
      const policy = document.spec as AuthorizationPolicy;
      if (policy.action === "CUSTOM") custom.push([placement, document, policy]);
    }
  }
  for (const [placement, document] of meshDocuments.slice(1)) {
    const message = `more than one Mesh, the first is ${meshDocuments[0]?.[1].name}`;
    diagnostics.push(diagnose(placement, document, codes.secondMesh, ["kind"], message));
  }
  const mesh = meshDocuments.length === 0 ? defaultMesh : (meshDocuments[0]?.[1].spec as Mesh | undefined);
  const chargedLater = quotasChargedLater(resources);
  for (const { reading, file, line } of placements) {
    for (const mark of reading.marks) {
      if (mark.code === codes.quotaWithoutCost && chargedLater.has(mark.resource ?? "")) continue;
      if (mark.code === codes.customNeedsIdentity && mesh?.settings.customSeesIdentity) continue;
      diagnostics.push(place(mark, file, line));
    }
  }
  if (mesh !== undefined) {
    diagnostics.push(...unknownProviders(custom, mesh));
    for (const place of meshDocuments.slice(0, 1))
      diagnostics.push(...unknownPolicies(place, mesh, resources));
    diagnostics.push(...telemetryFindings(placements, mesh, diagnose));
  }
  diagnostics.push(...bodyFindings(placements, resources, diagnose));
  diagnostics.push(...rateLimitClashes(placements, rateLimit, domainTaken));
  if (mesh?.settings.envoyJwtPayloadKey !== undefined) diagnostics.push(...authentications.map(notEvaluated));
  return { resources, diagnostics: diagnostics.sort(byPlace) };
}

function namedDocument({ file, line }: Placement, namedBy: DocumentReading): Diagnostic {
  const message = `file is named by ${labelOf(namedBy)} and holds a document, expected one or the other`;
  return { ...fileDiagnostic(codes.referencedDocument, file, message), line };
}

function notEvaluated([placement, document]: readonly [Placement, DocumentReading]): Diagnostic {
  const message = "not evaluated: `trustEnvoyJwt` in the Mesh leaves the verification of tokens to Envoy";
  return diagnose(placement, document, codes.leftToEnvoy, ["kind"], message);
}

function domainTaken(placement: Placement, document: DocumentReading, message: string): Diagnostic {
  const path = ["spec", "rateLimitService", "domain"];
  return diagnose(placement, document, codes.quotaDomainTaken, path, message);
}

function unknownProviders(
  custom: readonly [Placement, DocumentReading, AuthorizationPolicy][],
  mesh: Mesh,
): Diagnostic[] {
  const known = new Set(mesh.extensionProviders.map(({ name }) => name));
  return custom
    .filter(([, , { provider }]) => provider !== undefined && !known.has(provider))
    .map(([placement, document, { provider }]) => {
      const message = `provider \`${provider}\` is not among the Mesh's extensionProviders, requests that match are refused`;
      return diagnose(placement, document, codes.unknownProvider, ["spec", "provider", "name"], message);
    });
}

function unknownPolicies(
  [placement, document]: readonly [Placement, DocumentReading],
  { extensionProviders }: Mesh,
  resources: ReadonlyMap<string, Resource>,
): Diagnostic[] {
  return extensionProviders.flatMap(({ name, rego }, i) => {
    if (rego === undefined || resources.has(`${regoPolicies}${rego.policy}`)) return [];
    const message = `provider \`${name}\` names RegoPolicy \`${rego.policy}\`, which is not loaded; requests that CUSTOM policies send there are refused`;
    const path = ["spec", "extensionProviders", i, "rego", "policy"];
    return [diagnose(placement, document, codes.unknownRegoPolicy, path, message)];
  });
}

/** The same object as before, when nothing about it changed. */
function toResource(
  { file, line }: Placement,
  document: DocumentReading,
  before: ReadonlyMap<string, Resource>,
): Resource {
  const { id, kind, namespace, name, hash, spec } = document;
  const origin = { file, line: line + document.line - 1 };
  const old = before.get(id);
  const same = old?.hash === hash && old.origin.file === origin.file && old.origin.line === origin.line;
  return same ? old : { id, kind, namespace, name, origin, hash, spec };
}

/** Positions that were looked up, since looking up reads the chunk again. */
const found = new WeakMap<ChunkReading, Map<string, Position>>();

function diagnose(
  placement: Placement,
  document: DocumentReading,
  code: Code,
  below: Path,
  message: string,
  textPlace?: TextPlace,
): Diagnostic {
  const { reading, file, line, text } = placement;
  if (textPlace?.file !== undefined) {
    const { severity } = code;
    const at = { file: besides(file, textPlace.file), line: textPlace.line, column: textPlace.column };
    return { code: code.code, severity, message, ...at, resource: labelOf(document) };
  }
  if (placement.isMade)
    return place({ code, message, resource: labelOf(document), line: 1, column: 1 }, file, line);
  const path = [...document.path, ...below];
  const positions = found.get(reading) ?? new Map<string, Position>();
  found.set(reading, positions);
  const key = path.join("\n");
  const position = positions.get(key) ?? locator(text)(path, "value");
  positions.set(key, position);
  const inside = textPlace === undefined ? position : insideScalar(text, position, textPlace);
  return place({ code, message, resource: labelOf(document), ...inside }, file, line);
}

/** The name of a file that is relative to another one, unless it begins at the root. */
function besides(file: string, name: string): string {
  if (name.startsWith("/")) return name;
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  return folder + name.replace(/^(?:\.\/)+/, "");
}

function place({ code, message, line, column, resource }: Mark, file: string, start: number): Diagnostic {
  return {
    code: code.code,
    severity: code.severity,
    message,
    file,
    line: start + line - 1,
    column,
    ...(resource !== undefined && { resource }),
  };
}

function labelOf({ kind, namespace, name }: DocumentReading): string {
  return `${kind} ${namespace}/${name}`;
}

function byPlace(a: Diagnostic, b: Diagnostic): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}

function worstOf(diagnostics: readonly Diagnostic[]): ConfigUpdate["worst"] {
  if (diagnostics.some(({ severity }) => severity === "error")) return "error";
  return diagnostics.length > 0 ? "warning" : undefined;
}
