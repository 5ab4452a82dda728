import { createVocabulary, requestVocabulary, type Vocabulary } from "../expressions/index.js";
import type { ReportInput } from "./plan.js";
import { type ReportAttribute, refused } from "./vocabulary-attribute.js";
import { checkAttributes } from "./vocabulary-check.js";
import { partyAttributes } from "./vocabulary-parties.js";
import { requestAttributes } from "./vocabulary-request.js";

const byTag = "give it to the access log as a custom tag and read `custom_tags['NAME']`";

/** Names of Envoy's and Istio's expressions of which an access log entry says nothing. */
const elsewhere: readonly ReportAttribute[] = [
  refused("request.auth.claims", `claims of the token do not reach reports, ${byTag}`),
  refused(
    "request.auth.audiences",
    "audiences of the token do not reach reports, expected `request.auth.principal`",
  ),
  refused(
    "request.auth.presenter",
    "the presenter does not reach reports, expected `request.auth.principal`",
  ),
  refused("filter_state", `filter state does not reach reports, ${byTag}`),
  refused("upstream_filter_state", `filter state does not reach reports, ${byTag}`),
  refused("metadata", `dynamic metadata are not an attribute, ${byTag}; those of decisions are \`check.…\``),
  refused("node.metadata", `metadata of the node are not an attribute, ${byTag}`),
  refused("xds.node", "the node is not an attribute, expected `node.id` or `node.cluster`"),
  refused("xds.cluster_metadata", `metadata of the cluster do not reach reports, ${byTag}`),
  refused("xds.listener_metadata", `metadata of the listener do not reach reports, ${byTag}`),
  refused("xds.route_metadata", `metadata of the route do not reach reports, ${byTag}`),
  refused("xds.virtual_host_name", `the virtual host does not reach reports, ${byTag}`),
  refused("xds.virtual_host_metadata", `metadata of the virtual host do not reach reports, ${byTag}`),
  refused("xds.upstream_host_metadata", `metadata of the upstream host do not reach reports, ${byTag}`),
  refused("xds.filter_chain_name", `the filter chain does not reach reports, ${byTag}`),
  refused("listener_direction", "unknown attribute `listener_direction`, expected `xds.listener_direction`"),
  refused("cluster_name", "unknown attribute `cluster_name`, expected `xds.cluster_name`"),
  refused("route_name", "unknown attribute `route_name`, expected `xds.route_name`"),
  refused("istio_operationId", `there is no attribute generation here, ${byTag}, or use pathTemplate()`),
  refused("check.cache_hit", "whether a decision came from a cache does not reach reports"),
];

/**
 * What an expression may say of a report: all of the request's, and what came of it. A later name replaces
 * an earlier one. `docs/expressions.md` is its table.
 */
export const reportVocabulary: Vocabulary<ReportInput> = createVocabulary<ReportInput>([
  ...requestVocabulary.attributes.values(),
  ...requestAttributes,
  ...partyAttributes,
  ...checkAttributes,
  ...elsewhere,
]);
