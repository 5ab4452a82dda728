/** What of a session of HTTP/2 is used here. */
interface Session {
  goaway(code: number, lastStreamId: number): void;
  readonly destroyed: boolean;
}

/** Streams that a connection may carry: nghttp2 counts 1000 resets, and then 33 a second. */
const maxStreams = 800;

/** No stream is refused that was opened before the peer knew. */
const anyStream = 2 ** 31 - 1;

/**
 * Told of each stream that its peer ends by a reset, as Envoy does with all of ext_proc (measured with 1.40). nghttp2,
 * which Node.js 20 cannot configure, takes many resets for an attack and closes the connection with all that is under
 * way; so the peer is asked for another connection in time. What is under way ends where it is.
 */
export function createTurnover(): (session: Session | undefined) => void {
  const opened = new WeakMap<Session, number>();
  return (session) => {
    if (session === undefined) return;
    const count = (opened.get(session) ?? 0) + 1;
    opened.set(session, count);
    if (count === maxStreams && !session.destroyed) session.goaway(0, anyStream);
  };
}
