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

/** How many resources are unpacked in one turn of the event loop: 100 policies take about a millisecond. */
const PART_SIZE = 100;

/** Packs an update so that the receiving thread decides when it spends time on it: transferred, the parts cost nothing. */
export function pack({ upserts, ...update }: ConfigUpdate): FromConfigThread {
  const parts: ArrayBuffer[] = [];
  for (let i = 0; i < upserts.length; i += PART_SIZE) {
    const bytes = serialize(upserts.slice(i, i + PART_SIZE));
    const own = new ArrayBuffer(bytes.length);
    new Uint8Array(own).set(bytes);
    parts.push(own);
  }
  return { update, parts };
}

/** Unpacks an update, pausing after each part. */
export async function unpack(
  { update, parts }: FromConfigThread,
  pause: () => Promise<void>,
): Promise<ConfigUpdate> {
  const upserts: Resource[] = [];
  for (const part of parts) {
    for (const resource of deserialize(new Uint8Array(part)) as Resource[]) upserts.push(resource);
    await pause();
  }
  return { ...update, upserts };
}
