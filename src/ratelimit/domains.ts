import { type AppliedLimit, compileLimit } from "./applied-limit.js";
import type { CounterKeys } from "./counter-key.js";
import type { DescriptorConfig, RateLimitFile } from "./model.js";

/** One level of a domain's tree, as requests ask for it. */
export interface Level {
  /** By `key` or `key_value`. */
  readonly nodes: ReadonlyMap<string, Node>;
  /** Those that end in `*`, in the order of the file. */
  readonly wildcards: readonly Wildcard[];
  /** An entry's key and value joined may be, or begin, a node's name: one has a `_` or ends in `*`. */
  readonly joins: boolean;
  /** Length of the longest name. */
  readonly longest: number;
}

/** A descriptor of a config file. */
export interface Node {
  /** `key` or `key_value`. */
  readonly name: string;
  /** Names from the domain down to here. */
  readonly path: readonly string[];
  readonly limit: AppliedLimit | undefined;
  readonly valueToMetric: boolean;
  readonly shareThreshold: boolean;
  /** Undefined where there is none. */
  readonly children: Level | undefined;
}

/** A node for all names that begin so. */
export interface Wildcard {
  readonly prefix: string;
  readonly node: Node;
}

/** A domain of the config files. */
export interface Domain {
  readonly name: string;
  /** What the keys of its counters begin with. */
  readonly keyStart: string;
  readonly level: Level;
}

interface Compilation {
  readonly keys: CounterKeys;
  readonly nearLimitRatio: number;
}

/**
 * The trees of config files, by domain. Files of one domain are taken together, in order; that nothing is in
 * them twice was seen to before.
 */
export function compileDomains(
  files: readonly RateLimitFile[],
  compilation: Compilation,
): ReadonlyMap<string, Domain> {
  const descriptors = new Map<string, DescriptorConfig[]>();
  for (const file of files) {
    const known = descriptors.get(file.domain);
    if (known === undefined) {
      descriptors.set(file.domain, [...file.descriptors]);
    } else {
      known.push(...file.descriptors);
    }
  }
  const domains = new Map<string, Domain>();
  for (const [name, children] of descriptors) {
    const level = compileLevel(children, [name], compilation);
    domains.set(name, { name, keyStart: compilation.keys.domainPart(name), level });
  }
  return domains;
}

function compileLevel(
  descriptors: readonly DescriptorConfig[],
  path: readonly string[],
  compilation: Compilation,
): Level {
  const nodes = new Map<string, Node>();
  const wildcards: Wildcard[] = [];
  let joins = false;
  let longest = 0;
  for (const descriptor of descriptors) {
    const name = descriptor.value === "" ? descriptor.key : `${descriptor.key}_${descriptor.value}`;
    const node = compileNode(descriptor, name, [...path, name], compilation);
    nodes.set(name, node);
    if (name.endsWith("*")) {
      wildcards.push({ prefix: name.slice(0, -1), node });
    }
    joins ||= name.includes("_") || name.endsWith("*");
    longest = Math.max(longest, name.length);
  }
  return { nodes, wildcards, joins, longest };
}

function compileNode(
  descriptor: DescriptorConfig,
  name: string,
  path: readonly string[],
  compilation: Compilation,
): Node {
  return {
    name,
    path,
    limit: compileLimit(descriptor, path, compilation.nearLimitRatio),
    valueToMetric: descriptor.valueToMetric,
    shareThreshold: descriptor.shareThreshold,
    children:
      descriptor.descriptors.length === 0
        ? undefined
        : compileLevel(descriptor.descriptors, path, compilation),
  };
}
