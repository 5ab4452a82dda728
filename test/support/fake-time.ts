/** A clock that moves only when told, with the timers that hang on it. */
export interface FakeTime {
  /** Milliseconds since its start. */
  readonly now: () => number;
  readonly schedule: (ms: number, callback: () => void) => () => void;
  /** Moves on, calling back on the way in order of time, and lets promises settle after each. */
  readonly advance: (ms: number) => Promise<void>;
  /** How many callbacks wait. */
  readonly waiting: () => number;
}

/** Lets promises settle that need nothing from outside. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i += 1) await Promise.resolve();
}

/** Starts at 0. */
export function createFakeTime(): FakeTime {
  let time = 0;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  return {
    now: () => time,
    schedule(ms, callback) {
      const timer = { at: time + ms, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    async advance(ms) {
      const end = time + ms;
      await settle();
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        timers = timers.filter((other) => other !== next);
        time = next.at;
        next.callback();
        await settle();
      }
      time = end;
    },
    waiting: () => timers.length,
  };
}
