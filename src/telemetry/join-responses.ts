import type { ServedResponse } from "./joined.js";

/**
 * What is known after two reports about one decision. The later one holds; bytes of a connection are added, since its
 * reports say what came since the one before. Nothing is added to what is over, and not what another log says of the
 * same: it would be counted twice.
 */
export function joinResponses(
  known: ServedResponse,
  next: ServedResponse,
  isConnection: boolean,
): ServedResponse {
  if (known.event === "close" || known.reporter !== next.reporter || known.log_name !== next.log_name) {
    return known;
  }
  if (!isConnection) return next;
  return {
    ...next,
    request_bytes: known.request_bytes + next.request_bytes,
    response_bytes: known.response_bytes + next.response_bytes,
  };
}
