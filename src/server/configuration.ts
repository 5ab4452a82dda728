import type { ConfigUpdate, Resource } from "../config/index.js";
import type { Diagnostic } from "../diagnostics/index.js";
import type { Metrics, ReloadResult } from "../telemetry/index.js";
import type { ServerPorts } from "./options.js";

/** Where configurations come from, one after the other. */
export interface ConfigSource {
  onUpdate(listener: (update: ConfigUpdate) => void): void;
  /** Reads everything again, now. */
  reload(): unknown;
  close(): unknown;
}

/** One step from the configuration in force to the next. */
export interface ConfigChange {
  readonly generation: number;
  /** `upserts` is the whole configuration: forget what came before. */
  readonly full: boolean;
  readonly upserts: readonly Resource[];
  readonly removed: readonly string[];
}

/** Puts a change in force everywhere; when it rejects, the old configuration is in force everywhere. */
export type Install = (change: ConfigChange) => Promise<void>;

/** A resource in force, and since which generation it has been as it is. */
export interface ResourceInForce {
  readonly resource: Resource;
  readonly generation: number;
}

/** What an operator may ask about the configuration. */
export interface ConfigState {
  /** 0: none is in force, everything is denied. */
  readonly generation: number;
  readonly resources: ReadonlyMap<string, ResourceInForce>;
  /** Of the configuration on disk, which need not be the one in force. */
  readonly diagnostics: readonly Diagnostic[];
  readonly lastReload: { readonly time: number; readonly result: ReloadResult } | undefined;
  /** Why the last reload failed, when it was not for what diagnostics say. */
  readonly lastError: string | undefined;
}

/** What is in force, and what came of the last reload. */
export interface Configuration {
  state(): ConfigState;
  /** Resolves when the first configuration was read and, if it is valid, is in force. */
  readonly first: Promise<ConfigState>;
  /**
   * The change that brings a process which knows nothing to the configuration in force; undefined when there
   * is none.
   */
  inForce(): ConfigChange | undefined;
}

interface ConfigurationOptions extends ServerPorts {
  readonly source: ConfigSource;
  readonly install: Install;
  readonly metrics: Metrics;
}

/**
 * Takes updates one by one and keeps the last good configuration in force. An update is a step from the one
 * read before it, in force or not; so after a step that could not be installed the next one is the whole
 * configuration.
 */
export function createConfiguration(options: ConfigurationOptions): Configuration {
  const { logger, metrics, now } = options;
  let state: ConfigState = {
    generation: 0,
    resources: new Map(),
    diagnostics: [],
    lastReload: undefined,
    lastError: undefined,
  };
  let read: ReadonlyMap<string, ResourceInForce> = state.resources;
  let missedStep = true;
  let settle: (state: ConfigState) => void = () => {};
  const first = new Promise<ConfigState>((resolve) => {
    settle = resolve;
  });

  const install = async (update: ConfigUpdate): Promise<void> => {
    const generation = state.generation + 1;
    read = step(read, update, generation);
    const change: ConfigChange = missedStep
      ? wholeOf(read, generation)
      : { generation, full: false, upserts: update.upserts, removed: update.removed };
    missedStep = true;
    await options.install(change);
    missedStep = false;
    state = { ...state, generation, resources: read };
  };

  const take = async (update: ConfigUpdate): Promise<void> => {
    let result: ReloadResult = "invalid";
    let lastError: string | undefined;
    if (update.ok) {
      try {
        await install(update);
        result = "ok";
      } catch (error) {
        result = "failed";
        lastError = error instanceof Error ? error.message : String(error);
        metrics.failed("config");
        logger.error({ err: error }, "configuration could not be put in force, the old one stays");
      }
    }
    state = { ...state, diagnostics: update.diagnostics, lastReload: { time: now(), result }, lastError };
    report(state, result, options);
    settle(state);
  };

  let queue: Promise<void> = Promise.resolve();
  options.source.onUpdate((update) => {
    queue = queue.then(() => take(update));
  });
  return {
    state: () => state,
    first,
    inForce: () => (state.generation === 0 ? undefined : wholeOf(state.resources, state.generation)),
  };
}

function step(
  before: ReadonlyMap<string, ResourceInForce>,
  update: ConfigUpdate,
  generation: number,
): ReadonlyMap<string, ResourceInForce> {
  const after = new Map(before);
  for (const id of update.removed) after.delete(id);
  for (const resource of update.upserts) after.set(resource.id, { resource, generation });
  return after;
}

function wholeOf(resources: ReadonlyMap<string, ResourceInForce>, generation: number): ConfigChange {
  return {
    generation,
    full: true,
    upserts: [...resources.values()].map((entry) => entry.resource),
    removed: [],
  };
}

/** At most this many findings are logged at a reload; `/config` shows all. */
const LOGGED_DIAGNOSTICS = 20;

function report(state: ConfigState, result: ReloadResult, { logger, metrics }: ConfigurationOptions): void {
  const errors = state.diagnostics.filter((d) => d.severity === "error").length;
  const kinds = new Map<string, number>();
  for (const { resource } of state.resources.values()) {
    kinds.set(resource.kind, (kinds.get(resource.kind) ?? 0) + 1);
  }
  metrics.reloaded(result);
  metrics.configured({
    generation: state.generation,
    lastReloadSuccess: result === "ok",
    diagnostics: { error: errors, warning: state.diagnostics.length - errors },
    resources: kinds,
  });
  for (const diagnostic of state.diagnostics.slice(0, LOGGED_DIAGNOSTICS)) {
    logger[diagnostic.severity === "error" ? "error" : "warn"](
      { diagnostic },
      "finding in the configuration",
    );
  }
  const { generation, resources } = state;
  if (result === "ok") logger.info({ generation, resources: resources.size }, "configuration in force");
  else logger.error({ generation, errors }, "configuration rejected, the last good one stays in force");
}
