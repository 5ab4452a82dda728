/** Statuses of gRPC that a call can fail with. */
export const rpcCode = {
  unknown: 2,
  invalidArgument: 3,
  internal: 13,
} as const;

/** One of `rpcCode`. */
export type RpcCode = (typeof rpcCode)[keyof typeof rpcCode];

/** A call failed: what the caller is told, so without anything that it may not know. */
export class RpcError extends Error {
  readonly code: RpcCode;

  constructor(code: RpcCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RpcError";
    this.code = code;
  }
}
