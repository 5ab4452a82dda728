import { codes, finding, show } from "../diagnostics/index.js";
import { asFields, type Fields, readFields, readList, readText, wrongType } from "../documents/index.js";
import type { Vocabulary } from "../expressions/index.js";
import { readExpression } from "../expressions/index.js";
import { type PathStep, parsePath } from "../redaction/index.js";
import { compileHeaderRules } from "./header-rules.js";
import { below, type Place, readWhole } from "./parse-fields.js";
import { readCondition, readHeaderRules } from "./parse-headers.js";
import { limitFields, readJsonLimits, readLimits } from "./parse-limits.js";
import type { BodyRule, HeaderRule, Refusal, RequestPart } from "./policy.js";
import { type MessageInput, requestBodyVocabulary } from "./vocabulary.js";

const requestFields: ReadonlySet<string> = new Set(["headers", "body"]);
const bodyFields: ReadonlySet<string> = new Set([...limitFields, "json", "protoDescriptor", "rules"]);

/** What a request part names and does not hold. */
export interface RequestFiles {
  readonly schemaFile: string | undefined;
  readonly protoDescriptor: string | undefined;
}

const noFiles: RequestFiles = { schemaFile: undefined, protoDescriptor: undefined };

/** `spec.request`; `namespace` completes names of RegoPolicies. */
export function readRequestPart(
  spec: Fields,
  place: Place,
  namespace: string,
): { readonly part: RequestPart | undefined; readonly files: RequestFiles } {
  const { at, out } = place;
  const given = readFields(spec, "request", at, out, requestFields);
  if (given === undefined) return { part: undefined, files: noFiles };
  const here = below(place, "request");
  const headers = readHeaderRules(given, here, requestBodyVocabulary);
  const body = readFields(given, "body", here.at, out, bodyFields);
  if (body === undefined) {
    checkLateHeaders(headers, here);
    return { part: { headers, body: undefined }, files: noFiles };
  }
  const inBody = below(here, "body");
  const limits = readLimits(body, inBody, true);
  const { json, schemaFile } = readJsonLimits(body, inBody);
  const rules = readBodyRules(body, inBody, {
    namespace,
    vocabulary: requestBodyVocabulary,
    isRequest: true,
  });
  const protoDescriptor = readText(body, "protoDescriptor", inBody.at, out);
  if (protoDescriptor === "") {
    out.push(finding(codes.emptyValue, [...inBody.at, "protoDescriptor"], "`protoDescriptor` is empty"));
  }
  checkTruncation(body, limits.onLimit === "truncate", inBody);
  return {
    part: { headers, body: { limits, json, protoDescriptor: undefined, rules } },
    files: { schemaFile, protoDescriptor },
  };
}

/** Who reads a body says within which limits. */
function checkLateHeaders(headers: readonly HeaderRule[], { at, out }: Place): void {
  for (const [i, rule] of compileHeaderRules(headers, requestBodyVocabulary).entries()) {
    if (!rule.isLate) continue;
    const message = "the rule reads `request.body`, expected `body` beside `headers` with its limits";
    out.push(finding(codes.bodyRuleOutOfPlace, [...at, "headers", i], message));
  }
}

/** What is cut off is no JSON any more, and no form that anybody sent. */
export function checkTruncation(body: Fields, isTruncated: boolean, { at, out }: Place): void {
  if (!isTruncated) return;
  for (const key of ["json", "rules", "protoDescriptor"]) {
    if (body[key] === undefined) continue;
    const message = `\`${key}\` stands beside \`onLimit: truncate\`, expected deny or pass: a body that is cut off cannot be parsed`;
    out.push(finding(codes.bodyRuleOutOfPlace, [...at, key], message));
  }
}

/** What rules of one body may say. */
export interface RuleSurroundings {
  readonly namespace: string;
  readonly vocabulary: Vocabulary<MessageInput>;
  /** Of a response there is `deny` only. */
  readonly isRequest: boolean;
}

const ruleKinds = ["deny", "set", "remove", "rego"] as const;
const ruleFields: Readonly<Record<(typeof ruleKinds)[number], ReadonlySet<string>>> = {
  deny: new Set(["deny", "status", "body", "contentType"]),
  set: new Set(["set", "value", "when"]),
  remove: new Set(["remove", "when"]),
  rego: new Set(["rego"]),
};

