import type { MetricObject } from "prom-client";
import type { Resource } from "../config/index.js";
import type { Amendment, DecisionRecord, ServedRecord } from "../telemetry/index.js";
import type { ListenAddress } from "./address.js";
import type { Environment } from "./config-thread.js";
import type { ServingOptions } from "./options.js";
import type { OutletBatch, StoreQuestion } from "./outlet.js";

/** The JWKS of a source of keys, by the name that adapters give it; undefined: it has none. */
export interface KeysMessage {
  readonly type: "keys";
  readonly name: string;
  readonly jwks: string | undefined;
}

/** From the primary to a worker, in order. */
export type ToWorker =
  | KeysMessage
  /** Answers `refresh_keys`, after the keys that it brought; no fetch would come about for `closedMs`. */
  | { readonly type: "keys_refreshed"; readonly name: string; readonly closedMs: number }
  | {
      readonly type: "init";
      readonly options: ServingOptions;
      readonly logLevel: string;
      readonly environment: Environment;
    }
  /** A part of the upserts of the `build` that follows. */
  | { readonly type: "upserts"; readonly resources: readonly Resource[] }
  | {
      readonly type: "build";
      readonly generation: number;
      readonly full: boolean;
      readonly removed: readonly string[];
    }
  /** Use what was built. */
  | { readonly type: "switch" }
  | { readonly type: "listen"; readonly address: ListenAddress }
  | { readonly type: "serving"; readonly serving: boolean }
  | { readonly type: "collect"; readonly id: number }
  /** Answers `store`: these lines are on disk, but for those that `failed` names too. */
  | { readonly type: "stored"; readonly ids: readonly number[]; readonly failed: readonly number[] }
  | { readonly type: "drain"; readonly timeoutMs: number };

/** From a worker to the primary. */
export type FromWorker =
  | { readonly type: "hello" }
  | { readonly type: "built"; readonly generation: number; readonly error: string | undefined }
  | {
      readonly type: "listening";
      readonly address: ListenAddress | undefined;
      readonly error: string | undefined;
    }
  | { readonly type: "refresh_keys"; readonly name: string }
  | {
      readonly type: "decisions";
      readonly records: readonly DecisionRecord[];
      readonly amendments: readonly Amendment[];
      readonly served: readonly ServedRecord[];
    }
  /** For the sinks. */
  | { readonly type: "output"; readonly batch: OutletBatch }
  /** Lines that checks wait for. */
  | { readonly type: "store"; readonly questions: readonly StoreQuestion[] }
  /** A part of what proxies report, before the `collected` of this id: all at once would hold up checks. */
  | { readonly type: "series"; readonly id: number; readonly metrics: readonly MetricObject[] }
  | { readonly type: "collected"; readonly id: number; readonly metrics: readonly MetricObject[] }
  | { readonly type: "drained"; readonly finished: boolean };
