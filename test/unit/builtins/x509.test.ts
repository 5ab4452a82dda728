import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyBuiltins } from "../../../src/builtins/crypto-key.js";
import { x509Builtins } from "../../../src/builtins/crypto-x509.js";
import { BuiltinError, type Value } from "../../../src/builtins/index.js";
import { ipBytes, ipText } from "../../../src/builtins/ip-address.js";
import { readPem, writePem } from "../../../src/builtins/pem.js";
import { anEvaluation, recordedCalls, replay } from "./replay.js";

const builtins = { ...x509Builtins, ...keyBuiltins };

/** What a builtin gives, undefined where it throws a BuiltinError; any other error is thrown. */
function lenient(name: string, ...args: Value[]): Value | undefined {
  try {
    return builtins[name]?.(args, anEvaluation());
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

describe("certificates and keys", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "x509.jsonl.br");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(1_000);
  }, 60_000);

  it("throw nothing but a BuiltinError, whatever bytes they are given", () => {
    const parse = recordedCalls("x509.jsonl.br").filter(
      (call) => call.name === "crypto.x509.parse_certificates" && call.args[0]?.startsWith('"MII'),
    );
    const bytes = Buffer.from(JSON.parse(parse[3]?.args[0] ?? '""') as string, "base64");
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(40), (at, byte, cut) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = byte;
        const text = damaged.subarray(0, damaged.length - (cut < 20 ? 0 : cut)).toString("base64");
        for (const name of ["parse_certificates", "parse_certificate_request"]) {
          const found = lenient(`crypto.x509.${name}`, text);
          expect(found === undefined || typeof found === "object").toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("verify at the evaluation's time, to the nanosecond", () => {
    const call = recordedCalls("x509.jsonl.br").find(
      ({ name, args, result }) =>
        name.endsWith("_with_options") &&
        args[1] === '{"CurrentTime":1577836800000000000}' &&
        result !== undefined,
    );
    const chain = JSON.parse(call?.args[0] ?? '""') as string;
    const verify = builtins["crypto.x509.parse_and_verify_certificates"];
    const start = 1_577_836_800_000_000_000n;
    expect(verify?.([chain], anEvaluation(start))).toMatchObject([true, [{}, {}, {}]]);
    expect(verify?.([chain], anEvaluation(start - 1n))).toEqual([false, []]);
  });
});

describe("PEM", () => {
  it("reads back what it wrote, whatever stands around it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = `junk\n${writePem("X Y", Buffer.from(bytes))}rest`;
        expect(readPem(text)).toEqual({ type: "X Y", bytes: Buffer.from(bytes), rest: "rest" });
      }),
    );
  });

  it("looks through a long text of END lines, or of blanks, in no time", () => {
    const start = performance.now();
    expect(readPem("\n-----END X-----".repeat(60_000))).toBeUndefined();
    expect(readPem(`-----BEGIN X-----\n${" ".repeat(500_000)}x\n-----END X-----\n`)).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe("IP addresses", () => {
  it("have a text from which their bytes come back", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = ipBytes(text);
        expect(bytes).toHaveLength(16);
        expect(ipBytes(ipText(bytes ?? Buffer.alloc(0)))?.subarray(-4)).toEqual(bytes?.subarray(-4));
      }),
    );
  });

  it("are not read from what only looks like one", () => {
    for (const text of [
      "",
      "1.2.3",
      "1.2.3.04",
      "1.2.3.256",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7:8::",
      "g::",
      "12345::",
    ]) {
      expect(ipBytes(text)).toBeUndefined();
    }
  });
});
