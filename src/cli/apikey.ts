import { type ApiKey, createApiKey, isApiKeyId } from "../credentials/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import { type ApiKeysDocument, editApiKeys, type ResourceName, readApiKeys } from "./apikey-document.js";
import { readExpiry, readLabels } from "./apikey-flags.js";
import { editFile, readText } from "./edit-file.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** What the commands take from their surroundings. */
export interface ApiKeyPorts {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** So many unpredictable bytes. */
  readonly random: (size: number) => Uint8Array;
}

/** What all `gatehouse apikey` commands are told. */
export interface ApiKeyTarget {
  readonly file: string;
  /** Of the ApiKeys resource; needed when the file holds several. */
  readonly name?: string;
  readonly namespace?: string;
  readonly output: string;
}

/** Options of `gatehouse apikey create`. */
export interface CreateOptions extends ApiKeyTarget {
  readonly owner: string;
  /** `KEY=VALUE`. */
  readonly label: readonly string[];
  readonly expires?: string;
}

/** The resource of a file that names none. */
const defaults: ResourceName = { namespace: "default", name: "api-keys" };

/** Adds a key to a file, which is made if it is not there, and prints the key: it is in no file. */
export async function createKey(
  options: CreateOptions,
  streams: Streams,
  ports: ApiKeyPorts,
): Promise<ExitCode> {
  const isJson = wantsJson(options);
  if (options.owner === "") throw new GatehouseError("bad_flag", "the owner is empty, expected a name");
  const nowMs = ports.now();
  const labels = readLabels(options.label);
  const expires = options.expires === undefined ? undefined : readExpiry(options.expires, nowMs);
  const made = createApiKey(ports.random);
  const entry = {
    id: made.id,
    hash: made.hash,
    owner: options.owner,
    ...(Object.keys(labels).length > 0 && { labels }),
    created: timeText(nowMs),
    ...(expires !== undefined && { expires }),
  };
  let resource: ResourceName = defaults;
  await editFile(options.file, (text) => {
    const fresh = { ...defaults, ...named(options) };
    const edited = editApiKeys(text, { wanted: named(options), fresh }, (document) => {
      if (document.keys.some(({ id }) => id === made.id)) {
        throw new GatehouseError("source", "the new key's id is taken, try again");
      }
      document.add(entry);
      resource = document.resource;
    });
    return edited;
  });
  if (isJson) {
    const { id, owner } = entry;
    const report = { key: made.text, id, owner, labels, expires: expires ?? null, ...resource };
    streams.out(`${JSON.stringify({ ...report, file: options.file }, null, 2)}\n`);
    return exit.fine;
  }
  streams.out(`${made.text}\n`);
  const until = expires === undefined ? "without expiry" : `good until ${expires}`;
  streams.err(
    `key ${made.id} of ${options.owner}, ${until}, added to ApiKeys ${resource.namespace}/${resource.name}` +
      ` in ${options.file}; its text is shown only now\n`,
  );
  return exit.fine;
}

/** Marks a key as no longer good. 1 when the file does not know it. */
export async function revokeKey(
  id: string,
  options: ApiKeyTarget,
  streams: Streams,
  ports: ApiKeyPorts,
): Promise<ExitCode> {
  const isJson = wantsJson(options);
  // A whole key would have been sent here by mistake: it is not repeated.
  if (!isApiKeyId(id)) {
    throw new GatehouseError("bad_flag", "bad key id, expected the middle part of `gh_ID_SECRET` alone");
  }
  let resource: ResourceName = defaults;
  await editFile(options.file, (text) => {
    if (text === undefined) throw noFile(options.file);
    return editApiKeys(text, { wanted: named(options), holding: id }, (document) => {
      document.revoke(id, timeText(ports.now()));
      resource = document.resource;
    });
  });
  if (isJson)
    streams.out(`${JSON.stringify({ id, revoked: true, ...resource, file: options.file }, null, 2)}\n`);
  else streams.out(`key ${id} of ApiKeys ${resource.namespace}/${resource.name} is revoked\n`);
  return exit.fine;
}

/** Prints the keys of a file, without their hashes. */
export async function listKeys(
  options: ApiKeyTarget,
  streams: Streams,
  ports: ApiKeyPorts,
): Promise<ExitCode> {
  const isJson = wantsJson(options);
  const text = await readText(options.file);
  if (text === undefined) throw noFile(options.file);
  const documents = readApiKeys(text, named(options));
  const rows = documents.flatMap((document) => rowsOf(document, ports.now()));
  if (isJson) streams.out(`${JSON.stringify(rows, null, 2)}\n`);
  else streams.out(tableOf(rows));
  return exit.fine;
}

/** One key as it is listed. */
interface Row extends ResourceName {
  readonly id: string;
  readonly owner: string;
  readonly state: "active" | "expired" | "revoked";
  readonly created: string | null;
  readonly expires: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

function rowsOf({ resource, keys }: ApiKeysDocument, nowMs: number): Row[] {
  return keys.map((key) => ({
    id: key.id,
    owner: key.owner,
    state: stateOf(key, nowMs),
    created: key.createdMs === undefined ? null : timeText(key.createdMs),
    expires: key.expiresMs === undefined ? null : timeText(key.expiresMs),
    labels: key.labels,
    ...resource,
  }));
}

function stateOf({ revoked, expiresMs }: ApiKey, nowMs: number): Row["state"] {
  if (revoked) return "revoked";
  return expiresMs !== undefined && nowMs >= expiresMs ? "expired" : "active";
}

function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ id, owner, state, created, expires, labels, namespace, name }) => [
    id,
    oneLine(owner),
    state,
    created ?? "-",
    expires ?? "-",
    `${namespace}/${name}`,
    oneLine(
      Object.entries(labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(","),
    ),
  ]);
  const all = [["ID", "OWNER", "STATE", "CREATED", "EXPIRES", "RESOURCE", "LABELS"], ...cells];
  const widths = (all[0] ?? []).map((_, i) => Math.max(...all.map((row) => (row[i] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n`;
}

/** Names in a file may hold what moves a terminal's cursor. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

function wantsJson({ output }: ApiKeyTarget): boolean {
  if (output === "text" || output === "json") return output === "json";
  throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected text or json`);
}

function named({ name, namespace }: ApiKeyTarget): Partial<ResourceName> {
  return { ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) };
}

function noFile(file: string): GatehouseError {
  return new GatehouseError("source", `there is no file \`${file}\``);
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}
