import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Report } from "../../../src/report/index.js";
import { encode, http, identified, listening, type Plain, readAll, sidecar, tcp } from "./als-messages.js";

const entry: Plain = { common_properties: { route_name: "r" } };

describe("a stream", () => {
  test("is told once who reports", () => {
    const { receive } = listening();
    const reports = receive(identified(sidecar, "log"), http(entry), http(entry));
    expect(reports.map(({ reporter }) => reporter.id)).toEqual([sidecar["id"], sidecar["id"]]);
    expect(reports[0]?.reporter).toBe(reports[1]?.reporter);
  });

  test("may be told again", () => {
    const { receive } = listening();
    const reports = receive(identified({ id: "a" }), http(entry), identified({ id: "b" }), http(entry));
    expect(reports.map(({ reporter }) => reporter.id)).toEqual(["a", "b"]);
  });

  test("knows nothing of another stream", () => {
    const { receive } = listening();
    receive(identified(sidecar));
    expect(receive(http(entry))[0]?.reporter).toEqual({ id: "", cluster: "", logName: "", party: undefined });
  });

  test("knows who reports even if the message that says it is only counted", () => {
    const { open, reports } = listening();
    const stream = open();
    const first = Buffer.concat([identified({ id: "a" }), http(entry, entry)]);
    expect(stream.count(first)).toBe(2);
    expect(readAll(stream, http(entry))).toEqual([1]);
    stream.close();
    expect(reports.map(({ reporter }) => reporter.id)).toEqual(["a"]);
  });

  test("has no party without a namespace, however its metadata look", () => {
    const { receive } = listening();
    for (const metadata of [
      { fields: {} },
      { fields: { NAMESPACE: { numberValue: 1 }, LABELS: { stringValue: "x" } } },
      { fields: { NAMESPACE: { stringValue: "" }, WORKLOAD_NAME: { stringValue: "a" } } },
    ]) {
      expect(receive(identified({ metadata }), http(entry))[0]?.reporter.party).toBeUndefined();
    }
  });

  test("goes on where a report could not be taken", () => {
    let calls = 0;
    const { receive, skipped, errors } = listening({
      report: () => {
        calls++;
        if (calls === 1) throw new Error("no room");
      },
    });
    receive(http(entry, entry));
    expect(calls).toBe(2);
    expect(skipped).toEqual(["failed"]);
    expect(errors).toEqual([new Error("no room")]);
  });

  test("takes both kinds of entries", () => {
    const { receive } = listening();
    const protocols = receive(http(entry), tcp(entry)).map(({ attributes }) => attributes.protocol);
    expect(protocols).toEqual(["http", "tcp"]);
  });

  test("gives nothing for a message without entries", () => {
    expect(listening().receive(new Uint8Array(), encode({}))).toEqual([]);
  });
});

