import protobuf from "protobufjs";
import type { FileDescriptor } from "./descriptors.js";

/**
 * An API as flat facts that can be compared: `field pkg.Message.name` → `repeated string = 2`. Comments,
 * options, file names and the order of declarations are no part of it, since none of them shows on the wire.
 */
export type Facts = Map<string, string>;

/** The names of FieldDescriptorProto.Type, by number; there is no 0. */
const TYPES: readonly string[] = [
  ..."- double float int64 uint64 int32 fixed64 fixed32 bool string".split(" "),
  ..."group message bytes uint32 enum sfixed32 sfixed64 sint32 sint64".split(" "),
];
const REPEATED = 3;

type MessageDescriptor = NonNullable<FileDescriptor["messageType"]>[number];
type EnumDescriptor = NonNullable<FileDescriptor["enumType"]>[number];
type FieldDescriptor = NonNullable<MessageDescriptor["field"]>[number];

/** The facts of descriptors. */
export function factsOfDescriptors(files: Iterable<FileDescriptor>): Facts {
  const facts: Facts = new Map();
  for (const file of files) {
    const scope = file.package ? `${file.package}.` : "";
    for (const message of file.messageType ?? []) addMessage(facts, scope, message);
    for (const values of file.enumType ?? []) addEnum(facts, scope, values);
    for (const service of file.service ?? []) {
      facts.set(`service ${scope}${service.name}`, "");
      for (const method of service.method ?? []) {
        facts.set(
          `method ${scope}${service.name}.${method.name}`,
          signature(
            method.inputType?.slice(1) ?? "",
            method.clientStreaming,
            method.outputType?.slice(1) ?? "",
            method.serverStreaming,
          ),
        );
      }
    }
  }
  return facts;
}

function addMessage(facts: Facts, scope: string, message: MessageDescriptor): void {
  const name = `${scope}${message.name}`;
  facts.set(`message ${name}`, "");
  const nested = new Map((message.nestedType ?? []).map((type) => [`.${name}.${type.name}`, type]));
  for (const field of message.field ?? []) {
    const entry = nested.get(field.typeName ?? "");
    const oneof =
      field.oneofIndex === undefined || !Object.hasOwn(field, "oneofIndex")
        ? ""
        : ` in ${message.oneofDecl?.[field.oneofIndex]?.name}`;
    if (entry?.options?.mapEntry) {
      const [key, value] = entry.field ?? [];
      facts.set(`field ${name}.${field.name}`, `map<${typeOf(key)}, ${typeOf(value)}> = ${field.number}`);
      nested.delete(field.typeName ?? "");
    } else {
      const label = field.label === REPEATED ? "repeated " : "";
      facts.set(`field ${name}.${field.name}`, `${label}${typeOf(field)} = ${field.number}${oneof}`);
    }
  }
  for (const type of nested.values()) addMessage(facts, `${name}.`, type);
  for (const values of message.enumType ?? []) addEnum(facts, `${name}.`, values);
}

function typeOf(field: FieldDescriptor | undefined): string {
  const type = TYPES[Number(field?.type)] ?? "unknown";
  return type === "message" || type === "enum" ? `${type} ${field?.typeName?.slice(1)}` : type;
}

function addEnum(facts: Facts, scope: string, values: EnumDescriptor): void {
  facts.set(`enum ${scope}${values.name}`, "");
  for (const { name, number } of values.value ?? []) {
    facts.set(`value ${scope}${values.name}.${name}`, String(number ?? 0));
  }
}

/**
 * The facts of .proto files that protobufjs has parsed with `keepCase` and resolved. `google.protobuf` is
 * left out: it comes with protobufjs, which spells its fields in camelCase.
 */
export function factsOfRoot(root: protobuf.Root): Facts {
  const facts: Facts = new Map();
  addNamespace(facts, root);
  return facts;
}

function addNamespace(facts: Facts, namespace: protobuf.NamespaceBase): void {
  for (const member of namespace.nestedArray) {
    const name = member.fullName.slice(1);
    if (name === "google.protobuf") continue;
    if (member instanceof protobuf.Enum) {
      facts.set(`enum ${name}`, "");
      for (const [value, number] of Object.entries(member.values))
        facts.set(`value ${name}.${value}`, String(number));
    } else if (member instanceof protobuf.Service) {
      facts.set(`service ${name}`, "");
      for (const method of member.methodsArray) {
        facts.set(
          `method ${name}.${method.name}`,
          signature(
            method.resolvedRequestType?.fullName.slice(1) ?? "",
            method.requestStream,
            method.resolvedResponseType?.fullName.slice(1) ?? "",
            method.responseStream,
          ),
        );
      }
    } else if (member instanceof protobuf.Type) {
      facts.set(`message ${name}`, "");
      for (const field of member.fieldsArray) facts.set(`field ${name}.${field.name}`, parsedField(field));
      addNamespace(facts, member);
    } else if (member instanceof protobuf.Namespace) {
      addNamespace(facts, member);
    }
  }
}

function parsedField(field: protobuf.Field): string {
  const resolved = field.resolvedType;
  const kind = resolved instanceof protobuf.Enum ? "enum" : "message";
  const type = resolved ? `${kind} ${resolved.fullName.slice(1)}` : field.type;
  if (field instanceof protobuf.MapField) return `map<${field.keyType}, ${type}> = ${field.id}`;
  const oneof = field.partOf ? ` in ${field.partOf.name}` : "";
  return `${field.repeated ? "repeated " : ""}${type} = ${field.id}${oneof}`;
}

function signature(
  input: string,
  inputStream: boolean | null | undefined,
  output: string,
  outputStream: boolean | null | undefined,
): string {
  return `(${inputStream ? "stream " : ""}${input}) returns (${outputStream ? "stream " : ""}${output})`;
}

/** Facts of ours that the real API does not confirm, one line each; empty when ours can be trusted. */
export function contradictions(ours: Facts, real: Facts): string[] {
  const lines: string[] = [];
  for (const [name, fact] of ours) {
    const wanted = real.get(name);
    if (wanted === undefined) lines.push(`${name}: not in the real API`);
    else if (wanted !== fact) lines.push(`${name}: \`${fact}\`, expected \`${wanted}\``);
  }
  return lines;
}

/** Fields and values that the real API has and ours lacks, within the messages and enums that ours has. */
export function omissions(ours: Facts, real: Facts): string[] {
  return [...real.keys()].filter((name) => {
    const [kind, full = ""] = name.split(" ");
    const parent = full.slice(0, full.lastIndexOf("."));
    if (ours.has(name)) return false;
    return (
      (kind === "field" && ours.has(`message ${parent}`)) || (kind === "value" && ours.has(`enum ${parent}`))
    );
  });
}
