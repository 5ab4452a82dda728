import { codes, type Finding, show } from "../diagnostics/index.js";
import { findingAt } from "./check-keys.js";
import { DecodeError, eachPair, enter, startWalk, type Walk } from "./decode.js";
import { isPlainNull, type Place, resolveScalar, type ScalarNode, type YamlNode } from "./yaml/index.js";

/** `rate_limit` as written; defaults are Go's zeros. */
export interface RawLimit {
  place: Place;
  requestsPerUnit: number;
  unit: string;
  unitPlace: Place;
  unlimited: boolean;
  name: string;
  replaces: readonly RawReplaces[];
}

export interface RawReplaces {
  readonly place: Place;
  name: string;
}

/** A descriptor as written. */
export interface RawDescriptor {
  readonly place: Place;
  key: string;
  value: string;
  rateLimit: RawLimit | undefined;
  descriptors: readonly RawDescriptor[];
  shadowMode: boolean;
  quotaMode: boolean;
  detailedMetric: boolean;
  valueToMetric: boolean;
  shareThreshold: boolean;
}

/** A file as written. */
export interface RawFile {
  domain: string;
  domainPlace: Place;
  descriptors: readonly RawDescriptor[];
}

interface Reader extends Walk {
  readonly findings: Finding[];
}

/** Reads one field's value into its place. */
type Setter<Target> = (target: Target, value: YamlNode, reader: Reader) => void;
type Fields<Target> = ReadonlyMap<string, Setter<Target>>;

const replacesFields: Fields<RawReplaces> = new Map<string, Setter<RawReplaces>>([
  ["name", (target, value, reader) => readText(reader, value, (text) => (target.name = text))],
]);

const limitFields: Fields<RawLimit> = new Map<string, Setter<RawLimit>>([
  [
    "requests_per_unit",
    (target, value, reader) => readCount(reader, value, (count) => (target.requestsPerUnit = count)),
  ],
  [
    "unit",
    (target, value, reader) => {
      target.unitPlace = value;
      readText(reader, value, (text) => (target.unit = text));
    },
  ],
  ["unlimited", (target, value, reader) => readFlag(reader, value, (flag) => (target.unlimited = flag))],
  ["name", (target, value, reader) => readText(reader, value, (text) => (target.name = text))],
  [
    "replaces",
    (target, value, reader) => {
      readItems(
        reader,
        value,
        replacesFields,
        (place): RawReplaces => ({ place, name: "" }),
        (items) => (target.replaces = items),
      );
    },
  ],
]);

const descriptorFields: Fields<RawDescriptor> = new Map<string, Setter<RawDescriptor>>([
  ["key", (target, value, reader) => readText(reader, value, (text) => (target.key = text))],
  ["value", (target, value, reader) => readText(reader, value, (text) => (target.value = text))],
  ["rate_limit", readLimit],
  [
    "descriptors",
    (target, value, reader) => readDescriptors(reader, value, (items) => (target.descriptors = items)),
  ],
  ["shadow_mode", (target, value, reader) => readFlag(reader, value, (flag) => (target.shadowMode = flag))],
  ["quota_mode", (target, value, reader) => readFlag(reader, value, (flag) => (target.quotaMode = flag))],
  [
    "detailed_metric",
    (target, value, reader) => readFlag(reader, value, (flag) => (target.detailedMetric = flag)),
  ],
  [
    "value_to_metric",
    (target, value, reader) => readFlag(reader, value, (flag) => (target.valueToMetric = flag)),
  ],
  [
    "share_threshold",
    (target, value, reader) => readFlag(reader, value, (flag) => (target.shareThreshold = flag)),
  ],
]);

const fileFields: Fields<RawFile> = new Map<string, Setter<RawFile>>([
  [
    "domain",
    (target, value, reader) => {
      target.domainPlace = value;
      readText(reader, value, (text) => (target.domain = text));
    },
  ],
  [
    "descriptors",
    (target, value, reader) => readDescriptors(reader, value, (items) => (target.descriptors = items)),
  ],
]);

/**
 * Reads the fields of a file whose keys are checked. As the peer does, a key that is written twice is read
 * twice: texts, flags and lists of the second replace those of the first, but two `rate_limit` become one.
 * Throws `DecodeError`.
 */
export function readFile(root: YamlNode): { file: RawFile; findings: readonly Finding[] } {
  const reader: Reader = { ...startWalk(), findings: [] };
  const file: RawFile = { domain: "", domainPlace: root, descriptors: [] };
  readInto(reader, root, file, fileFields, () => ({ domain: "", domainPlace: root, descriptors: [] }));
  return { file, findings: reader.findings };
}

