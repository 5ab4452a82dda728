import { join } from "node:path";
import protobuf from "protobufjs";

const folder = join(import.meta.dirname, "..", "..", "..", "..", "proto");

function loadRoot(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => (target.startsWith("google/") ? target : join(folder, target));
  root.loadSync("envoy/service/ext_proc/v3/external_processor.proto", { keepCase: true });
  root.resolveAll();
  return root;
}

const root = loadRoot();
const requestType = root.lookupType("envoy.service.ext_proc.v3.ProcessingRequest");
const responseType = root.lookupType("envoy.service.ext_proc.v3.ProcessingResponse");

/** A message in the form of protobufjs, with snake_case names. */
export type Plain = Record<string, unknown>;

export function encodeRequest(message: Plain): Uint8Array {
  return requestType.encode(requestType.fromObject(message)).finish();
}

/** Without what is not set; bytes in base64. */
export function decodeResponse(bytes: Uint8Array): Plain {
  return responseType.toObject(responseType.decode(bytes), {
    enums: String,
    longs: Number,
    bytes: String,
    oneofs: false,
  });
}

/** JSON as google.protobuf.Struct. */
export function toStruct(object: Plain): Plain {
  const fields = Object.entries(object).map(([name, value]) => [name, toValue(value)]);
  return { fields: Object.fromEntries(fields) };
}

function toValue(value: unknown): Plain {
  if (value === null) return { nullValue: 0 };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  return { structValue: toStruct(value as Plain) };
}

/** What a Struct that protobufjs decoded stands for. */
export function fromPlainStruct(struct: Plain): Plain {
  const fields = (struct["fields"] ?? {}) as Record<string, Plain>;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, fromValue(value)]));
}

function fromValue(value: Plain): unknown {
  if ("stringValue" in value) return value["stringValue"];
  if ("numberValue" in value) return value["numberValue"];
  if ("boolValue" in value) return value["boolValue"];
  if ("listValue" in value)
    return (((value["listValue"] as Plain)["values"] as Plain[] | undefined) ?? []).map(fromValue);
  if ("structValue" in value) return fromPlainStruct(value["structValue"] as Plain);
  return null;
}
