import type { SharedPatterns } from "./counter-key.js";
import type { Node } from "./domains.js";
import type { DescriptorRequest } from "./model.js";

type Entries = DescriptorRequest["entries"];
type Entry = Entries[number];

/** How an entry came to its node: by its joined name, by a name that ends in `*`, or by its key alone. */
export type Match = "exact" | "wildcard" | "key";

/** What stands for the value where a node that ends in `*` was found: its name without the entry's key. */
export function patternOf(name: string, key: string): string {
  return name.length > key.length && name.charCodeAt(key.length) === underscore && name.startsWith(key)
    ? name.slice(key.length + 1)
    : name;
}

const underscore = "_".charCodeAt(0);

/** The part of a statistics name that is due to one entry; undefined where it is the node's own name. */
export function pathPart(node: Node, match: Match, entry: Entry): string | undefined {
  switch (match) {
    case "exact":
      return entry.value === "" ? entry.key : undefined;
    case "key":
      return node.valueToMetric && entry.value !== "" ? joined(entry) : undefined;
    case "wildcard": {
      if (node.valueToMetric && !node.shareThreshold) {
        return joined(entry);
      }
      const pattern = patternOf(node.name, entry.key);
      return pattern === node.name ? `${entry.key}_${pattern}` : undefined;
    }
  }
}

/**
 * Of a limit with `detailed_metric`: keys and values of the request, a pattern where values share a counter.
 */
export function detailedPath(
  domain: string,
  entries: Entries,
  patterns: SharedPatterns | undefined,
): readonly string[] {
  const path = [domain];
  for (const [index, entry] of entries.entries()) {
    if (patterns === undefined) {
      path.push(`${entry.key}_${entry.value}`);
    } else {
      const pattern = patterns[index];
      path.push(pattern === undefined ? joined(entry) : `${entry.key}_${pattern}`);
    }
  }
  return path;
}

/**
 * Of a limit that the request brought: its keys and values. The peer puts no dot behind parts that are empty
 * so far.
 */
export function overridePath(domain: string, entries: Entries): readonly string[] {
  const parts = entries.map(joined);
  const first = parts.findIndex((part) => part !== "");
  return first === -1 ? [domain, ""] : [domain, ...parts.slice(first)];
}

function joined(entry: Entry): string {
  return entry.value === "" ? entry.key : `${entry.key}_${entry.value}`;
}
