import { Buffer } from "node:buffer";
import { compileDescriptors } from "../content/index.js";
import { codes, type Finding, finding, hasErrors, type Path } from "../diagnostics/index.js";
import {
  asFields,
  type Fields,
  type Parsed,
  type Reference,
  type ResourceDocument,
  readFields,
  readSelector,
  readText,
} from "../documents/index.js";
import { below, type Place, readFlag } from "./parse-fields.js";
import { readCondition } from "./parse-headers.js";
import { checkSchema } from "./parse-limits.js";
import { readName, readPath, readRequestPart } from "./parse-request.js";
import { readResponsePart } from "./parse-response.js";
import type { BodyPolicy, BodyPolicyFile, RequestPart, ResponsePart, UsageRule } from "./policy.js";
import { headVocabulary } from "./vocabulary.js";

const fields: ReadonlySet<string> = new Set([
  "selector",
  "obligationOnly",
  "match",
  "dryRun",
  "request",
  "response",
  "usage",
  "hashKeyFile",
]);

const mebibyte = 1024 * 1024;

/** Levels of messages in messages. */
export const maxMessageDepth = 100;

/**
 * Parses a `gatehouse.dev` BodyPolicy. The files that it names are references, see
 * {@link completeBodyPolicy}.
 *
 * @example
 * ```yaml
 * apiVersion: gatehouse.dev/v1alpha1
 * kind: BodyPolicy
 * metadata: {name: customers, namespace: shop}
 * spec:
 *   selector: {matchLabels: {app: customers}}
 *   # true: acts only where a decision names it, then whatever `match` says
 *   obligationOnly: false
 *   match: request.url_path.startsWith("/customers")   # without a value: applies
 *   # true: nothing is refused or changed, the record says what would have been
 *   dryRun: false
 *   request:
 *     # in this order; those that read request.body act when it is there, after the others
 *     headers:
 *       # no such claim: the header is removed
 *       - {operation: set, name: x-tenant, value: request.auth.claims.tenant}
 *       # `when` without a value: acts
 *       - {operation: remove, name: x-internal-*, when: '!connection.mtls'}
 *     # held as a whole; of a request without a body only what does not need one is asked
 *     body:
 *       # of the decoded body; 1MiB and deny (413) when neither is written
 *       maxBytes: 64KiB
 *       onLimit: deny                         # deny, pass (unread, the record says so) or truncate
 *       encodings: decode                     # decode gzip, deflate and br, or deny (415)
 *       # decoded bytes per byte sent, beyond which a body is a bomb (415)
 *       maxRatio: 100
 *       contentTypes: [application/json]      # absent: any; with `json` JSON only
 *       otherContentTypes: deny               # deny (415) or pass
 *       # what is none is refused (400); POST, PUT and PATCH need a body then
 *       json:
 *         maxDepth: 32                        # of 100
 *         # or keepLast; deny as well where `json` is not written and rules read JSON
 *         duplicateKeys: deny
 *         schemaFile: order.schema.json       # or schema: {...}; drafts 4, 6, 7 (422)
 *       protoDescriptor: shop.pb              # gRPC messages are read by it
 *       rules:                                # in this order, each sees the body as the one before left it
 *         # without a value, as without `total`: refuses
 *         - {deny: request.body.total > 1000, status: 403, body: too much}
 *         - {set: $.source, value: '"gateway"', when: request.method == 'POST'}
 *         - {remove: $.internal}
 *         - {rego: shop/orders}               # a RegoPolicy; input.parsed_body is the body
 *   response:
 *     match: response.code == 200             # without a value: applies
 *     headers:
 *       - {operation: remove, name: x-powered-by}
 *     replaceErrors:
 *       - {codes: 5xx, body: '{"error":"internal"}', contentType: application/json}
 *     body:
 *       # or streamed: no `rules` and `json` then, and no limit unless one is written
 *       delivery: whole
 *       fields:
 *         - path: $.customers[*].card
 *           action: mask                      # mask, remove, hash, tokenise
 *           keepLast: 4                       # also keepFirst, character; or replacement for the whole value
 *           # without a value, as without a token: redacts
 *           when: '!("support" in request.auth.claims.roles)'
 *           name: card
 *         - {path: $..email, action: tokenise, name: email}
 *       detect:
 *         - {detector: paymentCard, action: redact, replacement: '[card]'}
 *         - {pattern: 'EMP-[0-9]{6}', maxLength: 10, name: employee, action: deny}
 *       rules:
 *         - {deny: size(response.body.rows) > 1000}
 *   usage: {quota: tokens, field: $.usage.total_tokens}   # or bytes: response
 *   hashKeyFile: redaction.key                # for hash and tokenise, 16 bytes or more
 * ```
 */
