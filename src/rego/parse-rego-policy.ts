import { Buffer } from "node:buffer";
import { z } from "zod";
import { jsonText as textOf } from "../builtins/index.js";
import { codes, type Finding, finding, hasErrors } from "../diagnostics/index.js";
import {
  asFields,
  attachmentFields,
  durationMs,
  durationWithin,
  type Parsed,
  parseHttpUrl,
  parseWith,
  type Reference,
  type ResourceDocument,
  readAttachment,
} from "../documents/index.js";
import { queryOfEntrypoint } from "./entrypoint.js";
import { joinData, readFolder, readJson } from "./folder.js";
import type { BundleSource, ModuleSource, RegoPolicy } from "./rego-policy.js";

const filled = z.string().min(1, "empty value, expected a non-empty string");
const mebibyte = 1024 * 1024;

const bundle = z.strictObject({
  file: filled.optional(),
  url: filled.refine((text) => parseHttpUrl(text) !== undefined, "expected an http or https URL").optional(),
  pollInterval: durationMs.prefault("60s"),
  timeout: durationWithin("1ms", "5m").prefault("10s"),
  maxBytes: z
    .int()
    .min(1)
    .max(512 * mebibyte)
    .default(64 * mebibyte),
  publicKeyFile: filled.optional(),
  algorithm: filled.optional(),
  scope: filled.optional(),
});

const fields = z.strictObject({
  providerOnly: z.boolean().default(false),
  modules: z.record(z.string(), z.string()).optional(),
  path: filled.optional(),
  bundle: bundle.optional(),
  entrypoint: z.string().optional(),
  query: filled.optional(),
  data: z.record(z.string(), z.unknown()).default({}),
  regoVersion: z.enum(["v0", "v1"]).default("v1"),
  timeout: durationWithin("1ms", "5s").prefault("100ms"),
  maxMemoryBytes: z
    .int()
    .min(2 * mebibyte)
    .max(2048 * mebibyte)
    .default(256 * mebibyte),
  failOpen: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  parseBody: z.boolean().default(true),
  protoDescriptor: filled.optional(),
});

type Spec = z.output<typeof fields>;

/** OPA-Envoy's `path` when nothing is said. */
const defaultEntrypoint = "envoy/authz/allow";

/**
 * Parses a `gatehouse.dev` RegoPolicy. What it names (folder, bundle, key, descriptor) are references, see
 * {@link completeRegoPolicy}; what its modules say, {@link prepareRegoPolicy} finds out.
 */
export function parseRegoPolicy(document: ResourceDocument): Parsed<RegoPolicy> {
  const findings: Finding[] = [];
  const given = asFields(document.spec ?? {}, ["spec"], findings);
  if (given === undefined) return { spec: undefined, findings };
  const attached = readAttachment(given, ["spec"], findings);
  const attachment: ReadonlySet<string> = new Set(attachmentFields);
  const own = Object.fromEntries(Object.entries(given).filter(([name]) => !attachment.has(name)));
  const { spec, findings: others } = parseWith(fields, own, ["spec"]);
  findings.push(...others);
  if (spec === undefined) return { spec: undefined, findings };
  findings.push(...checkSources(spec), ...checkQuery(spec));
  if (hasErrors(findings)) return { spec: undefined, findings };
  const references = referencesOf(spec);
  return {
    spec: {
      namespace: document.namespace,
      name: document.name,
      ...attached,
      providerOnly: spec.providerOnly,
      dryRun: spec.dryRun,
      failOpen: spec.failOpen,
      limits: { timeoutMs: spec.timeout, memoryBytes: spec.maxMemoryBytes },
      parseBody: spec.parseBody,
      protoDescriptor: undefined,
      regoVersion: spec.regoVersion,
      query: spec.query ?? queryOfEntrypoint(spec.entrypoint ?? defaultEntrypoint),
      queryField: spec.query === undefined ? "entrypoint" : "query",
      source: sourceOf(spec),
      modules: spec.modules ?? {},
      baseData: JSON.stringify(spec.data),
      program: undefined,
      data: [],
    },
    findings,
    ...(references.length > 0 && { references }),
  };
}

function checkSources({ modules, path, bundle: given }: Spec): Finding[] {
  const named = Object.entries({ modules, path, bundle: given })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (named.length === 0) {
    const message =
      "one of `modules`, `path` and `bundle` is missing, expected one that says what the policy is";
    return [finding(codes.missingField, ["spec"], message)];
  }
  if (named[1] !== undefined) {
    const message = `\`${named[1]}\` stands beside \`${named[0]}\`, expected one of modules, path and bundle`;
    return [finding(codes.conflictingFields, ["spec", named[1]], message)];
  }
  if (modules !== undefined && Object.keys(modules).length === 0) {
    return [finding(codes.emptyValue, ["spec", "modules"], "`modules` is empty, expected a module")];
  }
  if (given === undefined) return [];
  if ((given.file === undefined) === (given.url === undefined)) {
    const message = "expected one of `file` and `url`";
    return [finding(codes.conflictingFields, ["spec", "bundle"], message)];
  }
  const isPlain = given.url !== undefined && parseHttpUrl(given.url)?.protocol === "http:";
  if (isPlain && given.publicKeyFile === undefined) {
    const message =
      "the bundle is asked for over http and no signature is asked for, so whoever is on the way writes the policy; expected https or `publicKeyFile`";
    return [finding(codes.unsignedBundle, ["spec", "bundle", "url"], message)];
  }
  return [];
}

