import {
  type EnumDescriptor,
  type Features,
  type FieldDescriptor,
  type MessageDescriptor,
  readDescriptorSet,
} from "./descriptor-set.js";
import { ContentError } from "./error.js";
import { compileMessage, type Field, type FieldType, type WriteMessage } from "./message.js";
import { enumName, enumNull, inQuotes, type Scalar, type ScalarName, scalars } from "./scalar.js";
import { compileWellKnown } from "./well-known.js";

/** What a set of descriptors says, ready to write messages as protojson does. */
export interface Descriptors {
  /** The input of a service's method; undefined when there is none, or when it takes a stream. */
  readonly inputOf: (service: string, method: string) => WriteMessage | undefined;
}

/** A message by its full name, with what it inherits. */
interface Known {
  readonly descriptor: MessageDescriptor;
  readonly presence: Presence;
}

/** Whether fields without a say of their own show zeros, and whether messages stand between group tags. */
interface Presence {
  readonly explicit: boolean;
  readonly grouped: boolean;
}

/** Messages and enums by full name. */
interface Symbols {
  readonly messages: Map<string, Known>;
  readonly enums: Map<string, ReadonlyMap<number, string>>;
}

/** Those of FieldDescriptorProto.Type, by number; groups, messages and enums are none. */
const typeNames: Readonly<Record<number, ScalarName>> = {
  1: "double",
  2: "float",
  3: "int64",
  4: "uint64",
  5: "int32",
  6: "fixed64",
  7: "fixed32",
  8: "bool",
  9: "string",
  12: "bytes",
  13: "uint32",
  15: "sfixed32",
  16: "sfixed64",
  17: "sint32",
  18: "sint64",
};
const groupType = 10;
const messageType = 11;
const enumType = 14;
const inQuotesOnly: ReadonlySet<string> = new Set(["int64", "uint64", "sint64", "fixed64", "sfixed64"]);

/**
 * Reads a FileDescriptorSet (`protoc --descriptor_set_out --include_imports`), proto2, proto3 or editions. Throws
 * `bad_descriptors` for what is none, or refers to types that it does not have; google.protobuf's are always there. Extensions
 * are not known. An Any is written when its type is in the set.
 */
export function compileDescriptors(set: Uint8Array, maxDepth: number): Descriptors {
  const symbols: Symbols = { messages: new Map(), enums: new Map() };
  const methods = new Map<string, string>();
  for (const file of files(set)) {
    const prefix = file.package === undefined || file.package === "" ? "" : `${file.package}.`;
    const presence = refined({ explicit: file.syntax !== "proto3", grouped: false }, file.options?.features);
    for (const message of file.messageType ?? []) addMessage(symbols, prefix, message, presence);
    for (const each of file.enumType ?? []) addEnum(symbols, prefix, each);
    for (const service of file.service ?? []) {
      for (const { name, inputType, clientStreaming } of service.method ?? []) {
        if (clientStreaming !== true)
          methods.set(`${prefix}${service.name}/${name}`, inputType.replace(/^\./, ""));
      }
    }
  }
  const writers = compileAll(symbols, maxDepth);
  const inputs = new Map<string, WriteMessage>();
  for (const [path, type] of methods) inputs.set(path, writers.get(type) ?? unknown(type));
  return { inputOf: (service, method) => inputs.get(`${service}/${method}`) };
}

function files(set: Uint8Array): NonNullable<ReturnType<typeof readDescriptorSet>["file"]> {
  try {
    const { file = [] } = readDescriptorSet(set);
    if (file.length > 0) return file;
  } catch (error) {
    if (!(error instanceof ContentError)) throw error;
  }
  throw new ContentError("bad_descriptors", "not a FileDescriptorSet, or an empty one");
}

function unknown(type: string): never {
  throw new ContentError("bad_descriptors", `type \`${type}\` is not in the descriptor set`);
}

function refined(inherited: Presence, features: Features | undefined): Presence {
  if (features === undefined) return inherited;
  const { fieldPresence, messageEncoding } = features;
  return {
    explicit: fieldPresence === undefined ? inherited.explicit : fieldPresence !== 2,
    grouped: messageEncoding === undefined ? inherited.grouped : messageEncoding === 2,
  };
}