export function parseBodyPolicy(document: ResourceDocument): Parsed<BodyPolicy> {
  const out: Finding[] = [];
  const place: Place = { at: ["spec"], out };
  const spec = asFields(document.spec ?? {}, place.at, out, fields);
  if (spec === undefined) return { spec: undefined, findings: out };
  const { namespace, name } = document;
  const selector = readSelector(spec, place.at, out);
  const obligationOnly = readFlag(spec, "obligationOnly", place);
  const match = readCondition(spec, "match", place, headVocabulary);
  const dryRun = readFlag(spec, "dryRun", place);
  const request = readRequestPart(spec, place, namespace);
  const response = readResponsePart(spec, place, namespace);
  const usage = readUsage(spec, place, namespace);
  const hashKeyFile = readHashKeyFile(spec, response.part, place);
  checkEffect(spec, request.part, response.part, place);
  if (hasErrors(out)) return { spec: undefined, findings: out };
  const references = referencesOf({
    requestSchema: request.files.schemaFile,
    protoDescriptor: request.files.protoDescriptor,
    responseSchema: response.schemaFile,
    hashKey: hashKeyFile,
  });
  const policy: BodyPolicy = {
    namespace,
    name,
    selector,
    obligationOnly,
    match,
    dryRun,
    request: request.part,
    response: response.part,
    usage,
    hashKey: undefined,
    files: references.map(([file]) => file),
  };
  const named = references.map(([, reference]) => reference);
  return { spec: policy, findings: out, ...(named.length > 0 && { references: named }) };
}

const places: Readonly<Record<BodyPolicyFile, { readonly path: Path; readonly maxBytes: number }>> = {
  requestSchema: { path: ["spec", "request", "body", "json", "schemaFile"], maxBytes: mebibyte },
  protoDescriptor: { path: ["spec", "request", "body", "protoDescriptor"], maxBytes: 16 * mebibyte },
  responseSchema: { path: ["spec", "response", "body", "json", "schemaFile"], maxBytes: mebibyte },
  hashKey: { path: ["spec", "hashKeyFile"], maxBytes: 4096 },
};

function referencesOf(
  named: Readonly<Record<BodyPolicyFile, string | undefined>>,
): (readonly [BodyPolicyFile, Reference])[] {
  return (Object.keys(places) as BodyPolicyFile[]).flatMap((file) => {
    const name = named[file];
    return name === undefined ? [] : [[file, { kind: "bytes", name, ...places[file] }] as const];
  });
}

const usageFields: ReadonlySet<string> = new Set(["quota", "field", "bytes"]);

function readUsage(spec: Fields, place: Place, namespace: string): UsageRule | undefined {
  const { out } = place;
  const given = readFields(spec, "usage", place.at, out, usageFields);
  if (given === undefined) return undefined;
  const here = below(place, "usage");
  const quota = readName(given, "quota", here, namespace);
  if ((given["field"] === undefined) === (given["bytes"] === undefined)) {
    out.push(finding(codes.conflictingFields, here.at, "expected one of `field` and `bytes` in `usage`"));
    return undefined;
  }
  if (given["bytes"] !== undefined) {
    if (given["bytes"] !== "response") {
      out.push(
        finding(codes.wrongEnum, [...here.at, "bytes"], "unknown value of `bytes`, expected response"),
      );
    }
    return quota === undefined ? undefined : { quota, units: { kind: "bytes" } };
  }
  const path = readPath(given, "field", here);
  return quota === undefined || path === undefined ? undefined : { quota, units: { kind: "field", path } };
}