function checkQuery({ entrypoint, query }: Spec): Finding[] {
  if (entrypoint !== undefined && query !== undefined) {
    const message = "`query` stands beside `entrypoint`, expected one of them";
    return [finding(codes.conflictingFields, ["spec", "query"], message)];
  }
  if (entrypoint === undefined || queryOfEntrypoint(entrypoint) !== "data") return [];
  const message =
    "`entrypoint` names all of `data`, expected a rule or a package, for example `envoy/authz/allow`";
  return [finding(codes.invalidValue, ["spec", "entrypoint"], message)];
}

/** In the order in which {@link completeRegoPolicy} takes their texts. */
function referencesOf({ path, bundle: given, protoDescriptor }: Spec): Reference[] {
  const references: Reference[] = [];
  if (path !== undefined) references.push({ kind: "folder", name: path, path: ["spec", "path"] });
  if (given?.file !== undefined) {
    const { file: name, maxBytes } = given;
    references.push({ kind: "bytes", name, maxBytes, path: ["spec", "bundle", "file"] });
  }
  if (given?.url !== undefined) {
    const { url: name, pollInterval: pollMs, timeout: timeoutMs, maxBytes } = given;
    const download = { pollMs, timeoutMs };
    references.push({ kind: "download", name, maxBytes, download, path: ["spec", "bundle", "url"] });
  }
  if (given?.publicKeyFile !== undefined) {
    references.push({ kind: "file", name: given.publicKeyFile, path: ["spec", "bundle", "publicKeyFile"] });
  }
  if (protoDescriptor !== undefined) {
    const path = ["spec", "protoDescriptor"];
    references.push({ kind: "bytes", name: protoDescriptor, maxBytes: 16 * mebibyte, path });
  }
  return references;
}

function sourceOf({ path, bundle: given }: Spec): ModuleSource {
  if (path !== undefined) return { kind: "folder", path };
  if (given === undefined) return { kind: "inline" };
  const { algorithm, scope, publicKeyFile } = given;
  return {
    kind: "bundle",
    field: given.file === undefined ? "url" : "file",
    content: "",
    maxBytes: given.maxBytes,
    verification: publicKeyFile === undefined ? undefined : { key: "", algorithm, scope },
  };
}

/** Puts in what the document names, in the order of its references. */
export function completeRegoPolicy(spec: RegoPolicy, texts: readonly string[]): Parsed<RegoPolicy> {
  const left = [...texts];
  const next = (): string => left.shift() ?? "";
  const filledIn = fillSource(spec, next);
  const descriptor = left.shift();
  if (filledIn.spec === undefined || descriptor === undefined) return filledIn;
  const protoDescriptor = new Uint8Array(Buffer.from(descriptor, "base64"));
  return { spec: { ...filledIn.spec, protoDescriptor }, findings: filledIn.findings };
}

function fillSource(spec: RegoPolicy, next: () => string): Parsed<RegoPolicy> {
  const { source } = spec;
  if (source.kind === "inline") return { spec, findings: [] };
  if (source.kind === "folder") return fillFolder(spec, source.path, next());
  const content = next();
  const { verification } = source;
  const filledIn: BundleSource = {
    ...source,
    content,
    verification: verification === undefined ? undefined : { ...verification, key: next() },
  };
  return { spec: { ...spec, source: filledIn }, findings: [] };
}

function fillFolder(spec: RegoPolicy, path: string, text: string): Parsed<RegoPolicy> {
  const files = JSON.parse(text) as [string, string][];
  const { content, findings } = readFolder(files, path);
  if (hasErrors(findings)) return { spec: undefined, findings };
  if (Object.keys(content.modules).length === 0) {
    const message = `folder \`${path}\` has no module, expected a file that ends in .rego`;
    return { spec: undefined, findings: [finding(codes.emptyValue, ["spec", "path"], message)] };
  }
  return withData({ ...spec, modules: content.modules }, content.data, ["spec", "data"]);
}

/** The policy with further base documents; `data` is JSON. */
export function withData(
  spec: RegoPolicy,
  data: string,
  path: readonly (string | number)[],
): Parsed<RegoPolicy> {
  try {
    const joined = joinData(readJson(data), readJson(spec.baseData));
    return { spec: { ...spec, baseData: textOf(joined) }, findings: [] };
  } catch (error) {
    const why = error instanceof Error ? error.message : "cannot be read";
    return { spec: undefined, findings: [finding(codes.regoData, path, why)] };
  }
}
