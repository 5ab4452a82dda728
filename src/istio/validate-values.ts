import { breaksLine } from "../attributes/index.js";
import { type Code, codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { parseCidr } from "../matchers/index.js";
import { maxProgramSize } from "../rbac/index.js";

/** What is wrong with one value. */
export interface Problem {
  readonly code: Code;
  readonly message: string;
}

/** Undefined when the value is good. Values are not empty. */
export type Check = (value: string) => Problem | undefined;

/** Runs a check over a list at `at`; empty values are problems everywhere. */
export function checkValues(values: readonly string[], at: Path, out: Finding[], check?: Check): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? "";
    const problem = value === "" ? emptyValue : check?.(value);
    if (problem !== undefined) out.push(finding(problem.code, [...at, i], problem.message));
  }
}

/** Says when a list has more than `most` items. */
export function checkLength(list: readonly unknown[], most: number, at: Path, out: Finding[]): void {
  if (list.length <= most) return;
  const message = `\`${at.at(-1)}\` has ${list.length} items, expected at most ${most}`;
  out.push(finding(codes.tooMany, at, message));
}

const emptyValue: Problem = { code: codes.emptyValue, message: "empty value, expected a non-empty string" };

function invalid(message: string): Problem {
  return { code: codes.invalidValue, message };
}

/** An address or a CIDR range. */
export function checkIpBlock(value: string): Problem | undefined {
  if (parseCidr(value) !== undefined) return undefined;
  return invalid(
    `${show(value)} is no IP address or CIDR range, expected e.g. \`10.0.0.1\` or \`10.0.0.0/8\``,
  );
}

/** A port as text; 0 passes, as in Istio. */
export function checkPort(value: string): Problem | undefined {
  if (/^[0-9]+$/.test(value) && Number(value) <= 65535) return undefined;
  return invalid(`${show(value)} is no port, expected a number from 0 to 65535 in quotes`);
}

/** Istio's limit on the items of a list of service accounts. */
export const maxServiceAccounts = 16;
const maxServiceAccountLength = 320;

/** `NAME` or `NAMESPACE/NAME`, without wildcards. */
export function checkServiceAccount(value: string): Problem | undefined {
  if (value.includes("*")) return invalid(`wildcard in service account ${show(value)}, expected a full name`);
  if (!/^[^/]+(\/[^/]+)?$/.test(value)) {
    return invalid(`service account ${show(value)} is malformed, expected \`NAME\` or \`NAMESPACE/NAME\``);
  }
  if (Buffer.byteLength(value) <= maxServiceAccountLength) return undefined;
  const message = `service account ${show(value)} is longer than ${maxServiceAccountLength} characters`;
  return { code: codes.tooMany, message };
}

/** For `source.trustDomain`, where a slash is allowed and means nothing. */
export function checkWildcard(value: string): Problem | undefined {
  const star = value.indexOf("*");
  if (star < 0) return undefined;
  if (star !== value.lastIndexOf("*"))
    return invalid(`${show(value)} has two wildcards, expected at most one`);
  if (star !== 0 && star !== value.length - 1) {
    return invalid(`wildcard inside ${show(value)}, expected it at the start or the end`);
  }
  return value.length === 1 ? undefined : checkSize(value, trustDomainBase + regexSize(value));
}

/** For `trustDomains`: a bare name with at most one wildcard, at an end. */
export function checkTrustDomain(value: string): Problem | undefined {
  if (value.includes("/")) return invalid(`trust domain ${show(value)} has a \`/\`, expected a bare name`);
  return checkWildcard(value);
}

/** The name in `request.headers[NAME]`; Envoy refuses exactly these characters. */
export function checkHeaderName(name: string): Problem | undefined {
  if (!breaksLine(name)) return undefined;
  const message = `header name ${show(name)} has a line break or NUL, expected a header name`;
  return { code: codes.envoyRefuses, message };
}

/**
 * RE2 program sizes of the fixed parts of the regexes that a wildcard value is put in, as Envoy 1.40 reports
 * them.
 */
const namespaceBase = 13;
const principalBase = 15;
const trustDomainBase = 16;

/** A namespace, in which stars may stand anywhere. */
export function checkNamespace(value: string): Problem | undefined {
  return checkSize(value, namespaceBase + regexSize(value));
}

/** Only a suffix (`*abc`) becomes a regex. */
export function checkPrincipal(value: string): Problem | undefined {
  if (!value.startsWith("*") || value === "*") return undefined;
  return checkSize(value, principalBase + Buffer.byteLength(value) - 1);
}

/** One instruction for each byte, two for each run of stars. */
function regexSize(value: string): number {
  if (!value.includes("*")) return Buffer.byteLength(value);
  return Buffer.byteLength(value.replaceAll("*", "")) + 2 * (value.match(/\*+/g)?.length ?? 0);
}

/**
 * Istio raises the limit for its own proxies; but nothing that a person writes on purpose comes near Envoy's
 * default, and the compiled rules should load into any Envoy.
 */
function checkSize(value: string, size: number): Problem | undefined {
  if (size <= maxProgramSize) return undefined;
  const message = `${show(value)} makes a regex of RE2 program size ${size}, expected at most ${maxProgramSize}`;
  return { code: codes.envoyRefuses, message };
}
