import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Charge, CounterKey } from "../quota/index.js";

/** How counters are called in Redis. */
export interface RedisKeys {
  /** Of a Quota's counter. */
  readonly quota: (counter: CounterKey) => string;
  /** Of a charge with an id: that it was charged. */
  readonly id: (charge: Charge, id: string) => string;
  /** Of when a Quota's counter was reset. */
  readonly reset: (counter: CounterKey) => string;
  /** Of Envoy's rate limit service: the key as it is, so that envoyproxy/ratelimit and we can share
   * a Redis; its group is not in it then. */
  readonly rateLimit: (counter: CounterKey) => string;
}

/**
 * A Quota's keys begin with their group as hash tag (after the prefix), in the same way on one server and in
 * a cluster; those of the rate limit service only in a cluster. What Quotas keep is called in three ways that
 * never meet.
 */
export function createRedisKeys(prefix: string, isCluster: boolean): RedisKeys {
  return {
    quota: ({ group, key }) => `${prefix}q:${hashTag(group)}${key}`,
    id: ({ group, key }, id) =>
      `${prefix}id:${hashTag(group)}${createHash("sha256").update(id).digest("hex")}:${key}`,
    reset: ({ group, key }) => `${prefix}reset:${hashTag(group)}${key}`,
    rateLimit: isCluster ? ({ group, key }) => `${hashTag(group)}${key}` : ({ key }) => key,
  };
}

/** The last ones: there are few groups, and each request has one. */
const tags = new LRUCache<string, string>({ max: 1_000 });

/**
 * A tag ends at the first `}` and an empty one is none (Redis Cluster specification, "hash tags"), so braces
 * are escaped, and the empty group gets what no other group becomes.
 */
function hashTag(group: string): string {
  let tag = tags.get(group);
  if (tag === undefined) {
    tag = group === "" ? "{%}" : `{${group.replace(/[%{}]/g, escapeCharacter)}}`;
    tags.set(group, tag);
  }
  return tag;
}

function escapeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16)}`;
}
