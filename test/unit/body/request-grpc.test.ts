import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { describe, expect, it } from "vitest";
import type { BodyInput } from "../../../src/body/index.js";
import { aRequest } from "../../support/request.js";
import { anInput, aPlan, begun, send } from "./body-kit.js";

const proto = `
  syntax = "proto3";
  package shop.v1;
  enum Kind { UNKNOWN = 0; GIFT = 1; }
  message Money { string currency = 1; int64 cents = 2; }
  message Order {
    string sku = 1;
    int32 quantity = 2;
    Money total_price = 3;
    Kind kind = 4;
    repeated string notes = 5;
    map<string, string> labels = 6;
  }
  message Reply {}
  service Orders {
    rpc Place (Order) returns (Reply);
    rpc Follow (Order) returns (stream Reply);
    rpc Upload (stream Order) returns (Reply);
  }
`;

const { root } = protobuf.parse(proto, { keepCase: true });
root.resolveAll();
const order = root.lookupType("shop.v1.Order");

interface Message {
  readonly name: string;
  readonly field?: { typeName?: string }[];
  readonly nestedType?: readonly Message[];
}

/** protobufjs writes names of types as they stand in the source; protoc writes them whole. */
function qualify({ name, field = [], nestedType = [] }: Message): void {
  const nested = nestedType.map((one) => one.name);
  for (const one of field) {
    if (one.typeName === undefined) continue;
    one.typeName = `.shop.v1.${nested.includes(one.typeName) ? `${name}.` : ""}${one.typeName}`;
  }
}

const described = (root as unknown as { toDescriptor(edition: string): protobuf.Message })
  .toDescriptor("proto3")
  .toJSON() as { file: { messageType: Message[] }[] };
for (const { messageType } of described.file) messageType.forEach(qualify);
const set = descriptor.FileDescriptorSet.encode(descriptor.FileDescriptorSet.fromObject(described)).finish();

function message(fields: object): Uint8Array {
  return order.encode(order.fromObject(fields)).finish();
}

