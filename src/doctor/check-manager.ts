import { type Code, codes, show } from "../diagnostics/index.js";
import type { Chain, Manager } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import { isSet, type Tell, tellOf } from "./tell.js";
import { at, entries, isOn, items, named, number, placeOf, type Tree, text } from "./tree.js";
import { settingsOf } from "./typed.js";

/** A connection manager that asks for decisions. */
export function checkManager(
  manager: Manager,
  chain: Chain,
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const { config } = manager;
  const needs = (isFine: boolean, code: Code, field: string, message: string): void => {
    if (!isFine) tellOf(tell, code, config, field, message);
  };
  needs(
    isOn(config, "normalize_path"),
    codes.doctorPathNotNormalized,
    "normalize_path",
    "paths are not normalised, expected `normalize_path: true`",
  );
  needs(
    isOn(config, "merge_slashes"),
    codes.doctorSlashesNotMerged,
    "merge_slashes",
    "slashes are not merged, expected `merge_slashes: true`",
  );
  const escaped = named(escapedActions, config, "path_with_escaped_slashes_action");
  needs(
    escaped !== "IMPLEMENTATION_SPECIFIC_DEFAULT" && escaped !== "KEEP_UNCHANGED",
    codes.doctorEscapedSlashes,
    "path_with_escaped_slashes_action",
    "`%2F` and `%5C` are kept in paths, expected `path_with_escaped_slashes_action: REJECT_REQUEST`",
  );
  const options = "common_http_protocol_options";
  needs(
    named(underscoreActions, config, options, "headers_with_underscores_action") !== "ALLOW",
    codes.doctorUnderscores,
    `${options}.headers_with_underscores_action`,
    "header names with underscores pass, expected `headers_with_underscores_action: REJECT_REQUEST`",
  );
  checkAddresses(manager, facts, tell);
  const forwarded = named(certificateActions, config, "forward_client_cert_details");
  const isForwarded =
    forwarded === "ALWAYS_FORWARD_ONLY" ||
    (forwarded !== "SANITIZE" && forwarded !== "SANITIZE_SET" && chain.tls === "mutual");
  needs(
    !isForwarded,
    codes.doctorForwardedCertificate,
    "forward_client_cert_details",
    `x-forwarded-client-cert of the peer is passed on (\`${forwarded}\`), expected SANITIZE or SANITIZE_SET`,
  );
  needs(
    !isOn(config, "preserve_external_request_id"),
    codes.doctorClientRequestId,
    "preserve_external_request_id",
    "clients choose x-request-id, expected no `preserve_external_request_id`",
  );
  needs(
    !isOn(config, "http_protocol_options", "allow_chunked_length"),
    codes.doctorChunkedLength,
    "http_protocol_options.allow_chunked_length",
    "content-length beside transfer-encoding passes, expected no `allow_chunked_length`",
  );
}

export const escapedActions = [
  "IMPLEMENTATION_SPECIFIC_DEFAULT",
  "KEEP_UNCHANGED",
  "REJECT_REQUEST",
  "UNESCAPE_AND_REDIRECT",
  "UNESCAPE_AND_FORWARD",
] as const;
const underscoreActions = ["ALLOW", "REJECT_REQUEST", "DROP_HEADER"] as const;
const certificateActions = [
  "SANITIZE",
  "FORWARD_ONLY",
  "APPEND_FORWARD",
  "SANITIZE_SET",
  "ALWAYS_FORWARD_ONLY",
] as const;

