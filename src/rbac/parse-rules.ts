import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { fieldOf, type Message, messageList, pathOf, readInteger, readMessage } from "../documents/index.js";
import type { Int32Range } from "../matchers/index.js";
import type { Permission, Principal } from "./model.js";
import { mayNest, type Reader, readOneof, type Unanswerable } from "./oneof.js";
import {
  as,
  readCidr,
  readField,
  readHeader,
  readPath,
  readRange,
  readString,
  readUriTemplate,
} from "./parse-matcher.js";
import { readMetadata, readSourcedMetadata } from "./parse-metadata.js";

const noPermissions: Unanswerable = { matcher: "it is an extension inside Envoy" };
const noPrincipals: Unanswerable = {
  filterState: "filter state stays inside Envoy",
  custom: "it is an extension inside Envoy; `authenticated` asks for the client certificate",
};

type Read<Node> = (value: unknown, at: Path, depth: number, out: Finding[]) => Node | undefined;

const leafPermissions: Readonly<Record<string, Reader<Permission>>> = {
  any: readAny,
  header: (m, f, out) => as(readHeader(m, f, out), (header) => ({ header })),
  urlPath: (m, f, out) => as(readPath(m, f, out), (urlPath) => ({ urlPath })),
  uriTemplate: (m, f, out) => as(readUriTemplate(m, f, out), (uriTemplate) => ({ uriTemplate })),
  destinationIp: (m, f, out) => as(readCidr(m, f, out), (destinationIp) => ({ destinationIp })),
  destinationPort: (m, f, out) => ({
    destinationPort: readInteger(fieldOf(m, f), pathOf(m, f), out, [0, 65535]),
  }),
  destinationPortRange: (m, f, out) =>
    as(readPortRange(m, f, out), (destinationPortRange) => ({ destinationPortRange })),
  metadata: (m, f, out) => as(readMetadata(m, f, out), (metadata) => ({ metadata })),
  sourcedMetadata: (m, f, out) =>
    as(readSourcedMetadata(m, f, out), (sourcedMetadata) => ({ sourcedMetadata })),
  requestedServerName: (m, f, out) =>
    as(readString(m, f, out), (requestedServerName) => ({ requestedServerName })),
};

const authenticatedFields: ReadonlySet<string> = new Set(["principalName"]);

const leafPrincipals: Readonly<Record<string, Reader<Principal>>> = {
  any: readAny,
  // Without a name any client of a TLS connection is meant, with or without a certificate, as in Envoy.
  authenticated: (m, f, out) => {
    const message = readField(m, f, authenticatedFields, out);
    if (message === undefined) return undefined;
    if (!message.written.has("principalName")) return { authenticated: {} };
    const name = readString(message, "principalName", out);
    return as(name, (principalName) => ({ authenticated: { principalName } }));
  },
  sourceIp: (m, f, out) => as(readCidr(m, f, out), (sourceIp) => ({ sourceIp })),
  directRemoteIp: (m, f, out) => as(readCidr(m, f, out), (directRemoteIp) => ({ directRemoteIp })),
  remoteIp: (m, f, out) => as(readCidr(m, f, out), (remoteIp) => ({ remoteIp })),
  header: (m, f, out) => as(readHeader(m, f, out), (header) => ({ header })),
  urlPath: (m, f, out) => as(readPath(m, f, out), (urlPath) => ({ urlPath })),
  metadata: (m, f, out) => as(readMetadata(m, f, out), (metadata) => ({ metadata })),
  sourcedMetadata: (m, f, out) =>
    as(readSourcedMetadata(m, f, out), (sourcedMetadata) => ({ sourcedMetadata })),
};

const permissionFields = fieldsOf(leafPermissions, ["andRules", "orRules", "notRule"], noPermissions);
const principalFields = fieldsOf(leafPrincipals, ["andIds", "orIds", "notId"], noPrincipals);

function fieldsOf(leaves: object, sets: readonly string[], unanswerable: object): ReadonlySet<string> {
  return new Set([...sets, ...Object.keys(leaves), ...Object.keys(unanswerable)]);
}

/** `envoy.config.rbac.v3.Permission`. */
export function readPermission(
  value: unknown,
  at: Path,
  depth: number,
  out: Finding[],
): Permission | undefined {
  const message = mayNest(depth, at, out) ? readMessage(value, at, out, permissionFields) : undefined;
  if (message === undefined) return undefined;
  const readers: Readonly<Record<string, Reader<Permission>>> = {
    andRules: (m, f) =>
      as(readSet(m, f, "rules", readPermission, depth, out), (rules) => ({ andRules: { rules } })),
    orRules: (m, f) =>
      as(readSet(m, f, "rules", readPermission, depth, out), (rules) => ({ orRules: { rules } })),
    notRule: (m, f) =>
      as(readPermission(fieldOf(m, f), pathOf(m, f), depth + 1, out), (notRule) => ({ notRule })),
    ...leafPermissions,
  };
  return readOneof(message, readers, noPermissions, out);
}

/** `envoy.config.rbac.v3.Principal`. */
export function readPrincipal(
  value: unknown,
  at: Path,
  depth: number,
  out: Finding[],
): Principal | undefined {
  const message = mayNest(depth, at, out) ? readMessage(value, at, out, principalFields) : undefined;
  if (message === undefined) return undefined;
  const readers: Readonly<Record<string, Reader<Principal>>> = {
    andIds: (m, f) => as(readSet(m, f, "ids", readPrincipal, depth, out), (ids) => ({ andIds: { ids } })),
    orIds: (m, f) => as(readSet(m, f, "ids", readPrincipal, depth, out), (ids) => ({ orIds: { ids } })),
    notId: (m, f) => as(readPrincipal(fieldOf(m, f), pathOf(m, f), depth + 1, out), (notId) => ({ notId })),
    ...leafPrincipals,
  };
  return readOneof(message, readers, noPrincipals, out);
}

function readSet<Node>(
  owner: Message,
  field: string,
  items: "rules" | "ids",
  read: Read<Node>,
  depth: number,
  out: Finding[],
): readonly Node[] | undefined {
  const message = readField(owner, field, new Set([items]), out);
  return message && readNodes(message, items, read, depth + 1, out);
}

/** A list that must not be empty. */
export function readNodes<Node>(
  message: Message,
  field: string,
  read: Read<Node>,
  depth: number,
  out: Finding[],
): readonly Node[] {
  const at = pathOf(message, field);
  const items = messageList(message, field, out);
  const value = fieldOf(message, field);
  if (items.length === 0 && (value === undefined || Array.isArray(value))) {
    out.push(finding(codes.missingField, at, `\`${field}\` is empty, expected at least one item`));
  }
  return items.map((item, i) => read(item, [...at, i], depth, out)).filter((node) => node !== undefined);
}

function readAny(message: Message, field: string, out: Finding[]): { readonly any: true } | undefined {
  const value = fieldOf(message, field);
  if (value === true || value === "true") return { any: true };
  out.push(finding(codes.invalidValue, pathOf(message, field), `\`any\` is ${show(value)}, expected true`));
  return undefined;
}

function readPortRange(message: Message, field: string, out: Finding[]): Int32Range | undefined {
  const range = readRange(message, field, out);
  if (range === undefined) return undefined;
  const { start, end } = range;
  if (start < 0 || end > 65536 || start >= end) {
    const text = `port range from ${start} to ${end}, expected 0 <= start < end <= 65536`;
    out.push(finding(codes.invalidValue, pathOf(message, field), text));
  }
  return range;
}
