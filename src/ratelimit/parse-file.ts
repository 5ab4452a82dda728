import { Buffer } from "node:buffer";
import { codes, type Finding } from "../diagnostics/index.js";
import type { Parsed } from "../documents/index.js";
import { checkDescriptors } from "./check-descriptors.js";
import { checkKeys, findingAt } from "./check-keys.js";
import { DecodeError } from "./decode.js";
import type { RateLimitFile } from "./model.js";
import { readFile } from "./read-fields.js";
import { parseFirstDocument, YamlError, type YamlNode } from "./yaml/index.js";

/** Of one file; who has more of them has one mistake at many places. */
const MAX_FINDINGS = 50;

/**
 * Reads a config file of envoyproxy/ratelimit; it is accepted exactly where the peer (3fb702589d36) accepts
 * it, except that nesting is bounded. Places of findings are in the text. Never throws.
 */
export function parseRateLimitFile(text: string | Uint8Array): Parsed<RateLimitFile> {
  try {
    const root = parseFirstDocument(typeof text === "string" ? Buffer.from(text, "utf8") : text);
    return root === undefined ? refuse([emptyDomain({ line: 1, column: 1 })]) : readRoot(root);
  } catch (error) {
    if (error instanceof YamlError) return refuse([findingAt(codes.rateLimitYaml, error, error.message)]);
    if (error instanceof DecodeError)
      return refuse([findingAt(codes.rateLimitYaml, error.place, error.message)]);
    throw error;
  }
}

function readRoot(root: YamlNode): Parsed<RateLimitFile> {
  const wrongKeys = checkKeys(root);
  if (wrongKeys.length > 0) return refuse(wrongKeys);
  const { file, findings: wrongTypes } = readFile(root);
  if (wrongTypes.length > 0) return refuse(wrongTypes);
  const findings: Finding[] = [];
  if (file.domain === "") findings.push(emptyDomain(file.domainPlace));
  const descriptors = checkDescriptors(file.descriptors, file.domain, findings);
  if (findings.length > 0) return refuse(findings);
  const { line, column } = file.domainPlace;
  return { spec: { domain: file.domain, domainPlace: { line, column }, descriptors }, findings };
}

function emptyDomain(place: { line: number; column: number }): Finding {
  return findingAt(codes.rateLimitDomain, place, "empty or missing `domain`");
}

function refuse(findings: readonly Finding[]): Parsed<RateLimitFile> {
  return { spec: undefined, findings: findings.slice(0, MAX_FINDINGS) };
}
