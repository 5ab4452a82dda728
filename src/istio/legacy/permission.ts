import type { Workload } from "../../attributes/index.js";
import type { Permission } from "../../rbac/index.js";
import type { Protocol } from "../translate.js";
import { cidr, headerMatcher, listOrText } from "../values.js";
import type { AccessRule, Constraint } from "./model.js";
import { anyService, matchesText, type Service } from "./service.js";
import { legacyString } from "./string.js";

/**
 * An access rule as an Envoy permission for one workload: what asks for the destination is resolved now.
 * Undefined when it is for another destination, or cannot be asked on the protocol.
 */
export function toPermission(
  rule: AccessRule,
  workload: Workload,
  protocol: Protocol,
): Permission | undefined {
  if (!anyService(workload, (service) => isFor(rule, service, workload))) return undefined;
  if (protocol === "tcp" && isHttpOnly(rule)) return undefined;
  const header =
    (name: string) =>
    (value: string): Permission => ({ header: headerMatcher(name, value) });
  const port = (value: number): Permission => ({ destinationPort: value });
  const rules = [
    ...some(rule.hosts, header(":authority")),
    ...none(rule.notHosts, header(":authority")),
    ...some(rule.methods, header(":method")),
    ...none(rule.notMethods, header(":method")),
    ...some(rule.paths, header(":path")),
    ...none(rule.notPaths, header(":path")),
    ...some(rule.ports, port),
    ...none(rule.notPorts, port),
    ...[...rule.constraints].sort((a, b) => (a.key < b.key ? -1 : 1)).flatMap(toConstraint),
  ];
  return { andRules: { rules: rules.length === 0 ? [{ any: true }] : rules } };
}

function isFor({ services, constraints }: AccessRule, service: Service, workload: Workload): boolean {
  if (services.length > 0 && !matchesText(service.host, services)) return false;
  return constraints.every(({ key, values }) => {
    if (key === "destination.name") return matchesText(service.name, values);
    if (key === "destination.namespace") return matchesText(workload.namespace, values);
    if (!key.startsWith("destination.labels[")) return true;
    const label = workload.labels.get(key.slice("destination.labels[".length, -1));
    return label !== undefined && matchesText(label, values);
  });
}

function isHttpOnly(rule: AccessRule): boolean {
  const { hosts, notHosts, paths, notPaths, methods, notMethods, constraints } = rule;
  if ([hosts, notHosts, paths, notPaths, methods, notMethods].some((list) => list.length > 0)) return true;
  return constraints.some(({ key }) => key.startsWith("request.headers[") || key.startsWith(":"));
}

function some<Value>(values: readonly Value[], one: (value: Value) => Permission): Permission[] {
  return values.length === 0 ? [] : [{ orRules: { rules: values.map(one) } }];
}

function none<Value>(values: readonly Value[], one: (value: Value) => Permission): Permission[] {
  return values.length === 0 ? [] : [{ notRule: { orRules: { rules: values.map(one) } } }];
}

/** INVARIANT: parsing has refused all other keys. */
function toConstraint({ key, values }: Constraint): Permission[] {
  if (key === "destination.ip") return some(values, (v) => ({ destinationIp: cidr(v) }));
  if (key === "destination.port") return some(values, (v) => ({ destinationPort: Number(v) }));
  if (key === "connection.sni") return some(values, (v) => ({ requestedServerName: legacyString(v) }));
  if (key.startsWith("destination.")) return [];
  if (key.startsWith(":")) return some(values, (v) => ({ header: headerMatcher(key, v) }));
  const open = key.indexOf("[");
  const name = key.slice(open + 1, -1);
  if (key.startsWith("request.headers[")) return some(values, (v) => ({ header: headerMatcher(name, v) }));
  const filter = key.slice("experimental.".length, open);
  return some(values, (v) => ({
    metadata: { filter, path: [{ key: name }], value: listOrText(v, legacyString) },
  }));
}
