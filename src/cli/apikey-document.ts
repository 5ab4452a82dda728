import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  Pair,
  parseAllDocuments,
  Scalar,
  type ToStringOptions,
  YAMLMap,
  YAMLSeq,
} from "yaml";
import { type ApiKey, type ApiKeys, parseApiKeys } from "../credentials/index.js";
import { codes, GatehouseError } from "../diagnostics/index.js";

/** Which resource of a file. */
export interface ResourceName {
  readonly namespace: string;
  readonly name: string;
}

/** An ApiKeys document of a file. */
export interface ApiKeysDocument {
  readonly resource: ResourceName;
  readonly keys: readonly ApiKey[];
}

/** A key as it is written. */
export type KeyEntry = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

/** An ApiKeys document that can be changed; comments and all else in its file stay. */
export interface EditableApiKeys extends ApiKeysDocument {
  add(entry: KeyEntry): void;
  revoke(id: string, time: string): void;
}

/** Which document of a file is meant. */
export interface Choice {
  readonly wanted: Partial<ResourceName>;
  /** Of several that are wanted, the one that has this key. */
  readonly holding?: string;
  /** The document to make when the file is empty or not there. */
  readonly fresh?: ResourceName;
}

/** The ApiKeys documents of a text that fit `wanted`. Throws `source` when one cannot be read. */
export function readApiKeys(text: string, wanted: Partial<ResourceName>): ApiKeysDocument[] {
  return ourDocuments(parse(text)).filter(({ resource }) => fits(resource, wanted));
}

/**
 * The text with one of its ApiKeys documents changed. Throws `source` when the text is not ours to change: no
 * ApiKeys document, one with errors, several that could be meant, or one in which the change would do anything but
 * what was asked for (where an alias stands for a key, say).
 */
export function editApiKeys(
  text: string | undefined,
  choice: Choice,
  change: (document: EditableApiKeys) => void,
): string {
  const before = text === undefined || isBlank(text) ? newText(choice, text ?? "") : text;
  const documents = parse(before);
  const ours = ourDocuments(documents);
  const chosen = choose(ours, choice);
  const rest = documents.map(withoutKeys);
  let keys = chosen.keys;
  change(
    editable(chosen, (edit) => {
      keys = edit(keys);
    }),
  );
  const after = replaceDocument(before, documents, chosen.document);
  const expected = ours.map((one) => ({ resource: one.resource, keys: one === chosen ? keys : one.keys }));
  const reread = parse(after);
  const found = ourDocuments(reread).map((one) => ({ resource: one.resource, keys: one.keys }));
  if (isSame(found, expected) && isSame(reread.map(withoutKeys), rest)) return after;
  const message = "the keys cannot be changed as the file is written (does it hold aliases?)";
  throw new GatehouseError("source", `${message}, nothing was changed`);
}

/** What no change of keys may touch. */
function withoutKeys(document: Document.Parsed): unknown {
  const value = fieldsOf(document.toJS());
  return isOurs(value) ? { ...value, spec: { ...fieldsOf(value["spec"]), keys: [] } } : value;
}

/** Of plain data with the same order of fields. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** All other documents stay byte by byte. */
function replaceDocument(
  text: string,
  documents: readonly Document.Parsed[],
  changed: Document.Parsed,
): string {
  // A document's own range leaves out the comments before it.
  const start = documents[documents.indexOf(changed) - 1]?.range[2] ?? 0;
  const end = changed.range[2];
  const old = text.slice(start, end);
  const lineEnds = /[\r\n]*$/.exec(old)?.[0] || "\n";
  const made = changed.toString(formatOf(old)).replace(/\n*$/, "");
  return text.slice(0, start) + made + lineEnds + text.slice(end);
}

interface Ours extends ApiKeysDocument {
  readonly document: Document.Parsed;
}

function parse(text: string): Document.Parsed[] {
  const documents = parseAllDocuments(text, { version: "1.2", keepSourceTokens: false });
  const list = Array.isArray(documents) ? [...documents] : [];
  const error = list.flatMap(({ errors }) => errors)[0];
  if (error === undefined) return list;
  const line = error.linePos?.[0].line ?? 1;
  throw new GatehouseError("source", `the file is no valid YAML at line ${line}, nothing was changed`);
}

function ourDocuments(documents: readonly Document.Parsed[]): Ours[] {
  return documents.flatMap((document) => {
    const value = fieldsOf(document.toJS());
    if (!isOurs(value)) return [];
    const { metadata, spec } = value;
    const { name, namespace = "default" } = fieldsOf(metadata);
    if (typeof name !== "string" || typeof namespace !== "string") {
      throw new GatehouseError("source", "an ApiKeys document has no name, nothing was changed");
    }
    const resource = { namespace, name };
    return [{ document, resource, keys: readSpec(resource, spec).keys }];
  });
}

function isOurs({ apiVersion, kind }: Readonly<Record<string, unknown>>): boolean {
  return kind === "ApiKeys" && apiVersion === "gatehouse.dev/v1alpha1";
}