function addMessage(
  symbols: Symbols,
  prefix: string,
  descriptor: MessageDescriptor,
  inherited: Presence,
): void {
  const name = `${prefix}${descriptor.name}`;
  const presence = refined(inherited, descriptor.options?.features);
  symbols.messages.set(name, { descriptor, presence });
  for (const nested of descriptor.nestedType ?? []) addMessage(symbols, `${name}.`, nested, presence);
  for (const each of descriptor.enumType ?? []) addEnum(symbols, `${name}.`, each);
}

function addEnum({ enums }: Symbols, prefix: string, { name, value = [] }: EnumDescriptor): void {
  const names = new Map<number, string>();
  // Of aliases the first, as in Go.
  for (const each of value) if (!names.has(each.number)) names.set(each.number, each.name);
  enums.set(`${prefix}${name}`, names);
}

function compileAll(symbols: Symbols, maxDepth: number): ReadonlyMap<string, WriteMessage> {
  const writers = new Map<string, WriteMessage>();
  const wellKnown = compileWellKnown((name) => {
    const write = writers.get(name);
    return write === undefined
      ? undefined
      : { write, isPlain: !wellKnown.has(name) || name === "google.protobuf.Empty" };
  }, maxDepth);
  for (const [name, { descriptor, presence }] of symbols.messages) {
    const fields = (descriptor.field ?? []).map((field) =>
      fieldOf(field, presence, symbols, writers, wellKnown),
    );
    writers.set(name, compileMessage(fields, maxDepth));
  }
  for (const [name, write] of wellKnown) writers.set(name, write);
  return writers;
}

function fieldOf(
  field: FieldDescriptor,
  inherited: Presence,
  symbols: Symbols,
  writers: ReadonlyMap<string, WriteMessage>,
  wellKnown: ReadonlyMap<string, WriteMessage>,
): Field {
  const features = field.options?.features;
  const presence = refined(inherited, features);
  const typeName = field.typeName?.replace(/^\./, "") ?? "";
  const entry = field.type === messageType ? symbols.messages.get(typeName)?.descriptor : undefined;
  const name = field.jsonName ?? jsonName(field.name);
  if (entry?.options?.mapEntry === true) {
    const [key, value] = [1, 2].map((number) => entry.field?.find((each) => each.number === number));
    if (key === undefined || value === undefined) return unknown(typeName);
    return {
      number: field.number,
      name,
      mapKey: keyOf(scalars[typeNames[key.type] ?? "string"]),
      type: typeOf(value, value.typeName?.replace(/^\./, "") ?? "", symbols, writers, wellKnown),
    };
  }
  return {
    number: field.number,
    name,
    type: typeOf(field, typeName, symbols, writers, wellKnown),
    repeated: field.label === 3,
    presence: presence.explicit || field.proto3Optional === true,
    required: field.label === 2 || features?.fieldPresence === 3,
    group: field.type === groupType || (field.type === messageType && presence.grouped),
    ...(field.oneofIndex === undefined ? {} : { oneof: field.oneofIndex }),
  };
}

function typeOf(
  { type }: FieldDescriptor,
  typeName: string,
  { messages, enums }: Symbols,
  writers: ReadonlyMap<string, WriteMessage>,
  wellKnown: ReadonlyMap<string, WriteMessage>,
): FieldType {
  if (type === messageType || type === groupType) {
    if (!messages.has(typeName) && !wellKnown.has(typeName)) unknown(typeName);
    let write: WriteMessage | undefined;
    return {
      message: () => {
        write ??= writers.get(typeName) ?? unknown(typeName);
        return write;
      },
    };
  }
  if (type === enumType) {
    return typeName === "google.protobuf.NullValue"
      ? enumNull
      : enumName(enums.get(typeName) ?? unknown(typeName));
  }
  const name = typeNames[type] ?? unknown(`${type}`);
  return inQuotesOnly.has(name) ? inQuotes(scalars[name]) : scalars[name];
}

function keyOf(key: Scalar): Scalar {
  return key === scalars.string ? key : inQuotes(key);
}

/** As protoc derives it when the set does not say. */
function jsonName(name: string): string {
  return name.replace(/_+([A-Za-z0-9]?)/g, (_, letter: string) => letter.toUpperCase());
}
