import type { LineLink } from "../../src/server/line-link.js";

/** Two ends of one connection. What is sent arrives when `deliver` is called, in order. */
export interface LinePair {
  readonly near: LineLink;
  readonly far: LineLink;
  /** Lines under way to the far end, and to the near one. */
  readonly toFar: string[];
  readonly toNear: string[];
  /** Lets all lines arrive, also those that are sent meanwhile. */
  deliver(): void;
  /** Both ends learn that the other is gone; lines under way are lost. */
  cut(): void;
}

/** Makes a connection between two ends in this process. */
export function createLinePair(): LinePair {
  const toFar: string[] = [];
  const toNear: string[] = [];
  let isOpen = true;
  const ends: (() => void)[] = [];
  const cut = (): void => {
    isOpen = false;
    toFar.length = 0;
    toNear.length = 0;
    for (const end of ends.splice(0)) end();
  };
  const endOf = (out: string[], listeners: ((line: string) => void)[]): LineLink => ({
    send(line) {
      if (isOpen) out.push(line);
      return isOpen;
    },
    onLine: (listener) => void listeners.push(listener),
    onEnd: (listener) => void ends.push(listener),
    close: cut,
  });
  const nearListeners: ((line: string) => void)[] = [];
  const farListeners: ((line: string) => void)[] = [];
  return {
    near: endOf(toFar, nearListeners),
    far: endOf(toNear, farListeners),
    toFar,
    toNear,
    deliver() {
      while (toFar.length + toNear.length > 0) {
        for (const line of toFar.splice(0)) for (const listener of farListeners) listener(line);
        for (const line of toNear.splice(0)) for (const listener of nearListeners) listener(line);
      }
    },
    cut,
  };
}
