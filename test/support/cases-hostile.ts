import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { Rbac } from "../../src/rbac/index.js";
import { rawRequest } from "./raw-http.js";

/** One request of `hostile.yaml`. */
export interface HostileCase {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly lines?: readonly string[];
  readonly long?: number;
  readonly many?: number;
  readonly verdicts: {
    readonly raw: Verdict;
    readonly normalized: Verdict;
    readonly strict: "refused" | "same";
  };
}

/** A status is Envoy's own answer, before any filter. */
export type Verdict = "allow" | "deny" | number;

/** `hostile.yaml` as it is. */
export interface HostileCases {
  /** Filters, one after the other. */
  readonly rules: readonly Rbac[];
  readonly requests: readonly HostileCase[];
}

/** Reads the table of hostile requests. */
export function readHostileCases(): HostileCases {
  const file = fileURLToPath(new URL("../conformance/cases/hostile.yaml", import.meta.url));
  return parse(readFileSync(file, "utf8")) as HostileCases;
}

/** The request, one character a byte. */
export function hostileBytes({ path, method, lines = [], long = 0, many = 0 }: HostileCase): string {
  return rawRequest(
    path,
    [
      ...(lines.some((line) => /^host/i.test(line)) ? [] : ["Host: shop.example"]),
      ...lines,
      ...(long > 0 ? [`x-long: ${"a".repeat(long)}`] : []),
      ...Array.from({ length: many }, (_, at) => `x-many-${at}: ${at}`),
    ],
    method,
  );
}