function checkAddresses(manager: Manager, facts: PolicyFacts | undefined, tell: Tell): void {
  const { config } = manager;
  const listener = {
    useRemoteAddress: isOn(config, "use_remote_address"),
    numTrustedHops: number(config, "xff_num_trusted_hops") ?? 0,
  };
  const extensions = items(config, "original_ip_detection_extensions");
  if (extensions.length > 0) {
    const message = "the client's address comes from an extension that policies do not know of";
    tellOf(tell, codes.doctorAddressDetected, config, "original_ip_detection_extensions", message);
  } else if (!listener.useRemoteAddress) {
    const message =
      "x-forwarded-for of any peer is believed, expected `use_remote_address: true` at the edge";
    tellOf(tell, codes.doctorForwardedForBelieved, config, "use_remote_address", message);
  }
  if (isOn(config, "skip_xff_append")) {
    const message = "the peer is not appended to x-forwarded-for, expected no `skip_xff_append`";
    tellOf(tell, codes.doctorForwardedForNotAppended, config, "skip_xff_append", message);
  }
  for (const range of items(config, "internal_address_config", "cidr_ranges")) {
    if (number(range, "prefix_len") ?? 0) continue;
    const message = `\`${text(range, "address_prefix") ?? ""}/0\` makes every client internal, expected ranges of yours`;
    tell(codes.doctorEverybodyInternal, range.path, message);
  }
  checkForwardedFor(manager, listener, facts, tell);
}

/** What Gatehouse is told about x-forwarded-for must be what the listener does. */
function checkForwardedFor(
  { config, scopes }: Manager,
  listener: { readonly useRemoteAddress: boolean; readonly numTrustedHops: number },
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const wanted: readonly (readonly [keys: readonly string[], value: string])[] = [
    [["xff.use_remote_address", "gatehouse-xff-use-remote-address"], String(listener.useRemoteAddress)],
    [["xff.num_trusted_hops", "gatehouse-xff-num-trusted-hops"], String(listener.numTrustedHops)],
  ];
  let isTold = false;
  for (const { label, tree } of scopes) {
    for (const [key, said] of settingsOf(tree).flatMap(([, setting]) => toldIn(setting.config))) {
      const value = wanted.find(([keys]) => keys.includes(key))?.[1];
      if (value === undefined) continue;
      isTold = true;
      // A dump does not show context extensions.
      if (String(said.value) === value || said.value === "[redacted]") continue;
      const message = `\`${key}\` of ${label} is ${show(String(said.value))}, expected \`${value}\` as on the listener`;
      tell(codes.doctorForwardedForDiffers, said.path, message);
    }
  }
  const mesh = facts?.xff;
  if (isTold || mesh === undefined) return;
  const fields = [
    ["use_remote_address", listener.useRemoteAddress, mesh.useRemoteAddress],
    ["xff_num_trusted_hops", listener.numTrustedHops, mesh.numTrustedHops],
  ] as const;
  for (const [field, has, expected] of fields) {
    if (has === expected) continue;
    const message = `\`${field}\` is \`${has}\`, expected \`${expected}\` as in \`Mesh.spec.xff\``;
    tell(codes.doctorForwardedForDiffers, placeOf(config, field), message);
  }
}

/** What a route tells of itself: to ext_authz by context extensions, to ext_proc by initial metadata. */
function toldIn(setting: Tree): readonly (readonly [key: string, value: Tree])[] {
  return [
    ...entries(setting, "check_settings", "context_extensions"),
    ...items(setting, "overrides", "grpc_initial_metadata").flatMap((header) => {
      const value = at(header, "value");
      return value === undefined ? [] : [[text(header, "key") ?? "", value] as const];
    }),
  ];
}

/** `upgrade_configs` with filters of their own. */
export function checkUpgrades({ config }: Manager, isPolicy: (type: string) => boolean, tell: Tell): void {
  for (const upgrade of items(config, "upgrade_configs")) {
    const filters = items(upgrade, "filters");
    if (filters.length === 0 || !isSet(upgrade, "filters")) continue;
    const asked = filters.map((filter) => text(at(filter, "typed_config"), "@type") ?? "");
    if (asked.some((type) => isPolicy(type.replace(/^.*\//, "")))) continue;
    const name = text(upgrade, "upgrade_type") ?? "";
    const message = `upgrade \`${name}\` has filters of its own and none asks for a decision, expected the policy filters among them`;
    tell(codes.doctorUpgradeBypass, upgrade.path, message);
  }
}
