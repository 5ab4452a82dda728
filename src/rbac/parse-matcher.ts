import { breaksLine, parseIp } from "../attributes/index.js";
import { codes, type Finding, finding, show } from "../diagnostics/index.js";
import {
  fieldOf,
  type Message,
  messageFlag,
  messageText,
  pathOf,
  readInteger,
  readMessage,
  wrongType,
} from "../documents/index.js";
import {
  type CidrRange,
  type HeaderMatcher,
  type Int32Range,
  type PathMatcher,
  type RegexMatcher,
  type StringMatcher,
  type StringPattern,
  type UriTemplate,
  uriTemplateType,
} from "../matchers/index.js";
import { type Reader, readOneof } from "./oneof.js";
import { checkRegex } from "./regex-syntax.js";
import { checkUriTemplate } from "./uri-template-syntax.js";

/** Reads the message in a field; the field's name is one of the known ones. */
export function readField(
  owner: Message,
  field: string,
  known: ReadonlySet<string>,
  out: Finding[],
): Message | undefined {
  return readMessage(fieldOf(owner, field), pathOf(owner, field), out, known);
}

/** A text of which Envoy asks at least one character. */
export function readNonEmpty(owner: Message, field: string, out: Finding[]): string | undefined {
  const text = messageText(owner, field, out);
  if (text !== "") return text;
  const value = fieldOf(owner, field);
  if (value === undefined || value === "") {
    const message = `\`${field}\` is ${value === "" ? "empty" : "missing"}, expected a non-empty string`;
    out.push(finding(value === "" ? codes.emptyValue : codes.missingField, pathOf(owner, field), message));
  }
  return undefined;
}

const stringFields: ReadonlySet<string> = new Set([
  ...["exact", "prefix", "suffix", "contains", "safeRegex", "custom", "ignoreCase"],
]);

const stringPatterns: Readonly<Record<string, Reader<StringPattern>>> = {
  exact: (m, f, out) => ({ exact: messageText(m, f, out) }),
  prefix: (m, f, out) => as(readNonEmpty(m, f, out), (prefix) => ({ prefix })),
  suffix: (m, f, out) => as(readNonEmpty(m, f, out), (suffix) => ({ suffix })),
  contains: (m, f, out) => as(readNonEmpty(m, f, out), (contains) => ({ contains })),
  safeRegex: (m, f, out) => as(readRegex(m, f, out), (safeRegex) => ({ safeRegex })),
};

/** `envoy.type.matcher.v3.StringMatcher`. */
export function readString(owner: Message, field: string, out: Finding[]): StringMatcher | undefined {
  const message = readField(owner, field, stringFields, out);
  if (message === undefined) return undefined;
  const pattern = readOneof(message, stringPatterns, { custom: "it is code inside Envoy" }, out);
  const ignoreCase = messageFlag(message, "ignoreCase", out);
  if (pattern === undefined || !ignoreCase) return pattern;
  if ("safeRegex" in pattern) {
    const text = "`ignoreCase` has no effect on a regex, expected `(?i)` in it";
    out.push(finding(codes.conflictingFields, pathOf(message, "ignoreCase"), text));
  }
  return { ...pattern, ignoreCase };
}

const regexFields: ReadonlySet<string> = new Set(["googleRe2", "regex"]);
const googleFields: ReadonlySet<string> = new Set(["maxProgramSize"]);

function readRegex(owner: Message, field: string, out: Finding[]): RegexMatcher | undefined {
  const message = readField(owner, field, regexFields, out);
  if (message === undefined) return undefined;
  const regex = readNonEmpty(message, "regex", out);
  const engine = message.written.has("googleRe2")
    ? readField(message, "googleRe2", googleFields, out)
    : undefined;
  const limit = engine && fieldOf(engine, "maxProgramSize");
  const most =
    engine && limit !== undefined
      ? readInteger(limit, pathOf(engine, "maxProgramSize"), out, [0, 0xffffffff])
      : undefined;
  if (regex === undefined) return undefined;
  checkRegex(regex, pathOf(message, "regex"), out, most);
  return { regex };
}

const headerSpecifiers: Readonly<Record<string, Reader<Partial<HeaderMatcher>>>> = {
  // Envoy takes an empty `exact_match` for any value, but an empty `string_match.exact` for the empty one:
  // measured.
  exactMatch: (m, f, out) => {
    const exact = messageText(m, f, out);
    return { stringMatch: exact === "" ? { safeRegex: { regex: ".*" } } : { exact } };
  },
  safeRegexMatch: (m, f, out) => as(readRegex(m, f, out), (safeRegex) => ({ stringMatch: { safeRegex } })),
  rangeMatch: (m, f, out) => as(readRange(m, f, out), (rangeMatch) => ({ rangeMatch })),
  presentMatch: (m, f, out) => ({ presentMatch: messageFlag(m, f, out) }),
  prefixMatch: (m, f, out) => as(readNonEmpty(m, f, out), (prefix) => ({ stringMatch: { prefix } })),
  suffixMatch: (m, f, out) => as(readNonEmpty(m, f, out), (suffix) => ({ stringMatch: { suffix } })),
  containsMatch: (m, f, out) => as(readNonEmpty(m, f, out), (contains) => ({ stringMatch: { contains } })),
  stringMatch: (m, f, out) => as(readString(m, f, out), (stringMatch) => ({ stringMatch })),
};
const specifierNames = Object.keys(headerSpecifiers);
const headerFields: ReadonlySet<string> = new Set([
  ...specifierNames,
  ...["name", "invertMatch", "treatMissingHeaderAsEmpty"],
]);