/** A length-prefixed message (PROTOCOL-HTTP2.md). */
function frame(bytes: Uint8Array, flag = 0, length = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

function call(method = "Place", headers: Readonly<Record<string, string>> = {}): Partial<BodyInput> {
  let request = aRequest().method("POST", method.startsWith("/") ? method : `/shop.v1.Orders/${method}`);
  const all = { "content-type": "application/grpc", te: "trailers", ...headers };
  for (const [name, value] of Object.entries(all)) request = request.header(name, value);
  return { attributes: request.build() };
}

/** As another reader sees it; that is stricter about fields that are written as another type has to be. */
function quantityOf(body: Uint8Array): number {
  try {
    return Number(order.toObject(order.decode(body.subarray(5)), { defaults: true })["quantity"]);
  } catch {
    return 0;
  }
}

type Rule = Readonly<Record<string, unknown>>;

/** Reason and status, or `passes` where the body went on as it came. */
async function outcome(
  rules: readonly Rule[],
  body: Uint8Array,
  input: Partial<BodyInput> = call(),
  more: object = {},
): Promise<string> {
  const spec = { request: { body: { protoDescriptor: "orders.pb", rules, ...more } } };
  const run = begun(aPlan([spec], {}, [set]).begin(anInput(input)));
  const step = await send(run, body.subarray(0, 3), body.subarray(3));
  if (step.kind === "refuse") return `${step.refusal.reason} ${step.refusal.httpStatus}`;
  expect(Buffer.from(step.text)).toEqual(Buffer.from(Buffer.from(body).toString()));
  return "passes";
}

const many: Rule = { deny: "has(request.body.quantity) && request.body.quantity > 100" };
const few = frame(message({ sku: "a", quantity: 1 }));
const lots = frame(message({ sku: "a", quantity: 101 }));
const grpcOnly = { contentTypes: ["application/grpc"] };

describe("a gRPC message of a request", () => {
  it("is what protobuf's JSON is, by the method that is called", async () => {
    expect(await outcome([many], few)).toBe("passes");
    expect(await outcome([many], lots)).toBe("denied_by_policy 403");
    expect(await outcome([many], lots, call("Follow"))).toBe("denied_by_policy 403");
    const proto3 = call("Place", { "content-type": "application/grpc+proto" });
    expect(await outcome([many], lots, proto3)).toBe("denied_by_policy 403");
  });

  it.each<[string, object, string]>([
    [
      "names in camel case",
      { total_price: { currency: "EUR" } },
      "request.body.totalPrice.currency == 'EUR'",
    ],
    ["64 bits as text", { total_price: { cents: 250 } }, "int(request.body.totalPrice.cents) == 250"],
    ["enums by name", { kind: 1 }, "request.body.kind == 'GIFT'"],
    ["lists", { notes: ["a", "b"] }, "size(request.body.notes) == 2"],
    ["maps", { labels: { tier: "gold" } }, "request.body.labels['tier'] == 'gold'"],
    ["nothing for what has its default", { quantity: 0, sku: "" }, "size(request.body) == 0"],
  ])("has %s", async (_, fields, deny) => {
    expect(await outcome([{ deny }], frame(message(fields)))).toBe("denied_by_policy 403");
  });

  it("may be empty, and may have fields that nobody knows", async () => {
    expect(await outcome([{ deny: "size(request.body) == 0" }], frame(Buffer.alloc(0)))).toBe(
      "denied_by_policy 403",
    );
    const unknown = Buffer.concat([message({ quantity: 101 }), Buffer.from([0xf8, 0x07, 0x01])]);
    expect(await outcome([many], frame(unknown))).toBe("denied_by_policy 403");
    expect(await outcome([{ deny: "size(request.body) == 1" }], frame(unknown))).toBe("denied_by_policy 403");
  });

  it.each<[string, Uint8Array, string]>([
    ["half a frame's header", few.subarray(0, 4), "body_malformed 400"],
    ["half a message", few.subarray(0, -1), "body_malformed 400"],
    ["a length beyond what there is", frame(message({ sku: "a" }), 0, 4_000_000_000), "body_malformed 400"],
    ["two messages", Buffer.concat([few, lots]), "body_malformed 400"],
    ["a byte behind the message", Buffer.concat([few, Buffer.from([0])]), "body_malformed 400"],
    ["what is no message", frame(Buffer.from([0x0a, 0x7f, 0x41])), "body_malformed 400"],
    ["text that is no UTF-8", frame(Buffer.from([0x0a, 0x01, 0xff])), "body_malformed 400"],
    ["groups within groups", frame(Buffer.alloc(300, 0x0b)), "body_invalid 422"],
    ["a compressed message", frame(gzipSync(message({ quantity: 101 })), 1), "body_encoding 415"],
    ["a flag that there is not", frame(message({ quantity: 101 }), 2), "body_encoding 415"],
    ["web trailers", frame(Buffer.from("grpc-status: 0"), 0x80), "body_encoding 415"],
  ])("is refused as %s, and `has` does not get past it", async (_, body, expected) => {
    expect(await outcome([many], body)).toBe(expected);
    expect(await outcome([many], body, call(), grpcOnly)).toBe(expected);
  });

  it.each([
    ["a method that no descriptor knows", "Cancel"],
    ["a method that takes a stream", "Upload"],
    ["a service that no descriptor knows", "/shop.v2.Orders/Place"],
    ["a path of three steps", "/x/shop.v1.Orders/Place"],
    ["a path that begins with two slashes", "//shop.v1.Orders/Place"],
    ["a name in other letters", "/shop.v1.orders/place"],
    ["a name that every object has", "/__proto__/constructor"],
  ])("is refused of %s, where a rule would read it", async (_, method) => {
    expect(await outcome([many], lots, call(method))).toBe("body_type 415");
    expect(await outcome([many], lots, call(method), grpcOnly)).toBe("body_type 415");
    expect(await outcome([{ deny: "request.method == 'PUT'" }], lots, call(method))).toBe("passes");
  });

  it("is refused without descriptors, where a rule would read it", async () => {
    const spec = { request: { body: { rules: [many], ...grpcOnly } } };
    const run = begun(aPlan([spec]).begin(anInput(call())));
    expect(await send(run, few)).toMatchObject({ refusal: { reason: "body_type" } });
  });

  it("is not changed by rules for JSON", async () => {
    expect(await outcome([{ remove: "$.sku" }], few)).toBe("body_type 415");
    expect(await outcome([{ set: "$.sku", value: "'b'" }], few)).toBe("body_type 415");
  });

  it("is refused or passes, whatever its bytes are", async () => {
    const spec = { request: { body: { protoDescriptor: "orders.pb", rules: [many] } } };
    const plan = aPlan([spec], {}, [set]);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.boolean(), async (bytes, isFramed) => {
        const body = isFramed ? frame(bytes) : bytes;
        fc.pre(body.length > 0);
        const step = await send(begun(plan.begin(anInput(call()))), body);
        if (step.kind === "refuse") {
          expect(["body_malformed", "body_encoding", "denied_by_policy", "policy_failed"]).toContain(
            step.refusal.reason,
          );
        } else {
          expect(quantityOf(body)).not.toBeGreaterThan(100);
        }
      }),
      { numRuns: 500 },
    );
  });
});
