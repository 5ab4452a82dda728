import type { Logger } from "pino";
import type { Metrics } from "../telemetry/index.js";

/**
 * Keeps the process alive through errors that nobody caught: one request's fault must not end the answers to
 * all others. Each is logged as fatal and counted. Gives a function that takes the net away.
 */
export function survive({ logger, metrics }: { logger: Logger; metrics: Metrics }): () => void {
  const onError = (err: unknown): void => {
    metrics.failed("process");
    logger.fatal({ err }, "uncaught error, the process goes on");
  };
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
  return () => {
    process.off("uncaughtException", onError);
    process.off("unhandledRejection", onError);
  };
}
