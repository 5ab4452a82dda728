import { isSecretHeader, type Report, type SpanTag } from "../report/index.js";
import { masked, maskUrl, tagText } from "./masked.js";

/**
 * Gives the text of an Envoy format such as `%RESPONSE_CODE%` for a report; made once for each format. It has to mask the
 * values of a query in a path; formats that name a secret header do not come to it.
 */
export type Format = (format: string) => (report: Report) => string;

/** A tag of a rule: its value for a report, undefined: no tag. */
export interface CompiledTag {
  readonly name: string;
  readonly read: (report: Report) => string | undefined;
}

/** Headers with a path in them. */
const urls: ReadonlySet<string> = new Set([":path", "x-envoy-original-path", "referer"]);

/** `%REQ(NAME?OTHER):MAX%`, also of REQUEST_HEADER's and of the answer's headers. */
const headerOperator = /%[A-Z_]*(?:REQ|RESP|TRAILER|HEADER)[A-Z_]*\(([^)]*)\)/gi;

/** What tags are compiled with. */
export interface TagSurroundings {
  readonly format: Format;
  readonly maxTagLength: number;
  /** Whether the configuration reads credentials from the header, lower-case. */
  readonly isSecret: (header: string) => boolean;
}

/** A tag that would show a secret header says `***`, also where a format names one. */
export function compileTag(
  tag: SpanTag,
  { format, maxTagLength: maxLength, isSecret }: TagSurroundings,
): CompiledTag {
  const { name } = tag;
  if ("literal" in tag) return { name, read: () => tag.literal };
  if ("header" in tag) {
    const header = tag.header.toLowerCase();
    const show =
      isSecretHeader(header) || isSecret(header)
        ? () => masked
        : (value: string) => tagText(urls.has(header) ? maskUrl(value) : value, maxLength);
    const fallback = tag.fallback === "" ? undefined : tag.fallback;
    return {
      name,
      read: ({ attributes }) => {
        const lines = attributes.request?.headers.get(header);
        return lines === undefined ? fallback : show(lines.join(","));
      },
    };
  }
  if (namesSecret(tag.format)) return { name, read: () => masked };
  const write = format(tag.format);
  return {
    name,
    read: (report) => {
      const text = tagText(write(report), maxLength);
      return text === "" ? undefined : text;
    },
  };
}

function namesSecret(format: string): boolean {
  return [...format.matchAll(headerOperator)].some(([, names = ""]) =>
    names.split("?").some((name) => isSecretHeader(name.trim())),
  );
}
