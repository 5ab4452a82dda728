import { type BodyFlow, integrityFields } from "../../body/index.js";
import { nothing } from "./side.js";

const noEdits = { remove: [], set: [] } as const;

/** Gives other bytes in place of a body that is already on its way. */
export function replacementFlow(bytes: Uint8Array): BodyFlow {
  let isGiven = false;
  const give = (): Uint8Array => {
    if (isGiven) return nothing;
    isGiven = true;
    return bytes;
  };
  return {
    need: "streamed",
    headEdits: { remove: ["content-length"], set: [] },
    untrueTrailers: integrityFields,
    push: () => ({ kind: "go", bytes: give() }),
    end: () => ({ kind: "go", bytes: give(), edits: noEdits }),
  };
}
