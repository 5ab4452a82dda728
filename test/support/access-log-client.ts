import grpc from "@grpc/grpc-js";
import type { MethodDefinition, ServiceDefinition } from "@grpc/proto-loader";
import { loadProtos } from "../../src/server/protos.js";

/** A stream of access logs, as Envoy opens one. */
export interface AccessLogStream {
  /** Sends a message of so many entries; fulfilled when it is on its way. */
  write(entries: number): Promise<void>;
  /** Half-closes; fulfilled with the status's code. */
  end(): Promise<number>;
  close(): void;
}

/** Opens one over a connection of its own. */
export function openAccessLog(address: string, workload: string): AccessLogStream {
  const service = loadProtos().packages["envoy.service.accesslog.v3.AccessLogService"] as ServiceDefinition;
  const { path, requestSerialize } = service["StreamAccessLogs"] as MethodDefinition<object, object>;
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  let settle: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    settle = resolve;
  });
  const bytes = (value: Buffer): Buffer => value;
  const call = client.makeClientStreamRequest<Buffer, Buffer>(path, bytes, bytes, (error) =>
    settle(error?.code ?? grpc.status.OK),
  );
  const metadata = {
    fields: { NAMESPACE: { stringValue: "bookshop" }, WORKLOAD_NAME: { stringValue: workload } },
  };
  const identifier = { node: { id: workload, metadata }, log_name: "gatehouse" };
  const one = {
    common_properties: { access_log_type: "DownstreamEnd", start_time: { seconds: 1_700_000_000 } },
    request: { request_method: "GET", scheme: "http", authority: "books.example", path: "/books" },
    response: { response_code: { value: 200 }, response_code_details: "via_upstream" },
  };
  const encoded = new Map<number, Buffer>();
  return {
    write(entries) {
      let message = encoded.get(entries);
      if (message === undefined) {
        const http_logs = { log_entry: Array.from({ length: entries }, () => one) };
        message = requestSerialize({ identifier, http_logs });
        encoded.set(entries, message);
      }
      return new Promise((resolve) => call.write(message, () => resolve()));
    },
    end() {
      call.end();
      return ended;
    },
    close: () => client.close(),
  };
}