function readHashKeyFile(
  spec: Fields,
  response: ResponsePart | undefined,
  { at, out }: Place,
): string | undefined {
  const name = readText(spec, "hashKeyFile", at, out);
  const hashed = response?.body?.fields.find(
    ({ field: { action } }) => action.kind === "hash" || action.kind === "tokenise",
  );
  const here: Path = [...at, "hashKeyFile"];
  if (name === "") out.push(finding(codes.emptyValue, here, "`hashKeyFile` is empty"));
  if (hashed !== undefined && spec["hashKeyFile"] === undefined) {
    const message = `\`hashKeyFile\` is missing, expected it for action \`${hashed.field.action.kind}\``;
    out.push(finding(codes.bodyHashKey, at, message));
  } else if (hashed === undefined && name !== undefined) {
    const message = "`hashKeyFile` has no effect without a field with `action: hash` or `action: tokenise`";
    out.push(finding(codes.bodyFieldWithoutEffect, here, message));
  }
  return name;
}

/** A part that says nothing is as wrong as a policy that does: whoever wrote it meant something. */
function checkEffect(
  spec: Fields,
  request: RequestPart | undefined,
  response: ResponsePart | undefined,
  { at, out }: Place,
): void {
  if (hasErrors(out)) return;
  const without = (where: string, path: Path): void => {
    out.push(
      finding(codes.bodyPolicyWithoutEffect, path, `${where} does nothing, expected a rule or a limit`),
    );
  };
  if (request === undefined && response === undefined && spec["usage"] === undefined) {
    without("BodyPolicy", at);
  }
  if (request !== undefined && request.headers.length === 0 && isEmptyBody(spec, "request")) {
    without("`request`", [...at, "request"]);
  }
  const { headers, replaceErrors } = response ?? {};
  if (response !== undefined && !headers?.length && !replaceErrors?.length && isEmptyBody(spec, "response")) {
    without("`response`", [...at, "response"]);
  }
}

function isEmptyBody(spec: Fields, part: "request" | "response"): boolean {
  const body = (spec[part] as Fields)["body"] as Fields | undefined;
  return Object.entries(body ?? {}).every(
    ([key, value]) =>
      key === "delivery" || key === "protoDescriptor" || (Array.isArray(value) && value.length === 0),
  );
}

/** Puts in the texts of the files that the document names, in the order of its references. */
export function completeBodyPolicy(policy: BodyPolicy, texts: readonly string[]): Parsed<BodyPolicy> {
  const out: Finding[] = [];
  const files = new Map(
    policy.files.map((file, i) => [file, new Uint8Array(Buffer.from(texts[i] ?? "", "base64"))]),
  );
  const schemaOf = (file: "requestSchema" | "responseSchema"): string | undefined => {
    const bytes = files.get(file);
    if (bytes === undefined) return undefined;
    const text = Buffer.from(bytes).toString();
    checkSchema(text, { at: places[file].path, out });
    return text;
  };
  const requestSchema = schemaOf("requestSchema");
  const responseSchema = schemaOf("responseSchema");
  const protoDescriptor = files.get("protoDescriptor");
  if (protoDescriptor !== undefined) checkDescriptor(protoDescriptor, out);
  const hashKey = files.get("hashKey");
  if (hashKey !== undefined && hashKey.length < 16) {
    const message = `the key has ${hashKey.length} bytes, expected at least 16`;
    out.push(finding(codes.bodyHashKey, places.hashKey.path, message));
  }
  if (hasErrors(out)) return { spec: undefined, findings: out };
  const { request, response } = policy;
  const spec: BodyPolicy = {
    ...policy,
    hashKey: hashKey ?? policy.hashKey,
    request:
      request?.body === undefined
        ? request
        : {
            ...request,
            body: {
              ...request.body,
              protoDescriptor: protoDescriptor ?? request.body.protoDescriptor,
              json: withSchema(request.body.json, requestSchema),
            },
          },
    response:
      response?.body === undefined
        ? response
        : { ...response, body: { ...response.body, json: withSchema(response.body.json, responseSchema) } },
  };
  return { spec, findings: out };
}

function withSchema<Json extends { readonly schema: string | undefined }>(
  json: Json | undefined,
  schema: string | undefined,
): Json | undefined {
  return json === undefined || schema === undefined ? json : { ...json, schema };
}

function checkDescriptor(set: Uint8Array, out: Finding[]): void {
  try {
    compileDescriptors(set, maxMessageDepth);
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    const { path } = places.protoDescriptor;
    out.push(finding(codes.badBodyDescriptor, path, `the descriptor set cannot be used: ${why}`));
  }
}