/** `rules` of a body. */
export function readBodyRules(
  body: Fields,
  place: Place,
  surroundings: RuleSurroundings,
): readonly BodyRule[] {
  const list = readList(body, "rules", place.at, place.out) ?? [];
  return list.flatMap((item, i) => {
    const rule = readBodyRule(item, below(place, "rules", i), surroundings);
    return rule === undefined ? [] : [rule];
  });
}

function readBodyRule(
  item: unknown,
  place: Place,
  { namespace, vocabulary, isRequest }: RuleSurroundings,
): BodyRule | undefined {
  const { at, out } = place;
  const loose = asFields(item, at, out);
  if (loose === undefined) return undefined;
  const [first, second] = ruleKinds.filter((name) => loose[name] !== undefined);
  if (first === undefined || second !== undefined) {
    const message = "expected a rule with one of `deny`, `set`, `remove` and `rego`";
    out.push(finding(codes.conflictingFields, at, message));
    return undefined;
  }
  const kind: (typeof ruleKinds)[number] = first;
  if (!isRequest && kind !== "deny") {
    const message = `rule \`${kind}\` stands in a response, expected \`deny\`; \`fields\` change a response`;
    out.push(finding(codes.bodyRuleOutOfPlace, [...at, kind], message));
    return undefined;
  }
  const rule = asFields(item, at, out, ruleFields[kind]) ?? {};
  switch (kind) {
    case "deny": {
      const when = readExpression(rule["deny"], { type: "bool", at: [...at, "deny"], vocabulary }, out);
      const refusal = readRefusal(rule, place);
      return when === undefined ? undefined : { kind, when, refusal };
    }
    case "set": {
      const path = readPath(rule, "set", place);
      const when = readCondition(rule, "when", place, vocabulary);
      const value = readExpression(rule["value"], { type: "json", at: [...at, "value"], vocabulary }, out);
      return path === undefined || value === undefined ? undefined : { kind, path, value, when };
    }
    case "remove": {
      const path = readPath(rule, "remove", place);
      const when = readCondition(rule, "when", place, vocabulary);
      if (path?.length === 0) {
        const message = "path `$` is the whole body, expected a part of it";
        out.push(finding(codes.badBodyPath, [...at, "remove"], message));
      }
      return path === undefined ? undefined : { kind, path, when };
    }
    case "rego": {
      const policy = readName(rule, "rego", place, namespace);
      return policy === undefined ? undefined : { kind, policy };
    }
  }
}

function readRefusal(rule: Fields, place: Place): Refusal {
  return {
    status: readWhole(rule, "status", place, [400, 599]) ?? 403,
    body: readText(rule, "body", place.at, place.out) ?? "access denied",
    contentType: readMediaType(rule, place) ?? "text/plain",
  };
}

/** `contentType` of a body that we write. */
export function readMediaType(owner: Fields, { at, out }: Place): string | undefined {
  const text = readText(owner, "contentType", at, out);
  if (text === undefined || /^[\w.+-]+\/[\w.+-]+(?:; ?[\w-]+=[\w.-]+)*$/.test(text)) return text;
  const message = `content type ${show(text)} cannot be read, expected for example \`application/json\``;
  out.push(finding(codes.invalidValue, [...at, "contentType"], message));
  return undefined;
}

/** A path into JSON. */
export function readPath(owner: Fields, key: string, { at, out }: Place): readonly PathStep[] | undefined {
  const text = readText(owner, key, at, out);
  if (text === undefined) {
    if (owner[key] === undefined) out.push(wrongType(undefined, [...at, key], "a path such as `$.card`"));
    return undefined;
  }
  const path = parsePath(text);
  if ("steps" in path) return path.steps;
  const message = `path ${show(text)} cannot be read at ${path.column}: ${path.message}`;
  out.push(finding(codes.badBodyPath, [...at, key], message));
  return undefined;
}

const resourceName = /^(?:[a-z0-9.-]{1,253}\/)?[a-z0-9.-]{1,253}$/;

/** `NAME` or `NAMESPACE/NAME` of another resource, completed. */
export function readName(
  owner: Fields,
  key: string,
  { at, out }: Place,
  namespace: string,
): string | undefined {
  const text = readText(owner, key, at, out);
  if (text === undefined) {
    if (owner[key] === undefined) out.push(wrongType(undefined, [...at, key], "a name, or NAMESPACE/NAME"));
    return undefined;
  }
  if (resourceName.test(text)) return text.includes("/") ? text : `${namespace}/${text}`;
  out.push(
    finding(
      codes.invalidValue,
      [...at, key],
      `name ${show(text)} cannot be read, expected NAME or NAMESPACE/NAME`,
    ),
  );
  return undefined;
}
