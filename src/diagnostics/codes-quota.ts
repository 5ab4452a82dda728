/** GH07xx: quotas and their expressions; GH08xx: config files of envoyproxy/ratelimit. Rows of the table `codes`. */
export const quotaCodes = {
  badExpression: {
    code: "GH0701",
    severity: "error",
    title: "expression cannot be used",
    help: "The text is no CEL, names an attribute or a function that does not exist, or gives a value of another type than the field needs. The place is that in the expression. `docs/expressions.md` lists the attributes and functions.",
  },
  quotaWithoutRoom: {
    code: "GH0702",
    severity: "warning",
    title: "quota lets nothing pass",
    help: "The limit is 0, or every request costs more than can pass at once, so each request that the quota counts is refused. That may be a wish; an AuthorizationPolicy with DENY says it more plainly.",
  },
  quotaWithoutCost: {
    code: "GH0703",
    severity: "warning",
    title: "quota never counts",
    help: "Every request costs 0, so nothing is ever used up, unless `usage` of a BodyPolicy charges it. Leave `cost` away to count requests.",
  },
  overrideWithoutEffect: {
    code: "GH0704",
    severity: "warning",
    title: "override has no effect",
    help: "The first override that matches counts. One before it matches all that this one does, so this one is never asked; or it matches everything, so that the quota's own limit is never used.",
  },
  quotaFieldWithoutEffect: {
    code: "GH0705",
    severity: "warning",
    title: "field of a quota has no effect",
    help: "The field belongs to a choice that the quota does not make, for example `localShare` without `onStoreFailure: local`. Remove it, or make the choice.",
  },
  quotaDomainTaken: {
    code: "GH0706",
    severity: "error",
    title: "domain of a Quota is that of a config file",
    help: "A domain of Envoy's rate limit service is answered either by config files of envoyproxy/ratelimit or by Quotas that name it under `rateLimitService`: their rules for what a refused call costs differ.",
  },
  rateLimitYaml: {
    code: "GH0801",
    severity: "error",
    title: "rate limit file is no YAML 1.1",
    help: "Config files of envoyproxy/ratelimit are read as it reads them: YAML 1.1, the first document only, UTF-8. The message says what cannot be read, where; aliases may repeat and nest only so much.",
  },
  rateLimitKey: {
    code: "GH0802",
    severity: "error",
    title: "unknown key in a rate limit file",
    help: "The keys are `domain`, `descriptors`; of a descriptor `key`, `value`, `rate_limit`, `descriptors`, `shadow_mode`, `quota_mode`, `detailed_metric`, `value_to_metric`, `share_threshold`; of `rate_limit` `unit`, `requests_per_unit`, `unlimited`, `name`, `replaces`. A known key in a wrong place is taken and has no effect, as in envoyproxy/ratelimit.",
  },
  rateLimitType: {
    code: "GH0803",
    severity: "error",
    title: "value of another type in a rate limit file",
    help: "The key takes another type of value. Plain yes, on and y are true; texts take any scalar as it is written; numbers are whole, and a number with a point may stand nowhere in the file unless it is quoted.",
  },
  rateLimitDomain: {
    code: "GH0804",
    severity: "error",
    title: "domain of a rate limit file",
    help: "Every file names a domain, and no two files the same one unless `MERGE_DOMAIN_CONFIG` is true. Otherwise none of the files counts.",
  },
  rateLimitDescriptor: {
    code: "GH0805",
    severity: "error",
    title: "descriptor that cannot match",
    help: "A descriptor has a key, and `share_threshold` belongs to one whose value, or key without a value, ends with `*`.",
  },
  rateLimitDuplicate: {
    code: "GH0806",
    severity: "error",
    title: "two descriptors with one composite key",
    help: "Descriptors at one level are told apart by `key`, or `key_value` where there is a value. The `_` is not escaped: key `a_b` is the same as key `a` with value `b`.",
  },
  rateLimitUnit: {
    code: "GH0807",
    severity: "error",
    title: "unit of a rate limit",
    help: "A limit has one of the units second, minute, hour, day, week, month, year, in any case; one that is `unlimited` has none.",
  },
  rateLimitReplaces: {
    code: "GH0808",
    severity: "error",
    title: "limit that `replaces` cannot name",
    help: "An entry of `replaces` names another limit: not the empty name, and not that of the limit itself.",
  },
} as const;