/**
 * `envoy.config.route.v3.HeaderMatcher`; the deprecated specifiers become `stringMatch`. None means: present.
 */
export function readHeader(owner: Message, field: string, out: Finding[]): HeaderMatcher | undefined {
  const message = readField(owner, field, headerFields, out);
  if (message === undefined) return undefined;
  const name = readNonEmpty(message, "name", out);
  if (name !== undefined && breaksLine(name)) {
    const text = `header name ${show(name)} has a line break or NUL, expected a header name`;
    out.push(finding(codes.invalidName, pathOf(message, "name"), text));
  }
  const bare = !specifierNames.some((specifier) => message.written.has(specifier));
  const specifier = bare ? {} : readOneof(message, headerSpecifiers, {}, out);
  const invertMatch = messageFlag(message, "invertMatch", out);
  const treatMissingHeaderAsEmpty = messageFlag(message, "treatMissingHeaderAsEmpty", out);
  if (name === undefined || specifier === undefined) return undefined;
  return {
    name,
    ...specifier,
    ...(invertMatch ? { invertMatch } : {}),
    ...(treatMissingHeaderAsEmpty ? { treatMissingHeaderAsEmpty } : {}),
  };
}

const pathFields: ReadonlySet<string> = new Set(["path"]);

/** `envoy.type.matcher.v3.PathMatcher`. */
export function readPath(owner: Message, field: string, out: Finding[]): PathMatcher | undefined {
  const message = readField(owner, field, pathFields, out);
  return (
    message &&
    readOneof(message, { path: (m, f, o) => as(readString(m, f, o), (path) => ({ path })) }, {}, out)
  );
}

const rangeFields: ReadonlySet<string> = new Set(["start", "end"]);

/** `Int32Range` and `Int64Range`: absent bounds are 0. */
export function readRange(owner: Message, field: string, out: Finding[]): Int32Range | undefined {
  const message = readField(owner, field, rangeFields, out);
  if (message === undefined) return undefined;
  const bound = (name: string): number =>
    readInteger(fieldOf(message, name) ?? 0, pathOf(message, name), out, [
      Number.MIN_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER,
    ]);
  return { start: bound("start"), end: bound("end") };
}

const cidrFields: ReadonlySet<string> = new Set(["addressPrefix", "prefixLen"]);

/** `envoy.config.core.v3.CidrRange`. An absent `prefixLen` is 0, all addresses of the family, as in Envoy. */
export function readCidr(owner: Message, field: string, out: Finding[]): CidrRange | undefined {
  const message = readField(owner, field, cidrFields, out);
  if (message === undefined) return undefined;
  const addressPrefix = readNonEmpty(message, "addressPrefix", out);
  const ip = addressPrefix === undefined ? undefined : parseIp(addressPrefix);
  if (addressPrefix !== undefined && ip === undefined) {
    const text = `${show(addressPrefix)} is no IP address, expected e.g. \`10.0.0.0\`, with its length in \`prefixLen\``;
    out.push(finding(codes.invalidValue, pathOf(message, "addressPrefix"), text));
  }
  const most = ip?.family === 4 ? 32 : 128;
  const prefixLen = readInteger(fieldOf(message, "prefixLen") ?? 0, pathOf(message, "prefixLen"), out, [
    0,
    most,
  ]);
  return addressPrefix === undefined ? undefined : { addressPrefix, prefixLen };
}

const extensionFields: ReadonlySet<string> = new Set(["name", "typedConfig"]);
const templateFields: ReadonlySet<string> = new Set(["@type", "pathTemplate"]);

/** `envoy.config.core.v3.TypedExtensionConfig` with the only path matcher that Envoy's RBAC has. */
export function readUriTemplate(owner: Message, field: string, out: Finding[]): UriTemplate | undefined {
  const message = readField(owner, field, extensionFields, out);
  if (message === undefined) return undefined;
  const name = readNonEmpty(message, "name", out);
  const raw = fieldOf(message, "typedConfig");
  const type = typeof raw === "object" && raw !== null && "@type" in raw ? raw["@type"] : undefined;
  if (type !== uriTemplateType) {
    out.push(
      type === undefined
        ? wrongType(undefined, [...pathOf(message, "typedConfig"), "@type"], `\`${uriTemplateType}\``)
        : finding(
            codes.envoyUnanswerable,
            [...pathOf(message, "typedConfig"), "@type"],
            `extension type ${show(type)} is not known here, expected \`${uriTemplateType}\``,
          ),
    );
    return undefined;
  }
  const config = readField(message, "typedConfig", templateFields, out);
  const pathTemplate = config && readNonEmpty(config, "pathTemplate", out);
  if (name === undefined || config === undefined || pathTemplate === undefined) return undefined;
  const wrong = checkUriTemplate(pathTemplate);
  if (wrong !== undefined) {
    const text = `path template ${show(pathTemplate)} ${wrong}, expected e.g. \`/items/*\` or \`/files/**\``;
    out.push(finding(codes.invalidValue, pathOf(config, "pathTemplate"), text));
  }
  return { name, typedConfig: { "@type": uriTemplateType, pathTemplate } };
}

/** Passes on that something could not be read. */
export function as<From, To>(value: From | undefined, make: (value: From) => To): To | undefined {
  return value === undefined ? undefined : make(value);
}
