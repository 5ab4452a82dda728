import { type Code, codes, type Finding, showNamed } from "../diagnostics/index.js";
import { DecodeError, eachPair, enter, startWalk, type Walk } from "./decode.js";
import { type Place, resolveScalar, type ScalarNode, type YamlNode } from "./yaml/index.js";

/** The keys of all levels: the peer does not tell apart where they stand. */
const known: ReadonlySet<string> = new Set([
  "domain",
  "key",
  "value",
  "descriptors",
  "rate_limit",
  "unit",
  "requests_per_unit",
  "unlimited",
  "shadow_mode",
  "quota_mode",
  "name",
  "replaces",
  "detailed_metric",
  "value_to_metric",
  "share_threshold",
]);

/** What is left of a node when the last of equal keys has won. */
type Shape =
  | {
      readonly kind: "mapping";
      readonly place: Place;
      readonly entries: Map<string, { key: YamlNode; shape: Shape }>;
      /** Keys that are no text. */
      readonly odd: Place[];
    }
  | { readonly kind: "list"; readonly place: Place; readonly items: readonly Shape[] }
  | { readonly kind: "scalar"; readonly place: Place; readonly type: string };

/** A finding at a place of the file's text. */
export function findingAt(code: Code, { line, column }: Place, message: string): Finding {
  return { code, path: [], message, place: { file: undefined, line, column } };
}

/** Says which keys the file may not have, and where values stand that no key takes. Throws `DecodeError`. */
export function checkKeys(root: YamlNode): readonly Finding[] {
  const shape = shapeOf(startWalk(), root);
  const isMapping = shape.kind === "mapping" || (shape.kind === "scalar" && shape.type === "null");
  const findings: Finding[] = [];
  if (isMapping) checkShape(shape, findings);
  else findings.push(findingAt(codes.rateLimitType, root, `${describe(shape)}, expected a mapping`));
  return findings;
}

function shapeOf(walk: Walk, node: YamlNode): Shape {
  return enter(walk, node, (found) => {
    if (found.kind === "scalar") return { kind: "scalar", place: node, type: typeOf(found) };
    if (found.kind === "list") {
      return { kind: "list", place: node, items: found.items.map((item) => shapeOf(walk, item)) };
    }
    const shape: Shape = { kind: "mapping", place: node, entries: new Map(), odd: [] };
    eachPair(walk, found, (key, value) => {
      const name = keyText(walk, key);
      const valueShape = shapeOf(walk, value);
      if (name === undefined) shape.odd.push(key);
      else shape.entries.set(name, { key, shape: valueShape });
    });
    return shape;
  });
}

/** The type of a scalar; `number`: one that the peer takes nowhere. */
function typeOf(node: ScalarNode): string {
  const resolved = resolveScalar(node);
  if (resolved.kind === "wrong") throw new DecodeError(`value is no !!${resolved.expected}`, node);
  if (resolved.kind === "float" || (resolved.kind === "int" && !resolved.fits)) return "number";
  return resolved.kind;
}

/** Undefined: the key is a number, a bool or null. */
function keyText(walk: Walk, key: YamlNode): string | undefined {
  return enter(walk, key, (found) => {
    if (found.kind !== "scalar") throw new DecodeError("key is a collection, expected a text", key);
    const resolved = resolveScalar(found);
    if (resolved.kind === "wrong") throw new DecodeError(`key is no !!${resolved.expected}`, key);
    if (resolved.kind === "time") return found.value;
    return resolved.kind === "text" ? resolved.value : undefined;
  });
}

function checkShape(shape: Shape, findings: Finding[]): void {
  if (shape.kind !== "mapping") return;
  for (const place of shape.odd) {
    findings.push(findingAt(codes.rateLimitKey, place, "key is not a text"));
  }
  for (const [name, { key, shape: value }] of shape.entries) {
    if (!known.has(name)) findings.push(findingAt(codes.rateLimitKey, key, showNamed("unknown key", name)));
    if (value.kind === "scalar" && value.type === "number") {
      const message = "number that is no 64-bit integer, expected none in the file";
      findings.push(findingAt(codes.rateLimitType, value.place, message));
    }
    checkShape(value, findings);
    if (value.kind === "list") checkItems(value.items, findings);
  }
}

function checkItems(items: readonly Shape[], findings: Finding[]): void {
  for (const item of items) {
    if (item.kind === "mapping") checkShape(item, findings);
    else {
      const message = `list holds ${describe(item)}, expected mappings`;
      findings.push(findingAt(codes.rateLimitType, item.place, message));
    }
  }
}

function describe(shape: Shape): string {
  if (shape.kind !== "scalar") return `a ${shape.kind}`;
  return shape.type === "null" ? "nothing" : "a scalar";
}
