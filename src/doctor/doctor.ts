import { codes, type Finding, show } from "../diagnostics/index.js";
import { checkAuthz } from "./check-authz.js";
import { checkBodies } from "./check-bodies.js";
import { checkBuffer, checkClusters } from "./check-clusters.js";
import { checkHttpLogs, checkTcpLogs } from "./check-logs.js";
import { checkManager, checkUpgrades } from "./check-manager.js";
import { checkOrder, isPolicy } from "./check-order.js";
import { checkMutationRules, checkProc } from "./check-proc.js";
import { checkRateLimit } from "./check-rate-limit.js";
import { checkScopes, isSwitchedOn } from "./check-scopes.js";
import { checkSpellings } from "./check-spellings.js";
import { checkIdle, checkRuntime } from "./check-streams.js";
import { checkWays, checkWhole } from "./check-ways.js";
import type { Chain, Filter, Listener, Manager } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import { fixOf } from "./fixes.js";
import { readEnvoyConfig } from "./read.js";
import type { Tell } from "./tell.js";
import { isMapping } from "./tree.js";
import { types } from "./typed.js";

/** Fields that are named of a document which is something else. */
const MAX_KEYS = 3;

/** Something in a configuration of Envoy that undoes or bypasses policy, or could. */
export interface DoctorFinding extends Finding {
  /** A piece of Envoy's YAML as it should be. */
  readonly fix: string;
}

/**
 * Looks at a bootstrap or a config dump, already parsed, for what would undo policy: errors, and what may:
 * warnings. In the order of the document's parts, listeners first. With `facts` only what the policies in
 * force need is asked for.
 */
export function examine(document: unknown, facts?: PolicyFacts): readonly DoctorFinding[] {
  const findings: DoctorFinding[] = [];
  const tell: Tell = (code, path, message) => {
    findings.push({ code, path, message, fix: fixOf(code) });
  };
  const config = readEnvoyConfig(document);
  if (config === undefined) {
    const message = `neither a bootstrap of Envoy nor a config dump${otherwise(document)}`;
    tell(codes.notEnvoyConfig, [], message);
    return findings;
  }
  // Envoy writes each field once.
  const { bootstrap } = config;
  if (bootstrap !== undefined && bootstrap.value === document) checkSpellings(bootstrap, tell);
  for (const listener of config.listeners) checkListener(listener, facts, tell);
  checkWays(config, tell);
  checkBodies(config, facts, tell);
  checkClusters(config, tell);
  checkRuntime(config, tell);
  checkWhole(config, tell);
  return once(findings);
}

function checkListener({ tree, chains }: Listener, facts: PolicyFacts | undefined, tell: Tell): void {
  for (const chain of chains) {
    for (const filter of chain.filters) {
      if (filter.type === types.networkAuthz) checkAuthz(filter, chain, facts, tell);
    }
    checkTcpLogs(chain, tell);
    for (const manager of chain.managers) {
      if (!manager.filters.some(({ type }) => isPolicy(type))) continue;
      checkGuarded(manager, chain, facts, tell);
      const procs = manager.filters.filter(({ type }) => type === types.proc);
      if (procs.length > 0) checkBuffer(tree, procs, facts, tell);
    }
  }
}

function checkGuarded(manager: Manager, chain: Chain, facts: PolicyFacts | undefined, tell: Tell): void {
  checkManager(manager, chain, facts, tell);
  checkIdle(manager, facts, tell);
  for (const filter of manager.filters) {
    if (isPolicy(filter.type)) checkCondition(filter, manager, tell);
    if (filter.type === types.authz) {
      checkAuthz(filter, chain, facts, tell);
      checkMutationRules(filter.config, "decoder_header_mutation_rules", filter.name, facts, tell);
    }
    if (filter.type === types.proc) checkProc(filter, manager, chain, facts, tell);
    if (filter.type === types.rateLimit) checkRateLimit(filter, manager, tell);
  }
  checkOrder(manager, facts, tell);
  checkUpgrades(manager, isPolicy, tell);
  checkScopes(manager, facts, tell);
  checkHttpLogs(manager, tell);
}

function checkCondition({ name, condition, tree }: Filter, { scopes }: Manager, tell: Tell): void {
  if (condition === undefined || (condition === "off" && isSwitchedOn(name, scopes))) return;
  const how = condition === "off" ? "is switched off by default" : "is asked where a matcher says so";
  tell(codes.doctorAskedSometimes, tree.path, `\`${name}\` ${how}, expected it for every request`);
}

/** What the document is instead. */
function otherwise(document: unknown): string {
  if (document === undefined || document === null) return ", but empty";
  if (Array.isArray(document)) return ", but a list";
  if (!isMapping(document)) return "";
  const { kind } = document;
  if (typeof kind === "string") return `, but a document of kind ${show(kind)}, perhaps for \`--config\``;
  const keys = Object.keys(document).slice(0, MAX_KEYS);
  return keys.length === 0 ? ", but empty" : `, but a mapping with ${keys.map(show).join(", ")}`;
}

/** A place that is looked at twice is told once. */
function once(findings: readonly DoctorFinding[]): readonly DoctorFinding[] {
  const seen = new Set<string>();
  return findings.filter(({ code, path, message }) => {
    const key = JSON.stringify([code.code, path, message]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
