import { GatehouseError } from "../diagnostics/index.js";
import { toStruct, toValue } from "../envoy/index.js";
import type { Protos } from "../server/index.js";

type PackageDefinition = Protos["packages"];

/** What of a DescriptorProto is read here. */
interface FieldShape {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}
interface MessageShape {
  readonly name: string;
  readonly field: readonly FieldShape[];
  readonly nestedType: readonly MessageShape[];
  readonly options: { readonly mapEntry?: boolean } | null;
}

/** Reads the proto3 JSON form of a message; gives what the encoders of `loadProtos` take. */
export type JsonReader = (message: string, json: unknown) => Record<string, unknown>;

/**
 * A reader of proto3 JSON: field names in lowerCamel or as in the .proto file, base64 bytes, RFC 3339
 * timestamps, plain JSON for Struct. Throws `bad_request` for a field that the message does not have or a
 * value of the wrong type, since a request that is read otherwise than it was meant would be judged wrongly.
 */
export function createJsonReader(packages: PackageDefinition): JsonReader {
  const messages = new Map<string, MessageShape>();
  for (const [name, definition] of Object.entries(packages)) {
    const type = "type" in definition ? (definition.type as Partial<MessageShape>) : {};
    if (type.nestedType !== undefined) collect(name, type as MessageShape, messages);
  }
  const readMessage = (name: string, json: unknown, path: string): unknown => {
    const special = wellKnown(name);
    if (special !== undefined) return special(json, path);
    const shape = messages.get(name);
    if (shape === undefined) throw bad(path, `a known message, not \`${name}\``);
    const message: [string, unknown][] = [];
    for (const [key, value] of Object.entries(objectAt(json, path))) {
      const at = `${path}.${key}`;
      const field = shape.field.find((one) => one.name === key || jsonName(one.name) === key);
      if (field === undefined) throw bad(at, `a field of \`${name}\``);
      if (value !== null) message.push([field.name, readField(name, field, value, at)]);
    }
    return Object.fromEntries(message);
  };
  const readField = (owner: string, field: FieldShape, json: unknown, path: string): unknown => {
    const one = (value: unknown, at: string, shape = field): unknown =>
      shape.type === "TYPE_MESSAGE"
        ? readMessage(resolve(shape.typeName, owner, messages), value, at)
        : readScalar(shape.type, value, at);
    if (field.label !== "LABEL_REPEATED") return one(json, path);
    const entry =
      field.type === "TYPE_MESSAGE" ? messages.get(resolve(field.typeName, owner, messages)) : undefined;
    const valueField =
      entry?.options?.mapEntry === true ? entry.field.find((f) => f.name === "value") : undefined;
    if (valueField === undefined) {
      if (!Array.isArray(json)) throw bad(path, "a list");
      return json.map((item, i) => one(item, `${path}[${i}]`));
    }
    const entries = Object.entries(objectAt(json, path));
    return Object.fromEntries(entries.map(([key, value]) => [key, one(value, `${path}.${key}`, valueField)]));
  };
  return (name, json) => readMessage(name, json, "request") as Record<string, unknown>;
}

function collect(name: string, shape: MessageShape, into: Map<string, MessageShape>): void {
  into.set(name, shape);
  for (const nested of shape.nestedType) collect(`${name}.${nested.name}`, nested, into);
}

/** Type names in descriptors are relative: the innermost scope that has the name wins. */
function resolve(typeName: string, owner: string, messages: ReadonlyMap<string, MessageShape>): string {
  const scope = owner.split(".");
  for (let depth = scope.length; depth >= 0; depth -= 1) {
    const candidate = [...scope.slice(0, depth), typeName].join(".");
    if (messages.has(candidate)) return candidate;
  }
  return typeName;
}

function readScalar(type: string, json: unknown, path: string): unknown {
  switch (type) {
    case "TYPE_STRING":
      if (typeof json !== "string") throw bad(path, "a string");
      return json;
    case "TYPE_BYTES":
      if (typeof json !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(json)) throw bad(path, "base64");
      return Buffer.from(json, "base64");
    case "TYPE_BOOL":
      if (typeof json !== "boolean") throw bad(path, "true or false");
      return json;
    case "TYPE_ENUM":
      if (typeof json !== "string" && typeof json !== "number") throw bad(path, "the name of an enum value");
      return json;
    default:
      if (typeof json !== "number" && !(typeof json === "string" && /^-?\d+(\.\d+)?$/.test(json))) {
        throw bad(path, "a number");
      }
      return type.endsWith("64") ? String(json) : Number(json);
  }
}

type Special = (json: unknown, path: string) => unknown;

/** Messages whose JSON form is not their fields. */
function wellKnown(name: string): Special | undefined {
  if (!name.startsWith("google.protobuf.")) return undefined;
  switch (name.slice("google.protobuf.".length)) {
    case "Timestamp":
      return readTimestamp;
    case "Struct":
      return (json, path) => toStruct(objectAt(json, path));
    case "Value":
      return toValue;
    case "ListValue":
      return (json, path) => {
        if (!Array.isArray(json)) throw bad(path, "a list");
        return { values: json.map(toValue) };
      };
    case "Any":
      // What is in it is of types that no decision reads, so its name is enough.
      return (json, path) => ({ type_url: String(objectAt(json, path)["@type"] ?? "") });
    case "BytesValue":
      return (json, path) => ({ value: readScalar("TYPE_BYTES", json, path) });
    default:
      return (json) => ({ value: json });
  }
}

function readTimestamp(json: unknown, path: string): unknown {
  const match = typeof json === "string" ? /^(.+?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(json) : null;
  const milliseconds = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) throw bad(path, "an RFC 3339 timestamp");
  return { seconds: String(milliseconds / 1000), nanos: Number((match?.[2] ?? "").padEnd(9, "0")) };
}

function objectAt(json: unknown, path: string): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw bad(path, "an object");
  return json as Record<string, unknown>;
}

function bad(path: string, expected: string): GatehouseError {
  return new GatehouseError("bad_request", `bad value at \`${path}\`, expected ${expected}`);
}

/** `header_map` as `headerMap`, a field's name in JSON. */
export function jsonName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