function readSpec({ namespace, name }: ResourceName, spec: unknown): ApiKeys {
  const head = { apiVersion: "gatehouse.dev/v1alpha1", kind: "ApiKeys", annotations: new Map() };
  const parsed = parseApiKeys({ ...head, namespace, name, spec });
  if (parsed.spec !== undefined) return parsed.spec;
  const reason = parsed.findings.find(({ code }) => code.severity === "error");
  // The name of an unknown field may be a key by mistake.
  const path = reason?.code === codes.unknownField ? reason.path.slice(0, -1) : reason?.path;
  const place = path?.join(".") ?? "spec";
  const message = `ApiKeys ${namespace}/${name} is not valid at ${place}: ${reason?.message ?? "unknown"}`;
  throw new GatehouseError("source", `${message}, nothing was changed`);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function choose(ours: readonly Ours[], { wanted, holding }: Choice): Ours {
  const fitting = ours.filter(({ resource }) => fits(resource, wanted));
  const found =
    holding === undefined ? fitting : fitting.filter(({ keys }) => keys.some(({ id }) => id === holding));
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  if (first !== undefined) {
    const names = found.map(({ resource }) => `${resource.namespace}/${resource.name}`).join(", ");
    throw new GatehouseError("source", `several could be meant (${names}), expected --name and --namespace`);
  }
  if (fitting.length > 0) throw new GatehouseError("source", `there is no key \`${holding}\` in the file`);
  const which = [wanted.namespace, wanted.name].filter((part) => part !== undefined).join("/");
  throw new GatehouseError(
    "source",
    `the file holds no ApiKeys document${which === "" ? "" : ` \`${which}\``}`,
  );
}

function fits(resource: ResourceName, { namespace, name }: Partial<ResourceName>): boolean {
  return (
    (namespace ?? resource.namespace) === resource.namespace && (name ?? resource.name) === resource.name
  );
}

type Keys = readonly ApiKey[];

/** `tell` gets what each change means for the keys. */
function editable(
  { document, resource, keys }: Ours,
  tell: (edit: (keys: Keys) => Keys) => void,
): EditableApiKeys {
  return {
    resource,
    keys,
    add(entry) {
      const added = readSpec(resource, { keys: [entry] }).keys;
      tell((before) => [...before, ...added]);
      if (!isMap(document.get("spec"))) document.set("spec", new YAMLMap());
      const list = document.getIn(["spec", "keys"]);
      const entries = isSeq(list) ? list : new YAMLSeq();
      if (list !== entries) document.setIn(["spec", "keys"], entries);
      // `keys: []` would else grow to the right.
      if (entries.items.length === 0) entries.flow = false;
      entries.add(mapOf(entry));
    },
    revoke(id, time) {
      const index = keys.findIndex((key) => key.id === id);
      if (keys[index]?.revoked === true) return;
      tell((before) => before.map((key) => (key.id === id ? { ...key, revoked: true } : key)));
      const entry = document.getIn(["spec", "keys", index]);
      if (isMap(entry)) entry.add(new Pair(new Scalar("revoked"), textNode(time)));
    },
  };
}

function mapOf(entry: KeyEntry): YAMLMap {
  const map = new YAMLMap();
  for (const [name, value] of Object.entries(entry)) {
    if (typeof value === "string") map.add(new Pair(new Scalar(name), textNode(value)));
    else {
      const labels = new YAMLMap();
      for (const [label, text] of Object.entries(value))
        labels.add(new Pair(textNode(label), textNode(text)));
      map.add(new Pair(new Scalar(name), labels));
    }
  }
  return map;
}

/** What no reader of YAML, of 1.1 either, takes for anything but a text. */
const plain = /^[A-Za-z][\w@.$-]*$/;
const notText = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

function textNode(text: string): Scalar<string> {
  const scalar = new Scalar(text);
  scalar.type = plain.test(text) && !notText.test(text) ? Scalar.PLAIN : Scalar.QUOTE_DOUBLE;
  return scalar;
}

/** Comments and markers only: then the new document is put behind them. */
function isBlank(text: string): boolean {
  return parse(text).every(
    ({ contents }) => contents === null || (isScalar(contents) && contents.value === null),
  );
}

function newText({ fresh }: Choice, text: string): string {
  if (fresh === undefined) return text;
  const { name, namespace } = fresh;
  const head = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  return `${head}apiVersion: gatehouse.dev/v1alpha1
kind: ApiKeys
metadata:
  name: ${JSON.stringify(name)}
  namespace: ${JSON.stringify(namespace)}
spec:
  keys: []
`;
}

/** Long texts are not folded, and lists and braces stay as the file has them. */
function formatOf(text: string): ToStringOptions {
  return {
    lineWidth: 0,
    indentSeq: !/^( *)[^\s#-][^\n]*:[ \t]*\r?\n\1- /m.test(text),
    flowCollectionPadding: /\{ \S/.test(text),
  };
}
