import {
  createTokenCache,
  createTokenVerifier,
  type JwtPorts,
  type KeySources,
} from "../../src/authn/index.js";
import type { createAssembler } from "../../src/config/index.js";
import { countingPorts } from "./counting.js";
import { telemetryPorts } from "./telemetry-ports.js";

/** Keys that never arrive. */
export const noKeys: KeySources = () => ({ current: () => undefined, refresh: () => undefined });

/** Judges tokens by inline keys only, and remembers none. */
export const jwtPorts: JwtPorts = {
  keys: noKeys,
  verifier: createTokenVerifier(createTokenCache(0, () => 0)),
};

/** What an assembler takes for authentication where a test is not about it. */
export const authnOptions: Omit<Parameters<typeof createAssembler>[0], "pause" | "providers"> = {
  jwt: jwtPorts,
  introspection: () => {
    throw new Error("nothing is introspected here");
  },
  onAuthenticated: () => {},
  rego: () => {
    throw new Error("no Rego is evaluated here");
  },
  ...countingPorts(),
  telemetry: telemetryPorts(),
};
