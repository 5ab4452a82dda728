/** How often the event loop is looked at, in milliseconds. */
const EVERY_MS = 100;

/** Tells how late the event loop is, in seconds: by so much longer a check waited at that moment. */
export function watchEventLoop(onLag: (seconds: number) => void): { close(): void } {
  let due = performance.now() + EVERY_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    onLag(Math.max(0, now - due) / 1000);
    due = now + EVERY_MS;
  }, EVERY_MS).unref();
  return { close: () => clearInterval(timer) };
}
