import {
  ContentError,
  compileDescriptors,
  jsonOfLists,
  parseQuery,
  type Span,
  sourceOf,
  textOfByteString,
  unescapeBytes,
} from "../content/index.js";
import { parseBody } from "./input-body.js";
import { compileCheckRequest, type Seen } from "./input-fields.js";

/** What the input is made with. */
export interface InputOptions {
  /** False: neither `parsed_body` nor `truncated_body` is there, as OPA-Envoy's `skip-request-body-parse`. */
  readonly parseBody: boolean;
  /** A FileDescriptorSet: gRPC bodies of its methods are parsed. */
  readonly protoDescriptor?: Uint8Array | undefined;
}

/** JSON text of `input`, or why the request is a bad one (OPA-Envoy's `request_parse_error`, a 400). */
export type InputResult =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly message: string };

/**
 * Gives the writer of a policy's `input`: as OPA-Envoy's, field by field. `original` is the CheckRequest as it came; it
 * must not change while the writer runs. `extra` is JSON text for the key `gatehouse`, which OPA-Envoy does not have.
 * A request that is not protobuf, or has strings that are not UTF-8, is a bad one here; OPA-Envoy's gRPC
 * server refuses it before. Throws a ContentError (`bad_descriptors`) when `protoDescriptor` is none; the writer never throws.
 */
export function createInputWriter(
  options: InputOptions,
): (original: Uint8Array, extra?: string | undefined) => InputResult {
  const grpc =
    options.protoDescriptor === undefined
      ? undefined
      : compileDescriptors(options.protoDescriptor, maxGrpcDepth);
  const seen: Seen = {
    path: undefined,
    body: undefined,
    rawBody: undefined,
    headers: undefined,
    sourcePrincipal: undefined,
  };
  const write = compileCheckRequest(seen);

  const inputOf = (original: Uint8Array, extra: string | undefined): string => {
    const source = sourceOf(original);
    const request = write({ source, start: 0, end: original.length }, 0);
    const path = textIn(seen.path);
    const question = path.indexOf("?");
    const segments = unescapeBytes(question < 0 ? path : path.slice(0, question))
      .replace(/^\/+/, "")
      .split("/")
      .map(textOfByteString);
    const query = question < 0 ? "{}" : jsonOfLists(parseQuery(path.slice(question + 1)), JSON.stringify);
    let json = `${request.slice(0, -1)}${request === "{}" ? "" : ","}${version}`;
    json += `,"parsed_path":${JSON.stringify(segments)},"parsed_query":${query}`;
    if (options.parseBody) {
      const body = parseBody(seen, segments, grpc);
      json += `,"parsed_body":${body.json},"truncated_body":${body.truncated}`;
    }
    const principal = textIn(seen.sourcePrincipal);
    if (principal !== "") json += `,"source_principal":${JSON.stringify(textOfByteString(principal))}`;
    return extra === undefined ? `${json}}` : `${json},"gatehouse":${extra}}`;
  };

  return (original, extra) => {
    try {
      return { ok: true, json: inputOf(original, extra) };
    } catch (error) {
      if (error instanceof ContentError) return { ok: false, message: error.message };
      throw error;
    } finally {
      forget(seen);
    }
  };
}

/** Levels of messages in a gRPC body. */
const maxGrpcDepth = 400;

const version = '"version":{"ext_authz":"v3","encoding":"protojson"}';

/** A string whose characters are bytes. */
function textIn(span: Span | undefined): string {
  return span === undefined ? "" : span.source.latin1.slice(span.start, span.end);
}

function forget(seen: Seen): void {
  seen.path = undefined;
  seen.body = undefined;
  seen.rawBody = undefined;
  seen.headers = undefined;
  seen.sourcePrincipal = undefined;
}
