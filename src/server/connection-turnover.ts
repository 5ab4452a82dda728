/** What of a session of HTTP/2 is used here. */
interface Session {
  goaway(code: number, lastStreamId: number): void;
  readonly destroyed: boolean;
}

/** Resets that a connection may see: nghttp2 takes 1000, and then 33 a second. */
const maxResets = 800;

/** No stream is refused that was opened before the peer knew; nghttp2 may lose some of them all the same (measured). */
const anyStream = 2 ** 31 - 1;

/**
 * Told of each stream that its peer ends by a reset, as Envoy does with all of ext_proc (measured with 1.40) unless its
 * runtime says `ext_proc_graceful_grpc_close`, as our bootstraps do. nghttp2, which Node.js 20 cannot configure, takes many
 * resets for an attack and closes the connection with all that is under way; so the peer is asked for another connection in
 * time. What is under way ends where it is.
 */
export function createTurnover(): (session: Session | undefined) => void {
  const resets = new WeakMap<Session, number>();
  return (session) => {
    if (session === undefined) return;
    const count = (resets.get(session) ?? 0) + 1;
    resets.set(session, count);
    if (count === maxResets && !session.destroyed) session.goaway(0, anyStream);
  };
}
