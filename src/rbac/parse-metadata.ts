import { codes, type Finding, finding } from "../diagnostics/index.js";
import {
  fieldOf,
  type Message,
  messageEnum,
  messageFlag,
  messageList,
  pathOf,
  readMessage,
  wrongType,
} from "../documents/index.js";
import type { MetadataMatcher, ValueMatcher } from "../matchers/index.js";
import type { SourcedMetadata } from "./model.js";
import { mayNest, type Reader, readOneof } from "./oneof.js";
import { as, readField, readNonEmpty, readString } from "./parse-matcher.js";

const matcherFields: ReadonlySet<string> = new Set(["filter", "path", "value", "invert"]);
const segmentFields: ReadonlySet<string> = new Set(["key"]);

/** `envoy.type.matcher.v3.MetadataMatcher`. */
export function readMetadata(owner: Message, field: string, out: Finding[]): MetadataMatcher | undefined {
  const message = readField(owner, field, matcherFields, out);
  if (message === undefined) return undefined;
  const filter = readNonEmpty(message, "filter", out);
  const at = pathOf(message, "path");
  const segments = messageList(message, "path", out);
  if (segments.length === 0) {
    out.push(finding(codes.missingField, at, "`path` has no segment, expected at least one `key`"));
  }
  const path = segments.flatMap((item, i) => {
    const segment = readMessage(item, [...at, i], out, segmentFields);
    const key = segment && readNonEmpty(segment, "key", out);
    return key === undefined ? [] : [{ key }];
  });
  const value = readRequired(message, "value", (m, f) => readValueField(m, f, 0, out), out);
  const invert = messageFlag(message, "invert", out);
  if (filter === undefined || value === undefined) return undefined;
  return { filter, path, value, ...(invert ? { invert } : {}) };
}

const sourcedFields: ReadonlySet<string> = new Set(["metadataMatcher", "metadataSource"]);

/** `envoy.config.rbac.v3.SourcedMetadata`. */
export function readSourcedMetadata(
  owner: Message,
  field: string,
  out: Finding[],
): SourcedMetadata | undefined {
  const message = readField(owner, field, sourcedFields, out);
  if (message === undefined) return undefined;
  const matcher = readRequired(message, "metadataMatcher", (m, f) => readMetadata(m, f, out), out);
  const metadataSource = messageEnum(message, "metadataSource", ["DYNAMIC", "ROUTE"], out);
  return as(matcher, (metadataMatcher) => ({ metadataMatcher, metadataSource }));
}

function readRequired<Value>(
  message: Message,
  field: string,
  read: (message: Message, field: string) => Value | undefined,
  out: Finding[],
): Value | undefined {
  if (message.written.has(field)) return read(message, field);
  out.push(wrongType(undefined, pathOf(message, field), "a mapping"));
  return undefined;
}

const valueFields: ReadonlySet<string> = new Set([
  ...["nullMatch", "doubleMatch", "stringMatch", "boolMatch", "presentMatch", "listMatch", "orMatch"],
]);
const noFields: ReadonlySet<string> = new Set();
const listFields: ReadonlySet<string> = new Set(["oneOf"]);
const orFields: ReadonlySet<string> = new Set(["valueMatchers"]);

function readValueField(
  owner: Message,
  field: string,
  depth: number,
  out: Finding[],
): ValueMatcher | undefined {
  return readValue(fieldOf(owner, field), [...pathOf(owner, field)], depth, out);
}

/** `envoy.type.matcher.v3.ValueMatcher`. */
function readValue(
  value: unknown,
  at: readonly (string | number)[],
  depth: number,
  out: Finding[],
): ValueMatcher | undefined {
  if (!mayNest(depth, at, out)) return undefined;
  const message = readMessage(value, at, out, valueFields);
  if (message === undefined) return undefined;
  const readers: Readonly<Record<string, Reader<ValueMatcher>>> = {
    nullMatch: (m, f) => as(readField(m, f, noFields, out), () => ({ nullMatch: {} })),
    doubleMatch: (m, f) => as(readDouble(m, f, out), (doubleMatch) => ({ doubleMatch })),
    stringMatch: (m, f) => as(readString(m, f, out), (stringMatch) => ({ stringMatch })),
    boolMatch: (m, f) => ({ boolMatch: messageFlag(m, f, out) }),
    presentMatch: (m, f) => ({ presentMatch: messageFlag(m, f, out) }),
    listMatch: (m, f) => {
      const list = readField(m, f, listFields, out);
      const read: Reader<ValueMatcher> = (inner, name) => readValueField(inner, name, depth + 1, out);
      return as(list && readOneof(list, { oneOf: read }, {}, out), (oneOf) => ({ listMatch: { oneOf } }));
    },
    orMatch: (m, f) => as(readOr(m, f, depth, out), (valueMatchers) => ({ orMatch: { valueMatchers } })),
  };
  return readOneof(message, readers, {}, out);
}

function readOr(
  owner: Message,
  field: string,
  depth: number,
  out: Finding[],
): readonly ValueMatcher[] | undefined {
  const message = readField(owner, field, orFields, out);
  if (message === undefined) return undefined;
  const at = pathOf(message, "valueMatchers");
  const items = messageList(message, "valueMatchers", out);
  if (items.length < 2) {
    out.push(finding(codes.missingField, at, "`valueMatchers` needs at least two matchers"));
  }
  return items
    .map((item, i) => readValue(item, [...at, i], depth + 1, out))
    .filter((one) => one !== undefined);
}

const doubleFields: ReadonlySet<string> = new Set(["range", "exact"]);
const rangeFields: ReadonlySet<string> = new Set(["start", "end"]);

type DoubleMatcher = Extract<ValueMatcher, { readonly doubleMatch: unknown }>["doubleMatch"];

function readDouble(owner: Message, field: string, out: Finding[]): DoubleMatcher | undefined {
  const message = readField(owner, field, doubleFields, out);
  if (message === undefined) return undefined;
  const readers: Readonly<Record<string, Reader<DoubleMatcher>>> = {
    exact: (m, f) => ({ exact: readNumber(m, f, out) }),
    range: (m, f) =>
      as(readField(m, f, rangeFields, out), (range) => ({
        range: { start: readNumber(range, "start", out), end: readNumber(range, "end", out) },
      })),
  };
  return readOneof(message, readers, {}, out);
}

function readNumber(message: Message, field: string, out: Finding[]): number {
  const value = fieldOf(message, field) ?? 0;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  out.push(wrongType(value, pathOf(message, field), "a number"));
  return 0;
}
