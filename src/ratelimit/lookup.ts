import type { AppliedLimit } from "./applied-limit.js";
import type { Domain, Level, Node } from "./domains.js";
import type { DescriptorRequest } from "./model.js";
import { detailedPath, type Match, pathPart, patternOf } from "./statistics-path.js";

type Entries = DescriptorRequest["entries"];

/**
 * The limit that a domain's tree has for a descriptor, or undefined.
 *
 * For each entry `key_value` is asked for by its whole name, then the names that end in `*` in the order of
 * the file, then `key` alone; the first that is found is final, and only a limit on the last entry's node
 * counts. As in envoyproxy/ratelimit nothing but the joined name is compared: the entry (`a_b`, `c`) finds
 * what the file has as (`a`, `b_c`).
 */
export function findLimit(domain: Domain, entries: Entries): AppliedLimit | undefined {
  let level: Level | undefined = domain.level;
  let node: Node | undefined;
  let path: string[] | undefined;
  let patterns: (string | undefined)[] | undefined;
  for (let index = 0; index < entries.length; index += 1) {
    if (level === undefined) {
      return undefined;
    }
    const entry = entries[index] as Entries[number];
    const name = level.joins ? `${entry.key}_${entry.value}` : "";
    let match: Match = "exact";
    node = exactNode(level, name);
    if (node === undefined) {
      match = "wildcard";
      node = wildcardNode(level, name);
    }
    if (node === undefined) {
      match = "key";
      node = level.nodes.get(entry.key);
    }
    if (node === undefined) {
      return undefined;
    }
    if (match === "wildcard" && node.shareThreshold) {
      patterns ??= new Array<string | undefined>(entries.length).fill(undefined);
      patterns[index] = patternOf(node.name, entry.key);
    }
    path = longerPath(path, node, pathPart(node, match, entry));
    level = node.children;
  }
  return node?.limit === undefined ? undefined : asAsked(node.limit, domain, entries, path, patterns);
}

function exactNode(level: Level, name: string): Node | undefined {
  return level.joins && name.length <= level.longest ? level.nodes.get(name) : undefined;
}

function wildcardNode(level: Level, name: string): Node | undefined {
  const { wildcards } = level;
  for (let index = 0; index < wildcards.length; index += 1) {
    const wildcard = wildcards[index] as (typeof wildcards)[number];
    if (name.startsWith(wildcard.prefix)) {
      return wildcard.node;
    }
  }
  return undefined;
}

/** Stays undefined as long as it is the config file's own. */
function longerPath(path: string[] | undefined, node: Node, part: string | undefined): string[] | undefined {
  if (path !== undefined) {
    path.push(part ?? node.name);
    return path;
  }
  return part === undefined ? undefined : [...node.path.slice(0, -1), part];
}

/** Most limits are as the file has them, so that nothing is made here. */
function asAsked(
  limit: AppliedLimit,
  domain: Domain,
  entries: Entries,
  path: readonly string[] | undefined,
  patterns: readonly (string | undefined)[] | undefined,
): AppliedLimit {
  if (limit.isUnlimited) {
    return limit;
  }
  if (limit.detailedMetric) {
    return { ...limit, patterns, path: detailedPath(domain.name, entries, patterns) };
  }
  return path === undefined && patterns === undefined
    ? limit
    : { ...limit, patterns, path: path ?? limit.path };
}
