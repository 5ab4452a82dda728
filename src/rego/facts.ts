import { type JsonObject, toText, type Workload, wellFormed } from "../attributes/index.js";
import { principalOf } from "../authn/index.js";
import { type Edits, noEdits, type ProviderRequest } from "../engine/index.js";

/**
 * JSON of what only Gatehouse knows of a request, for `input.gatehouse`: whom it verified, which workload is asked for,
 * and what the stages before changed.
 */
export function describeRequest({ attributes, workload, edits }: ProviderRequest): string {
  const { source, auth, remoteIp, protocol } = attributes;
  const parts = [
    `"protocol":${JSON.stringify(protocol)}`,
    `"source":${text({
      ...(source.ip !== undefined && { ip: source.ip.text }),
      ...(source.principal !== "" && { principal: source.principal }),
      ...(remoteIp !== undefined && { remote_ip: remoteIp.text }),
    })}`,
  ];
  if (auth !== undefined) parts.push(`"auth":${describeCaller(auth.payload)}`);
  if (workload !== undefined) parts.push(`"workload":${describeWorkload(workload)}`);
  if (edits !== noEdits) parts.push(`"edits":${describeEdits(edits)}`);
  return `{${parts.join(",")}}`;
}

/** JSON that wasm can read: half a character has no form in UTF-8. */
function text(value: object): string {
  const plain = JSON.stringify(value);
  if (!plain.includes("\\ud")) return plain;
  return JSON.stringify(value, (_, part: unknown) => repaired(part));
}

/** Keys too: a claim may be called anything. */
function repaired(part: unknown): unknown {
  if (typeof part === "string") return wellFormed(part);
  if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [wellFormed(key), value]));
}

/** By the payload, which is the same object as long as its token is remembered. */
const callers = new WeakMap<JsonObject, string>();

function describeCaller(claims: JsonObject): string {
  const known = callers.get(claims);
  if (known !== undefined) return known;
  const described = text({ principal: principalOf(claims), claims });
  callers.set(claims, described);
  return described;
}

const workloads = new WeakMap<Workload, string>();

function describeWorkload(workload: Workload): string {
  const known = workloads.get(workload);
  if (known !== undefined) return known;
  const { namespace, name, type, labels, services } = workload;
  const described = text({ namespace, name, type, labels: Object.fromEntries(labels), services });
  workloads.set(workload, described);
  return described;
}

function describeEdits(edits: Edits): string {
  return text({
    headers: Object.fromEntries(edits.requestHeaders.map(({ name, value }) => [name, toText(value)])),
    removed_headers: edits.requestHeadersToRemove,
    query: Object.fromEntries(edits.queryParametersToSet.map((pair) => pair.map(toText))),
    removed_query: edits.queryParametersToRemove.map(toText),
  });
}