describe("a message that is read in portions", () => {
  test("reports one entry at a step", () => {
    const { open, reports } = listening();
    const reading = open().read(Buffer.concat([identified({ id: "a" }), http(entry, entry), tcp(entry)]));
    const seen = Array.from(reading, (passed) => [passed, reports.length]);
    expect(seen).toEqual([
      [0, 0],
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
  });

  test("stops in unknown fields and empty logs too", () => {
    const { open, reports } = listening();
    for (const pair of ["7a00", "1200", "0a00"]) {
      const bytes = Buffer.concat([Buffer.from(pair.repeat(50_000), "hex"), http(entry)]);
      const steps = readAll(open(), bytes);
      expect(steps.length).toBeGreaterThan(5);
      expect(steps.reduce((sum, passed) => sum + passed, 0)).toBe(1);
    }
    expect(reports).toHaveLength(3);
  });

  test("skips and counts an entry of more than 256 KiB, however it looks inside", () => {
    const ofLength = (length: number): Plain => ({
      common_properties: { custom_tags: { long: "x".repeat(length) } },
    });
    const { receive, skipped, errors } = listening();
    const reports = receive(http(entry, ofLength(256 * 1024), ofLength(255 * 1024), entry));
    expect(reports.map(({ routeName }) => routeName)).toEqual(["r", "", "r"]);
    expect(skipped).toEqual(["malformed"]);
    expect(String(errors[0])).toBe("WireError: longer than 262144 bytes");
  });

  test("takes nobody's name from an identifier of more than 256 KiB", () => {
    const { open, reports, skipped } = listening();
    const stream = open();
    const bytes = Buffer.concat([identified({ id: "a", cluster: "x".repeat(256 * 1024) }), http(entry)]);
    expect(stream.count(bytes)).toBe(1);
    readAll(stream, bytes);
    expect([reports[0]?.reporter.id, skipped]).toEqual(["", ["malformed"]]);
  });

  const field = (tag: number, inside: Uint8Array): Buffer => {
    const length = [];
    let rest = inside.length;
    for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
    return Buffer.concat([Buffer.of(tag, ...length, rest), inside]);
  };
  const bad = field(0x0a, Buffer.of(0x0a, 0xff));
  const unknown = Buffer.from("7a00".repeat(10_000), "hex");
  /** What may stand in http_logs or tcp_logs: entries, none that can be read, fields that nobody knows. */
  const inside = fc.oneof(
    fc
      .record({
        stream_id: fc.constantFrom("c-1", "c-2"),
        route_name: fc.string({ maxLength: 5 }),
        access_log_type: fc.constantFrom(0, 1, 2, 3, 6, 7, 99),
      })
      .map((common_properties) => http({ common_properties }))
      // Without the tag and the length of http_logs.
      .map((bytes) => bytes.subarray(bytes[1] === bytes.length - 2 ? 2 : 3)),
    fc.constantFrom(bad, unknown),
  );
  const part = fc.oneof(
    fc
      .tuple(fc.constantFrom(0x12, 0x1a), fc.array(inside, { maxLength: 6 }))
      .map(([tag, list]) => [tag, list] as const),
    fc.constantFrom("a", "b").map((id) => identified({ id })),
    fc.constant(unknown),
  );
  const whole = (parts: readonly (Uint8Array | readonly [number, readonly Uint8Array[]])[]): Buffer =>
    Buffer.concat(
      parts.map((one) => (Array.isArray(one) ? field(one[0], Buffer.concat(one[1])) : one)) as never,
    );

  test("gives what its parts give as messages of their own, whatever is done between portions", () => {
    const noted: Report[] = [];
    let isOther = false;
    const apart = listening();
    const cut = listening({ report: (report) => void (isOther || noted.push(report)) });
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 5 }),
        fc.constantFrom("", "12", "0a05", "120a0a", "07"),
        fc.array(fc.constantFrom("nothing", "count", "read"), { minLength: 1, maxLength: 12 }),
        (parts, broken, turns) => {
          const bytes = Buffer.concat([whole(parts), Buffer.from(broken, "hex")]);
          const single = parts.flatMap((one) =>
            Array.isArray(one)
              ? one[1].map((each: Uint8Array) => whole([[one[0], [each]]]))
              : [one as Uint8Array],
          );
          for (const list of [apart.reports, apart.skipped, noted, cut.skipped]) list.length = 0;
          apart.receive(...single, Buffer.from(broken, "hex"));
          const [stream, other] = [cut.open(), cut.open()];
          let passed = 0;
          let step = 0;
          for (const entries of stream.read(bytes)) {
            passed += entries;
            const turn = turns[step++ % turns.length];
            isOther = true;
            if (turn === "count") stream.count(identified({ id: "somebody else" }));
            if (turn === "read") readAll(other, Buffer.concat([identified({ id: "other" }), http(entry)]));
            isOther = false;
          }
          const told = ({ reporter, routeName, event, bytes }: Report): unknown => [
            ...[reporter.id, routeName, event, bytes],
          ];
          expect(noted.map(told)).toEqual(apart.reports.map(told));
          expect(cut.skipped).toEqual(apart.skipped);
          expect(passed).toBe(cut.open().count(bytes));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("bytes of connections", () => {
  const connection = (type: number, received: number, sent: number, more: Plain = {}): Plain => ({
    common_properties: { access_log_type: type, stream_id: "c-1", start_time: { seconds: 100 }, ...more },
    connection_properties: { received_bytes: received, sent_bytes: sent },
  });
  const steps = (reports: readonly Report[]): unknown =>
    reports.map(({ event, bytes }) => [event, bytes.received, bytes.sent]);

  test("count once, from open to close", () => {
    const { receive } = listening();
    const reports = receive(
      tcp(connection(14, 0, 0), connection(1, 0, 0), connection(2, 3, 30), connection(2, 8, 30)),
      tcp(connection(3, 10, 40)),
    );
    expect(steps(reports)).toEqual([
      ["open", 0, 0],
      ["continue", 0, 0],
      ["continue", 3, 30],
      ["continue", 5, 0],
      ["close", 2, 10],
    ]);
  });

  test("count whole where only the end is reported", () => {
    expect(steps(listening({ now: 200_000 }).receive(tcp(connection(3, 10, 40))))).toEqual([
      ["close", 10, 40],
    ]);
  });

  test("of a connection that is older than this process count from its first report on", () => {
    const { receive } = listening({ now: 200_000 });
    expect(steps(receive(tcp(connection(2, 10, 40), connection(3, 11, 42))))).toEqual([
      ["continue", 0, 0],
      ["close", 1, 2],
    ]);
  });

  test("go on over streams of one proxy, and are kept apart by proxy, log and connection", () => {
    const { receive } = listening();
    receive(identified({ id: "a" }, "one"), tcp(connection(2, 10, 10)));
    const bytesOf = (id: string, log: string, more: Plain = {}): number | undefined =>
      receive(identified({ id }, log), tcp(connection(2, 15, 15, more)))[0]?.bytes.received;
    expect(bytesOf("a", "one")).toBe(5);
    expect(bytesOf("b", "one")).toBe(15);
    expect(bytesOf("a", "two")).toBe(15);
    expect(bytesOf("a", "one", { stream_id: "c-2" })).toBe(15);
  });

  test("are never negative", () => {
    const { receive } = listening();
    expect(steps(receive(tcp(connection(2, 10, 10), connection(3, 4, 4))))).toEqual([
      ["continue", 10, 10],
      ["close", 0, 0],
    ]);
  });

  test("of a client that is still shaking hands are those of the entry that names it", () => {
    const early = { tls_properties: { tls_version: 4 } };
    const named = { tls_properties: { peer_certificate_properties: { subject: "CN=client" } } };
    const reports = listening().receive(
      tcp(connection(1, 0, 0, early), connection(2, 3, 4, named), connection(3, 5, 9, named)),
    );
    expect(steps(reports)).toEqual([
      ["open", 0, 0],
      ["continue", 3, 4],
      ["close", 2, 5],
    ]);
    expect(reports.map(({ isFirst }) => isFirst)).toEqual([false, true, false]);
  });

  test("of a client that never shows who it is count as well", () => {
    const early = { tls_properties: { tls_version: 4 } };
    const reports = listening().receive(tcp(connection(1, 0, 0, early), connection(3, 5, 9, early)));
    expect(reports.map(({ isFirst, bytes }) => [isFirst, bytes.sent])).toEqual([
      [false, 0],
      [true, 9],
    ]);
  });

  test("of UDP sessions have the same events", () => {
    const reports = listening().receive(
      tcp(connection(11, 0, 0), connection(12, 5, 5), connection(13, 5, 9)),
    );
    expect(steps(reports)).toEqual([
      ["open", 0, 0],
      ["continue", 5, 5],
      ["close", 0, 4],
    ]);
  });
});
