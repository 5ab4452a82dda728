import { Buffer } from "node:buffer";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import {
  type BodyTransform,
  compileDetectors,
  compileJson,
  createEventsRedactor,
  createJsonRedactor,
  createLinesRedactor,
  type FieldAction,
  parsePath,
} from "../../../src/redaction/index.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** A piece of a body, as large as Envoy gives them. */
const pieceBytes = 1 << 20;
const most = 64 * 1024;
const bodies = 8;

const key = Buffer.from("key");
const detectors = compileDetectors(
  (["paymentCard", "iban", "email", "secretToken"] as const).map((detector) => ({
    name: detector,
    what: { detector },
    action: "redact",
    replacement: "x",
  })),
);

function plan(action: FieldAction["kind"] | "none", isScanned = false): ReturnType<typeof compileJson> {
  const mask = { kind: "mask", keepFirst: 20, keepLast: 20, character: "*", replacement: undefined } as const;
  const read = parsePath("$..secret");
  if (!("steps" in read)) throw new Error(read.message);
  const field = { name: "secret", path: read.steps, action: action === "mask" ? mask : { kind: action } };
  const rules = action === "none" ? [] : [field as Parameters<typeof compileJson>[0][number]];
  return compileJson(rules, { key, scanners: isScanned ? detectors : undefined });
}

/** Turns that the engine needs to let go of what ran. */
async function settled(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * Shows each body one piece, which ends with `last`, one character a byte; gives what keeps the pieces alive.
 */
function pushPieces(transforms: readonly BodyTransform[], first: string, last: string): WeakRef<object>[] {
  return transforms.map((transform) => {
    const piece = Buffer.alloc(pieceBytes, "lorem ipsum 12 ");
    piece.write(first, 0, "latin1");
    piece.write(last, pieceBytes - last.length, "latin1");
    transform.push(piece);
    return new WeakRef(piece.buffer);
  });
}

const member = '{"a":"';
const cases: readonly [string, () => BodyTransform, string, string][] = [
  ["within a string", () => createJsonRedactor(plan("mask")), member, "."],
  ["within a key", () => createJsonRedactor(plan("mask")), member, `","${"k".repeat(500)}`],
  ["within a key that may be removed", () => createJsonRedactor(plan("remove")), member, '","secr'],
  ["within a value that is masked", () => createJsonRedactor(plan("mask")), '{"secret":"', "."],
  [
    "within a masked value that has begun",
    () => createJsonRedactor(plan("mask")),
    member,
    `","secret":"${"x".repeat(30)}`,
  ],
  ["within a value that is removed", () => createJsonRedactor(plan("remove")), member, '","secret":["x", 1'],
  [
    "within an object that is hashed",
    () => createJsonRedactor(plan("hash")),
    member,
    `","secret":{"x":"${"y".repeat(40)}",`,
  ],
  [
    "within a number that is hashed",
    () => createJsonRedactor(plan("hash")),
    member,
    `","secret":${"1".repeat(40)}`,
  ],
  ["within a character", () => createJsonRedactor(plan("mask")), member, "\xf0\x9f"],
  [
    "within a string that is searched",
    () => createJsonRedactor(plan("none", true)),
    member,
    " 4111 1111 1111",
  ],
  ["behind a string that was searched", () => createJsonRedactor(plan("mask", true)), member, '","b":1,'],
  [
    "within a number that is searched",
    () => createJsonRedactor(plan("none", true)),
    member,
    `","b":${"4".repeat(30)}`,
  ],
  ["within a line", () => createLinesRedactor(createJsonRedactor(plan("mask"))), member, '"}\n{"secret":"12'],
  [
    "within an event",
    () => createEventsRedactor(createJsonRedactor(plan("mask")), undefined, new Map()),
    `data: ${member}`,
    '","secret":"12',
  ],
  [
    "within the text of an event",
    () => createEventsRedactor(createJsonRedactor(plan("mask")), undefined, new Map()),
    ": ",
    `\n\ndata: "${"x".repeat(60)}`,
  ],
  [
    "within a comment between the data of an event",
    () => createEventsRedactor(createJsonRedactor(plan("mask")), undefined, new Map()),
    ": ",
    `\n\ndata: {\n: ${"x".repeat(60)}`,
  ],
  ["within a text that is searched", () => detectors.transform(), "x", " 4111 1111 1111"],
];

describe("memory between pieces of a body", () => {
  it.each(cases)("keeps little of a large piece that ends %s", async (_, create, first, last) => {
    pushPieces([create(), create()], first, last);
    const before = await settled();
    const transforms = Array.from({ length: bodies }, create);
    const pieces = pushPieces(transforms, first, last);
    const kept = async (): Promise<number> => ((await settled()) - before) / bodies;
    const alive = (): number => pieces.filter((piece) => piece.deref() !== undefined).length;
    // The engine itself may keep the last for some turns.
    for (let turn = 0; turn < 50 && ((await kept()) >= most || alive() > 0); turn++) await delay(2 * turn);
    expect(alive()).toBe(0);
    expect(await kept()).toBeLessThan(most);
    expect(transforms.map(({ heldBytes }) => heldBytes < most)).not.toContain(false);
  });
});
