import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";

const protoRoot = join(import.meta.dirname, "..", "..", "proto");
const root = new protobuf.Root();
root.resolvePath = (_origin, target) =>
  target.startsWith("google/protobuf/") ? target : join(protoRoot, target);
root.loadSync(["envoy/service/auth/v3/external_auth.proto"]);
root.resolveAll();

/** CheckRequest as protobufjs knows it from the project's own protos. */
export const checkRequestType: protobuf.Type = root.lookupType("envoy.service.auth.v3.CheckRequest");

/** A plain object that protobufjs makes a message of. */
type Plain = Record<string, unknown>;

/** Random messages of a type: any fields, nested a few levels; `full`: all fields, one of each oneof. */
export function messages(type: protobuf.Type, depth = 0, full = false): fc.Arbitrary<Plain> {
  const fields = type.fieldsArray.filter(
    (field) => depth < (full ? 6 : 9) || !(field.resolvedType instanceof protobuf.Type),
  );
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of fields) model[field.name] = values(field, depth, full);
  return fc.record(model, full ? {} : { requiredKeys: [] }).map((plain) => oneOfEach(type, plain));
}

function oneOfEach(type: protobuf.Type, plain: Plain): Plain {
  const kept = { ...plain };
  for (const oneof of type.oneofsArray) {
    const members = oneof.fieldsArray.map(({ name }) => name).filter((name) => name in kept);
    for (const name of members.slice(1)) delete kept[name];
  }
  return kept;
}

function values(field: protobuf.Field, depth: number, full: boolean): fc.Arbitrary<unknown> {
  const one = scalarOf(field, depth, full);
  const size = depth > 3 ? 1 : 3;
  if (field instanceof protobuf.MapField)
    return fc.dictionary(fc.string({ unit: "binary", maxLength: 8 }), one, {
      maxKeys: size,
      minKeys: full ? 1 : 0,
    });
  return field.repeated ? fc.array(one, { maxLength: size, minLength: full ? 1 : 0 }) : one;
}

function scalarOf(field: protobuf.Field, depth: number, full: boolean): fc.Arbitrary<unknown> {
  if (field.resolvedType instanceof protobuf.Type) return messages(field.resolvedType, depth + 1, full);
  if (field.resolvedType instanceof protobuf.Enum) return full ? fc.constant(1) : fc.integer();
  switch (field.type) {
    case "string":
      return fc
        .string({ unit: "binary", maxLength: 20, minLength: full ? 1 : 0 })
        .map((text) => text.replace(/%/g, "").replace(/;/g, ""));
    case "bytes":
      return fc.uint8Array({ maxLength: 20, minLength: full ? 1 : 0 });
    case "bool":
      return full ? fc.constant(true) : fc.boolean();
    case "double":
      return fc.double();
    case "int64":
      return full ? fc.constant("-1") : fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
    case "int32":
      return full ? fc.constant(-7) : fc.integer();
    case "uint32":
      return full ? fc.constant(7) : fc.nat();
    default:
      throw new Error(`no values for fields of type ${field.type}`);
  }
}

/** The wire bytes of such an object. */
export function encoded(plain: Plain): Buffer {
  return Buffer.from(checkRequestType.encode(checkRequestType.fromObject(plain)).finish());
}

/** What OPA-Envoy's protomap shows of a message, straight from its decoded form; numbers are texts in `#`. */
export function shown(type: protobuf.Type, message: Plain): unknown {
  if (type.fullName === ".google.protobuf.Struct") return structOf(message);
  const out: Plain = {};
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(message, field.name)) continue;
    // protobufjs has Any's field by its original name.
    const name = field.name.replace(/_url$/, "Url");
    const value = message[field.name];
    const one = (item: unknown): unknown =>
      field.resolvedType instanceof protobuf.Type
        ? shown(field.resolvedType, item as Plain)
        : scalarText(field, item);
    if (field instanceof protobuf.MapField) {
      const entries = Object.entries(value as Plain);
      if (entries.length > 0) out[name] = Object.fromEntries(entries.map(([key, item]) => [key, one(item)]));
    } else if (field.repeated) {
      if ((value as unknown[]).length > 0) out[name] = (value as unknown[]).map(one);
    } else if (field.partOf !== null || field.resolvedType instanceof protobuf.Type || !isZero(value)) {
      out[name] = one(value);
    }
  }
  return out;
}

function isZero(value: unknown): boolean {
  if (typeof value === "object" && value !== null && "length" in value) return value.length === 0;
  return value === "" || value === false || String(value) === "0";
}

function scalarText(field: protobuf.Field, value: unknown): unknown {
  if (field.type === "bytes") return Buffer.from(value as Uint8Array).toString("base64");
  return typeof value === "string" || typeof value === "boolean" ? value : `#${String(value)}`;
}

function structOf(message: Plain): unknown {
  const fields = (message["fields"] ?? {}) as Record<string, Plain>;
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, kindOf(value)]));
}

function kindOf(value: Plain): unknown {
  const has = (name: string): boolean => Object.hasOwn(value, name);
  if (has("stringValue")) return value["stringValue"];
  if (has("boolValue")) return value["boolValue"];
  if (has("structValue")) return structOf(value["structValue"] as Plain);
  if (has("listValue"))
    return (((value["listValue"] as Plain)["values"] as Plain[] | undefined) ?? []).map(kindOf);
  if (!has("numberValue")) return null;
  const number = value["numberValue"] as number;
  if (Number.isNaN(number)) return "NaN";
  return Number.isFinite(number) ? `#${String(number)}` : `${number > 0 ? "" : "-"}Infinity`;
}
