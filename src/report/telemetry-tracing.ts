import { isFieldName } from "../attributes/index.js";
import { codes, type Finding, finding, show } from "../diagnostics/index.js";
import { fieldOf, type Message, messageText, pathOf, wrongType } from "../documents/index.js";
import type { CustomTag, TracingSettings } from "./telemetry.js";
import {
  childOf,
  entriesOf,
  readMatchMode,
  readNonEmpty,
  readOptionalFlag,
  readProviders,
  warnWithoutEffect,
} from "./telemetry-read.js";
import { isSecretHeader } from "./vocabulary-attribute.js";

/** The fields of an entry of `tracing`. */
export const tracingFields: ReadonlySet<string> = new Set([
  "match",
  "providers",
  "randomSamplingPercentage",
  "disableSpanReporting",
  "customTags",
  "useRequestIdForTraceSampling",
  "enableIstioTags",
  "disableContextPropagation",
]);
const kinds = ["literal", "environment", "header", "formatter"] as const;
const tagFields: ReadonlySet<string> = new Set(kinds);
const valueFields: ReadonlySet<string> = new Set(["value"]);
const namedFields: ReadonlySet<string> = new Set(["name", "defaultValue"]);

/** Reads an entry of `tracing`. */
export function readTracing(message: Message, out: Finding[]): TracingSettings {
  const envoys = "Envoy forwards trace headers itself";
  warnWithoutEffect(message, "useRequestIdForTraceSampling", envoys, out);
  warnWithoutEffect(message, "disableContextPropagation", envoys, out);
  const providers = readProviders(message, out);
  if (providers.length > 1) {
    const text = `\`providers\` has ${providers.length} items, of which the first counts`;
    out.push(finding(codes.telemetryWithoutEffect, pathOf(message, "providers"), text));
  }
  const tags = entriesOf(message, "customTags", tagFields, out);
  return {
    mode: readMatchMode(message, out),
    providers,
    samplingPercent: readPercent(message, out),
    disabled: readOptionalFlag(message, "disableSpanReporting", out),
    tags:
      fieldOf(message, "customTags") === undefined
        ? undefined
        : tags.flatMap(([name, tag]) => readTag(name, tag, out) ?? []),
    istioTags: readOptionalFlag(message, "enableIstioTags", out),
  };
}

function readPercent(message: Message, out: Finding[]): number | undefined {
  const name = "randomSamplingPercentage";
  const given = fieldOf(message, name);
  if (given === undefined) return undefined;
  const percent = typeof given === "string" && /^[0-9.]{1,9}$/.test(given) ? Number(given) : given;
  if (typeof percent !== "number" || Number.isNaN(percent)) {
    out.push(wrongType(given, pathOf(message, name), "a number from 0 to 100"));
    return undefined;
  }
  if (percent >= 0 && percent <= 100) return percent;
  out.push(
    finding(codes.invalidValue, pathOf(message, name), `\`${name}\` is ${percent}, expected 0 to 100`),
  );
  return undefined;
}

function readTag(name: string, tag: Message, out: Finding[]): CustomTag | undefined {
  const given = kinds.filter((kind) => fieldOf(tag, kind) !== undefined);
  const [kind, second] = given;
  if (kind === undefined || second !== undefined) {
    const message = `tag ${show(name)} has ${given.length === 0 ? "none" : "several"} of literal, environment, header and formatter, expected one`;
    out.push(finding(second === undefined ? codes.missingField : codes.conflictingFields, tag.at, message));
    return undefined;
  }
  const isNamed = kind === "environment" || kind === "header";
  const value = childOf(tag, kind, isNamed ? namedFields : valueFields, out);
  if (value === undefined) return undefined;
  if (kind === "literal") return { name, literal: readNonEmpty(value, "value", out) };
  if (kind === "formatter") return { name, format: readNonEmpty(value, "value", out) };
  const source = readNonEmpty(value, "name", out);
  const fallback = messageText(value, "defaultValue", out);
  if (kind === "environment") return { name, environment: source, fallback };
  return readHeaderTag({ name, header: source.toLowerCase(), fallback }, value, out);
}

function readHeaderTag(
  tag: Extract<CustomTag, { readonly header: string }>,
  at: Message,
  out: Finding[],
): CustomTag | undefined {
  const { header } = tag;
  if (header !== "" && !isFieldName(header.replace(/^:/, ""))) {
    out.push(finding(codes.invalidName, pathOf(at, "name"), `${show(header)} is no header's name`));
    return undefined;
  }
  if (!isSecretHeader(header)) return tag;
  const message = `header ${show(header)} holds credentials, so tag ${show(tag.name)} is left out`;
  out.push(finding(codes.secretInTelemetry, pathOf(at, "name"), message));
  return undefined;
}
