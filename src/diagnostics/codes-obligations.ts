/** GH115x: obligations, and what responses cost quotas. Rows of the table `codes`. */
export const obligationCodes = {
  invalidObligations: {
    code: "GH1150",
    severity: "error",
    title: "obligations cannot be read, or stand where they have no effect",
    help: "The annotation `gatehouse.dev/obligations` lists BodyPolicies, `mask-customers, other-ns/strict`, on an AuthorizationPolicy with action ALLOW or AUDIT: they hold for every request that the policy matches and that is allowed in the end. Anywhere else nobody would carry them out.",
  },
  unknownObligation: {
    code: "GH1151",
    severity: "error",
    title: "obligation names an unknown BodyPolicy",
    help: "No BodyPolicy of this namespace and name is loaded, so nothing would be masked. Mind that a name without a namespace is of the policy's own.",
  },
  unknownUsageQuota: {
    code: "GH1152",
    severity: "error",
    title: "usage is charged to an unknown Quota",
    help: "No Quota of this namespace and name is loaded. Mind that a name without a namespace is of the BodyPolicy's own.",
  },
  uncountableUsage: {
    code: "GH1153",
    severity: "error",
    title: "usage is charged to a Quota that counts what is in use",
    help: "A Quota with `algorithm: concurrency` counts requests under way, of which nothing is left when the response is over. Charge one that counts over time.",
  },
} as const;
