import { breaksLine, isEditableHeader, isFieldName, lowerAscii } from "../attributes/index.js";
import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type Fields, readFields, readText, wrongType } from "../documents/index.js";
import { readWhole } from "./parse-scalars.js";
import type { QuotaResponse } from "./quota.js";

const responseFields: ReadonlySet<string> = new Set(["status", "body", "headers"]);

/** RFC 6585 section 4. */
const tooManyRequests = 429;

/** In characters: a refusal is no page. */
const MAX_BODY = 65_536;

/** What Envoy's StatusCode does not know: it would drop the answer. */
const unknownToEnvoy: ReadonlySet<number> = new Set([418, 419, 420, 425, 427, 430, 509]);

/** Reads `response`: how a refusal looks. */
export function readResponse(spec: Fields, at: Path, out: Finding[]): QuotaResponse {
  const here: Path = [...at, "response"];
  const response = readFields(spec, "response", at, out, responseFields) ?? {};
  const body = readText(response, "body", here, out) ?? "";
  if (body.length > MAX_BODY) {
    const message = `\`body\` has ${body.length} characters, expected at most ${MAX_BODY}`;
    out.push(finding(codes.tooMany, [...here, "body"], message));
  }
  return { status: readStatus(response, here, out), body, headers: readHeaders(response, here, out) };
}

function readStatus(response: Fields, at: Path, out: Finding[]): number {
  const status = readWhole(response, "status", [at, out], [400, 599]) ?? tooManyRequests;
  const isUnknown = unknownToEnvoy.has(status) || (status > 431 && status < 500) || status > 511;
  if (isUnknown) {
    const message = `\`status\` is ${status}, which Envoy does not know, expected one such as 429 or 503`;
    out.push(finding(codes.invalidValue, [...at, "status"], message));
  }
  return status;
}

function readHeaders(response: Fields, at: Path, out: Finding[]): QuotaResponse["headers"] {
  const here: Path = [...at, "headers"];
  const names = new Set<string>();
  return Object.entries(readFields(response, "headers", at, out) ?? {}).flatMap(
    ([written, value]): QuotaResponse["headers"] => {
      const name = lowerAscii(written);
      const wrong = checkHeader(written, name, value, [...here, written]);
      if (wrong !== undefined) out.push(wrong);
      else if (names.has(name)) {
        const message = `header ${show(name)} is given twice, expected each header once`;
        out.push(finding(codes.conflictingFields, [...here, written], message));
      }
      names.add(name);
      return wrong === undefined && typeof value === "string" ? [[name, value]] : [];
    },
  );
}

function checkHeader(written: string, name: string, value: unknown, at: Path): Finding | undefined {
  if (!isFieldName(name)) {
    return finding(
      codes.invalidName,
      at,
      `${show(written)} is no header's name, expected for example \`x-reason\``,
    );
  }
  if (!isEditableHeader(name)) {
    const message = `header ${show(written)} belongs to the connection or the message's framing, expected another one`;
    return finding(codes.invalidName, at, message);
  }
  if (typeof value !== "string") return wrongType(value, at, "a string");
  if (breaksLine(value)) {
    return finding(
      codes.invalidValue,
      at,
      `value of header ${show(written)} has a line break, expected one line`,
    );
  }
  return undefined;
}