function zeroDescriptor(place: Place): RawDescriptor {
  return {
    place,
    key: "",
    value: "",
    rateLimit: undefined,
    descriptors: [],
    shadowMode: false,
    quotaMode: false,
    detailedMetric: false,
    valueToMetric: false,
    shareThreshold: false,
  };
}

function zeroLimit(place: Place): RawLimit {
  return { place, requestsPerUnit: 0, unit: "", unitPlace: place, unlimited: false, name: "", replaces: [] };
}

function readDescriptors(
  reader: Reader,
  value: YamlNode,
  use: (items: readonly RawDescriptor[]) => void,
): void {
  readItems(reader, value, descriptorFields, zeroDescriptor, use);
}

/** Null takes the limit away, in the spellings that yaml.v2 sees before types; in others it empties it. */
function readLimit(target: RawDescriptor, value: YamlNode, reader: Reader): void {
  enter(reader, value, (node) => {
    if (node.kind === "scalar" && isPlainNull(node)) {
      if (resolve(node).kind === "null") target.rateLimit = undefined;
      return;
    }
    target.rateLimit ??= zeroLimit(value);
    readNodeInto(reader, node, target.rateLimit, limitFields, () => zeroLimit(value));
  });
}

function readInto<Target extends object>(
  reader: Reader,
  value: YamlNode,
  target: Target,
  fields: Fields<Target>,
  zero: () => Target,
): void {
  enter(reader, value, (node) => readNodeInto(reader, node, target, fields, zero));
}

function readNodeInto<Target extends object>(
  reader: Reader,
  node: YamlNode,
  target: Target,
  fields: Fields<Target>,
  zero: () => Target,
): void {
  if (node.kind === "scalar" && resolve(node).kind === "null") Object.assign(target, zero());
  else if (node.kind !== "mapping") misfit(reader, node, "a mapping");
  else {
    eachPair(reader, node, (key, value) => {
      // What is no text is no key of ours: the keys that count are checked.
      let name = "";
      readText(reader, key, (text) => (name = text));
      fields.get(name)?.(target, value, reader);
    });
  }
}

function readItems<Item extends object>(
  reader: Reader,
  value: YamlNode,
  fields: Fields<Item>,
  zero: (place: Place) => Item,
  use: (items: readonly Item[]) => void,
): void {
  enter(reader, value, (node) => {
    if (node.kind === "scalar" && resolve(node).kind === "null") use([]);
    else if (node.kind !== "list") misfit(reader, node, "a list");
    else {
      const read = (item: YamlNode): Item => {
        const target = zero(item);
        readInto(reader, item, target, fields, () => zero(item));
        return target;
      };
      use(node.items.map(read));
    }
  });
}

/** Every scalar is a text: what is not quoted means its source. */
function readText(reader: Reader, value: YamlNode, use: (text: string) => void): void {
  enter(reader, value, (node) => {
    if (node.kind !== "scalar") return misfit(reader, node, "a text");
    const resolved = resolve(node);
    if (resolved.kind === "null") use("");
    else use(resolved.kind === "text" ? resolved.value : node.value);
  });
}

function readFlag(reader: Reader, value: YamlNode, use: (flag: boolean) => void): void {
  enter(reader, value, (node) => {
    const resolved = node.kind === "scalar" ? resolve(node) : undefined;
    if (resolved?.kind === "bool") use(resolved.value);
    else if (resolved?.kind === "null") use(false);
    else misfit(reader, node, "true or false");
  });
}

function readCount(reader: Reader, value: YamlNode, use: (count: number) => void): void {
  enter(reader, value, (node) => {
    const resolved = node.kind === "scalar" ? resolve(node) : undefined;
    if (resolved?.kind === "null") return use(0);
    const isNumber = resolved?.kind === "int" || resolved?.kind === "float";
    const count = isNumber ? Math.trunc(Number(resolved.value)) : Number.NaN;
    if (count >= 0 && count <= 0xffff_ffff) use(count === 0 ? 0 : count);
    else misfit(reader, node, "a whole number from 0 to 4294967295");
  });
}

function resolve(node: ScalarNode): ReturnType<typeof resolveScalar> {
  const resolved = resolveScalar(node);
  if (resolved.kind === "wrong") throw new DecodeError(`value is no !!${resolved.expected}`, node);
  return resolved;
}

function misfit(reader: Reader, node: YamlNode, expected: string): void {
  const found = node.kind === "scalar" ? show(node.value) : `a ${node.kind}`;
  reader.findings.push(findingAt(codes.rateLimitType, node, `${found}, expected ${expected}`));
}
