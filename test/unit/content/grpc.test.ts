import descriptor from "protobufjs/ext/descriptor/index.js";
import { describe, expect, it } from "vitest";
import { ContentError, compileDescriptors, decodeGrpc } from "../../../src/content/index.js";

const field = (number: number, name: string, type: number, more: object = {}): object => ({
  number,
  name,
  type,
  label: 1,
  ...more,
});
const known = (number: number, name: string): object =>
  field(number, name.toLowerCase(), 11, { typeName: `.google.protobuf.${name}` });

const set = descriptor.FileDescriptorSet.encode(
  descriptor.FileDescriptorSet.fromObject({
    file: [
      {
        name: "t.proto",
        package: "t",
        syntax: "proto3",
        messageType: [
          {
            name: "M",
            field: [
              field(1, "some_int", 3),
              field(2, "fl", 2),
              field(3, "e", 14, { typeName: ".t.E" }),
              known(4, "Any"),
              known(5, "Timestamp"),
              known(6, "Duration"),
              field(7, "text", 9, { oneofIndex: 0 }),
              field(8, "m", 11, { oneofIndex: 0, typeName: ".t.M" }),
              known(9, "FieldMask"),
            ],
            oneofDecl: [{ name: "o" }],
          },
        ],
        enumType: [
          {
            name: "E",
            value: [
              { name: "ZERO", number: 0 },
              { name: "ONE", number: 1 },
            ],
          },
        ],
        service: [{ name: "S", method: [{ name: "Go", inputType: ".t.M", outputType: ".t.M" }] }],
      },
    ],
  }),
).finish();
const descriptors = compileDescriptors(set, 100);

function message(...bytes: number[]): unknown {
  const found = decodeGrpc(Uint8Array.from([0, 0, 0, 0, bytes.length, ...bytes]), "t.S", "Go", descriptors);
  return found.kind === "message" ? found.json : found.kind;
}

const empty = [...Buffer.from("x/google.protobuf.Empty")];

describe("a gRPC message as protojson", () => {
  it.each([
    [[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], '{"someInt":"-1"}'],
    [[0x15, 0x00, 0x00, 0x00, 0x80], '{"fl":-0}'],
    [[0x15, 0xcd, 0xcc, 0xcc, 0x3d], '{"fl":0.1}'],
    [[0x18, 0x00], "{}"],
    [[0x18, 0x01], '{"e":"ONE"}'],
    [[0x18, 0x2a], '{"e":42}'],
    [[0x22, 0x00], '{"any":{}}'],
    [[0x22, empty.length + 2, 0x0a, empty.length, ...empty], '{"any":{"@type":"x/google.protobuf.Empty"}}'],
    [[0x2a, 0x03, 0x10, 0xc0, 0x3e], '{"timestamp":"1970-01-01T00:00:00.000008Z"}'],
    [[0x32, 0x02, 0x08, 0x5a], '{"duration":"90s"}'],
    [[0x42, 0x00, 0x3a, 0x00], '{"text":""}'],
    [[0x4a, 0x05, 0x0a, 0x03, 0x61, 0x5f, 0x62], '{"fieldmask":"aB"}'],
  ])("of the bytes %j", (bytes, expected) => {
    expect(message(...bytes)).toBe(expected);
  });

  it.each([
    ["is cut off", [0x08]],
    ["has a message cut off that another member of its oneof replaces", [0x42, 0x01, 0x08, 0x3a, 0x00]],
    ["has a string that is not utf-8", [0x3a, 0x01, 0xff]],
    ["has an Any of an unknown type", [0x22, 0x03, 0x0a, 0x01, 0x78]],
    [
      "has a Timestamp out of range",
      [0x2a, 0x0b, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ],
  ])("that %s is an error", (_, bytes) => {
    expect(() => message(...bytes)).toThrow(ContentError);
  });

  it("needs descriptors that know its types", () => {
    const nothing = compileDescriptors(set, 100).inputOf("t.S", "Stop");
    expect(nothing).toBeUndefined();
    expect(() => compileDescriptors(Buffer.from("text"), 100)).toThrow(
      expect.objectContaining({ code: "bad_descriptors" }),
    );
  });
});
