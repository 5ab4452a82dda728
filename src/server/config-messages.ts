import { deserialize, serialize } from "node:v8";
import type { ConfigUpdate, Resource } from "../config/index.js";

/** From the thread that reads the configuration. */
export interface FromConfigThread {
  /** An update without its `upserts`. */
  readonly update: Omit<ConfigUpdate, "upserts">;
  /** The `upserts`, packed in parts that are unpacked one at a time. */
  readonly parts: readonly ArrayBuffer[];
}

/** To it. */
export type ToConfigThread = { readonly type: "reload" };

/** A resource on its way. */
interface Packed {
  /** With `isKnown` its `spec` is left out: it is the one that the receiver has under the same id. */
  readonly resource: Resource;
  readonly isKnown: boolean;
}

/** How many resources are unpacked in one turn of the event loop: 100 policies take about a millisecond. */
const PART_SIZE = 100;

/**
 * Packs an update so that the receiving thread decides when it spends time on it: transferred, the parts cost
 * nothing. `sent` holds the hash of what the receiver has, by id; it is brought up to date.
 */
export function pack({ upserts, ...update }: ConfigUpdate, sent: Map<string, string>): FromConfigThread {
  const parts: ArrayBuffer[] = [];
  for (const id of update.removed) sent.delete(id);
  for (let i = 0; i < upserts.length; i += PART_SIZE) {
    const packed = upserts.slice(i, i + PART_SIZE).map((resource): Packed => {
      // A document that only moved within its file, as all do behind a line that was put in.
      const isKnown = sent.get(resource.id) === resource.hash;
      sent.set(resource.id, resource.hash);
      return { resource: isKnown ? { ...resource, spec: undefined } : resource, isKnown };
    });
    const bytes = serialize(packed);
    const own = new ArrayBuffer(bytes.length);
    new Uint8Array(own).set(bytes);
    parts.push(own);
  }
  return { update, parts };
}

/** Unpacks an update, pausing after each part. `known` is what was unpacked before, by id. */
export async function unpack(
  { update, parts }: FromConfigThread,
  known: ReadonlyMap<string, Resource>,
  pause: () => Promise<void>,
): Promise<ConfigUpdate> {
  const upserts: Resource[] = [];
  for (const part of parts) {
    for (const { resource, isKnown } of deserialize(new Uint8Array(part)) as Packed[]) {
      upserts.push(isKnown ? { ...resource, spec: known.get(resource.id)?.spec } : resource);
    }
    await pause();
  }
  return { ...update, upserts };
}
