import { codes, type Finding, finding } from "../diagnostics/index.js";
import {
  asFields,
  fieldOf,
  type Message,
  messageEnum,
  messageFlag,
  messageList,
  messageText,
  pathOf,
  readMessage,
} from "../documents/index.js";
import type { WorkloadMode } from "./telemetry.js";

const modes = ["CLIENT_AND_SERVER", "CLIENT", "SERVER"] as const;

/** A message below another; undefined when absent. */
export function childOf(
  parent: Message,
  name: string,
  known: ReadonlySet<string>,
  out: Finding[],
): Message | undefined {
  const value = fieldOf(parent, name);
  return value === undefined ? undefined : readMessage(value, pathOf(parent, name), out, known);
}

/** Messages of a list, without those that are none. */
export function childrenOf(
  parent: Message,
  name: string,
  known: ReadonlySet<string>,
  out: Finding[],
): readonly Message[] {
  return messageList(parent, name, out).flatMap(
    (item, i) => readMessage(item, [...pathOf(parent, name), i], out, known) ?? [],
  );
}

/** Entries of a map of messages by name. */
export function entriesOf(
  parent: Message,
  name: string,
  known: ReadonlySet<string>,
  out: Finding[],
): readonly (readonly [name: string, message: Message])[] {
  const value = fieldOf(parent, name);
  const at = pathOf(parent, name);
  const fields = value === undefined ? undefined : asFields(value, at, out);
  return Object.entries(fields ?? {}).flatMap(([key, entry]) => {
    if (key === "") out.push(finding(codes.emptyValue, [...at, key], `name in \`${name}\` is empty`));
    const message = readMessage(entry, [...at, key], out, known);
    return message === undefined ? [] : [[key, message] as const];
  });
}

const modeFields: ReadonlySet<string> = new Set(["mode"]);

/** `match.mode` of logs and traces. */
export function readMatchMode(parent: Message, out: Finding[]): WorkloadMode {
  const match = childOf(parent, "match", modeFields, out);
  return match === undefined ? "CLIENT_AND_SERVER" : messageEnum(match, "mode", modes, out);
}

/** `mode` of a message. */
export function readMode(message: Message, out: Finding[]): WorkloadMode {
  return messageEnum(message, "mode", modes, out);
}

/** A BoolValue: undefined when it is not given. */
export function readOptionalFlag(message: Message, name: string, out: Finding[]): boolean | undefined {
  return fieldOf(message, name) === undefined ? undefined : messageFlag(message, name, out);
}

const providerFields: ReadonlySet<string> = new Set(["name"]);

/** `providers[].name`, in lower case: Istio finds providers in any case of letters. */
export function readProviders(message: Message, out: Finding[]): readonly string[] {
  return childrenOf(message, "providers", providerFields, out).map((provider) =>
    readNonEmpty(provider, "name", out).toLowerCase(),
  );
}

/** A text that has to be there. */
export function readNonEmpty(message: Message, name: string, out: Finding[]): string {
  const text = messageText(message, name, out);
  const value = fieldOf(message, name);
  if (value === undefined || value === "") {
    out.push(
      finding(codes.emptyValue, pathOf(message, name), `\`${name}\` is empty, expected a non-empty string`),
    );
  }
  return text;
}

/** Says that a field, if it is given, does nothing here. */
export function warnWithoutEffect(message: Message, name: string, why: string, out: Finding[]): void {
  if (fieldOf(message, name) === undefined) return;
  out.push(
    finding(codes.telemetryWithoutEffect, pathOf(message, name), `\`${name}\` has no effect here: ${why}`),
  );
}
