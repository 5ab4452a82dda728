import { describe, expect, test } from "vitest";
import type { Report } from "../../../src/report/index.js";
import { encode, http, identified, listening, type Plain, sidecar, tcp } from "./als-messages.js";

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
    expect(stream.receive(http(entry))).toBe(1);
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
