import { type IpRange, ipRange, isWithin, parseIp, toBytes } from "../attributes/index.js";
import { compilePathTemplate, parseCidr } from "../matchers/index.js";
import { prefixText, unmapped } from "./address-text.js";
import { spend } from "./budget.js";
import { ExpressionError } from "./expression-error.js";
import type { Apply, FunctionEntry } from "./function-entry.js";
import { types } from "./type.js";
import type { Value } from "./value.js";

const noAddress = new ExpressionError("`ipPrefix` expects an IP address");
const notInCidr = new ExpressionError("`inCidr` expects an IP address");

/** `ipPrefix`, `inCidr` and `pathTemplate`: no part of CEL. */
export const networkFunctions: readonly FunctionEntry[] = [
  {
    name: "ipPrefix",
    form: "function",
    parameters: [["string"], ["int"], ["int"]],
    optional: 1,
    literals: [1, 2],
    result: types.string,
    bind: ([, v4, v6 = 64n]) => ipPrefix(bitsOf(v4, 32), bitsOf(v6, 128)),
  },
  {
    name: "inCidr",
    form: "function",
    parameters: [["string"], ["string"]],
    literals: [1],
    result: types.bool,
    bind: ([, cidr]) => inCidr(rangeOf(cidr as string)),
  },
  {
    name: "pathTemplate",
    form: "function",
    parameters: [["string"], ["list"]],
    literals: [1],
    result: types.string,
    bind: ([, templates]) => pathTemplate(templates as readonly Value[]),
  },
];

function bitsOf(value: Value | undefined, most: number): number {
  if (typeof value !== "bigint" || value < 0n || value > BigInt(most))
    throw new Error(`expected 0 to ${most} bits of an IPv${most === 32 ? 4 : 6} address`);
  return Number(value);
}

/** Longest text of an address. */
const maxAddress = 64;

function ipPrefix(v4Bits: number, v6Bits: number): Apply {
  return (frame, text) => {
    spend(frame, 80);
    const written = (text as string).length > maxAddress ? undefined : parseIp(text as string);
    if (written === undefined) throw noAddress;
    const ip = unmapped(written);
    return prefixText(ip, ip.family === 4 ? v4Bits : v6Bits);
  };
}

function rangeOf(cidr: string): IpRange {
  const range = parseCidr(cidr);
  const ip = range === undefined ? undefined : parseIp(range.addressPrefix);
  if (range === undefined || ip === undefined) throw new Error(`\`${cidr}\` is no range of IP addresses`);
  return ipRange(ip, range.prefixLen);
}

/** As policies compare: an IPv4-mapped address is IPv6. */
function inCidr(range: IpRange): Apply {
  return (frame, text) => {
    spend(frame, 40);
    const ip = (text as string).length > maxAddress ? undefined : parseIp(text as string);
    if (ip === undefined) throw notInCidr;
    return isWithin(ip, range);
  };
}

/** Templates of one call. */
const maxTemplates = 100;

/** The first template that matches the path up to its query, or the empty text. */
function pathTemplate(templates: readonly Value[]): Apply {
  if (templates.length === 0 || templates.length > maxTemplates)
    throw new Error(`expected 1 to ${maxTemplates} templates`);
  const compiled = templates.map((template) => {
    if (typeof template !== "string") throw new Error("expected a list of texts");
    if (/\*/.test(template.replaceAll(/\{\*{1,2}\}/g, "")))
      throw new Error(
        `path template \`${template}\` has a bare \`*\`, expected \`{*}\`, \`{**}\` or \`{name}\``,
      );
    const envoys = template.replaceAll("{**}", "**").replaceAll("{*}", "*");
    return { template, matches: compilePathTemplate(envoys) };
  });
  return (frame, value) => {
    const cut = (value as string).search(/[?#]/);
    const path = toBytes(cut < 0 ? (value as string) : (value as string).slice(0, cut));
    spend(frame, compiled.length * (4 + (path.length >> 1)));
    return compiled.find(({ matches }) => matches(path))?.template ?? "";
  };
}
