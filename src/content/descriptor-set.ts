import { compileMessage, type Field, type FieldType, type WriteMessage } from "./message.js";
import { type ScalarName, scalars } from "./scalar.js";
import { sourceOf } from "./wire.js";

/** What is read of google.protobuf.FileDescriptorSet, by the names of descriptor.proto. */
export interface FileDescriptorSet {
  readonly file?: readonly FileDescriptor[];
}

export interface FileDescriptor {
  readonly package?: string;
  readonly messageType?: readonly MessageDescriptor[];
  readonly enumType?: readonly EnumDescriptor[];
  readonly service?: readonly ServiceDescriptor[];
  readonly options?: { readonly features?: Features };
  /** Absent: proto2. */
  readonly syntax?: string;
}

export interface MessageDescriptor {
  readonly name: string;
  readonly field?: readonly FieldDescriptor[];
  readonly nestedType?: readonly MessageDescriptor[];
  readonly enumType?: readonly EnumDescriptor[];
  readonly options?: { readonly mapEntry?: boolean; readonly features?: Features };
}

export interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  /** 1 optional, 2 required, 3 repeated. */
  readonly label?: number;
  /** The numbers of FieldDescriptorProto.Type. */
  readonly type: number;
  readonly typeName?: string;
  readonly oneofIndex?: number;
  readonly jsonName?: string;
  readonly options?: { readonly features?: Features };
  readonly proto3Optional?: boolean;
}

export interface EnumDescriptor {
  readonly name: string;
  readonly value?: readonly { readonly name: string; readonly number: number }[];
}

export interface ServiceDescriptor {
  readonly name: string;
  readonly method?: readonly {
    readonly name: string;
    readonly inputType: string;
    readonly clientStreaming?: boolean;
  }[];
}

/** Of editions. */
export interface Features {
  /** 1 explicit, 2 implicit, 3 required. */
  readonly fieldPresence?: number;
  /** 2 between group tags. */
  readonly messageEncoding?: number;
}

/** Bytes → the plain object; throws as {@link compileMessage}'s writers do. */
export function readDescriptorSet(bytes: Uint8Array): FileDescriptorSet {
  const source = sourceOf(bytes);
  return JSON.parse(fileSet({ source, start: 0, end: bytes.length }, 0)) as FileDescriptorSet;
}

/** Levels of messages in messages; protoc stops far earlier. */
const maxDepth = 64;

const one = (number: number, name: string, type: ScalarName | FieldType): Field => ({
  number,
  name,
  type: typeof type === "string" ? scalars[type] : type,
  // Numbers of enums and the like are there even when they are 0.
  presence: true,
});
const many = (number: number, name: string, type: FieldType): Field => ({
  number,
  name,
  type,
  repeated: true,
});
const message = (...fields: Field[]): { readonly message: () => WriteMessage } => {
  const write = compileMessage(fields, maxDepth);
  return { message: () => write };
};

const features = message(one(1, "fieldPresence", "int32"), one(5, "messageEncoding", "int32"));

const field = message(
  one(1, "name", "string"),
  one(3, "number", "int32"),
  one(4, "label", "int32"),
  one(5, "type", "int32"),
  one(6, "typeName", "string"),
  one(8, "options", message(one(21, "features", features))),
  one(9, "oneofIndex", "int32"),
  one(10, "jsonName", "string"),
  one(17, "proto3Optional", "bool"),
);

const enumType = message(
  one(1, "name", "string"),
  many(2, "value", message(one(1, "name", "string"), one(2, "number", "int32"))),
);

const messageType: WriteMessage = compileMessage(
  [
    one(1, "name", "string"),
    many(2, "field", field),
    many(3, "nestedType", { message: () => messageType }),
    many(4, "enumType", enumType),
    one(7, "options", message(one(7, "mapEntry", "bool"), one(12, "features", features))),
  ],
  maxDepth,
);

const service = message(
  one(1, "name", "string"),
  many(
    2,
    "method",
    message(one(1, "name", "string"), one(2, "inputType", "string"), one(5, "clientStreaming", "bool")),
  ),
);

const file = message(
  one(2, "package", "string"),
  many(4, "messageType", { message: () => messageType }),
  many(5, "enumType", enumType),
  many(6, "service", service),
  one(8, "options", message(one(50, "features", features))),
  one(12, "syntax", "string"),
);

const fileSet = compileMessage([many(1, "file", file)], maxDepth);
