import type { Attributes, JsonValue, Workload } from "../attributes/index.js";
import {
  type Attribute,
  createVocabulary,
  type MapOperations,
  mapOf,
  mapView,
  requestVocabulary,
  textOf,
  types,
  type Vocabulary,
} from "../expressions/index.js";
import type { ResponseHead } from "./run.js";

/** What expressions of a BodyPolicy see: a request, and its response as far as it is there. */
export interface MessageInput {
  readonly attributes: Attributes;
  readonly workload: Workload | undefined;
  readonly response: ResponseHead | undefined;
  /**
   * The body as JSON: of a form and of multipart an object of lists, of gRPC the message as protojson;
   * numbers as doubles. Undefined: there is none, or it is of a type that nobody parses.
   */
  readonly requestBody: JsonValue | undefined;
  readonly responseBody: JsonValue | undefined;
}

const { dyn, int, string } = types;

const ofResponse = (
  name: string,
  type: Attribute<MessageInput>["type"],
  read: (head: ResponseHead) => ReturnType<Attribute<MessageInput>["read"]>,
): Attribute<MessageInput> => ({
  name,
  type,
  read: ({ response }) => (response === undefined ? undefined : read(response)),
});

const wholeNumber = /^\d{1,15}$/;

function size({ headers }: ResponseHead): bigint | undefined {
  const [length = "", ...others] = headers.get("content-length") ?? [];
  return others.length === 0 && wholeNumber.test(length) ? BigInt(length) : undefined;
}

const request: readonly Attribute<MessageInput>[] = [...requestVocabulary.attributes.values()];

/** Lines of one name are joined by a comma. */
const headerLines: MapOperations<ResponseHead["headers"]> = {
  get: (headers, name, budget) => {
    const lines = headers.get(name);
    return lines === undefined ? undefined : textOf(lines.join(","), budget);
  },
  has: (headers, name) => headers.has(name),
  size: (headers) => headers.size,
  keys: (headers) => headers.keys(),
};

function checkHeaderName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return lower === name ? undefined : `header names are in lower case here, expected \`${lower}\``;
}

const response: readonly Attribute<MessageInput>[] = [
  ofResponse("response.code", int, ({ code }) => BigInt(code)),
  {
    ...ofResponse("response.headers", mapOf(string), ({ headers }) => mapView(headerLines, headers)),
    checkKey: checkHeaderName,
  },
  ofResponse("response.size", int, size),
];

const elsewhere = (name: string, refused: string): Attribute<MessageInput> => ({
  name,
  type: dyn,
  read: () => undefined,
  refused: `\`${name}\` ${refused}`,
});

const requestBody: Attribute<MessageInput> = {
  name: "request.body",
  type: dyn,
  read: ({ requestBody: body }) => body,
};
const responseBody: Attribute<MessageInput> = {
  name: "response.body",
  type: dyn,
  read: ({ responseBody: body }) => body,
};
const noRequestBody = elsewhere("request.body", "is not known here, only in rules over the request");
const noResponseBody = elsewhere(
  "response.body",
  "is not known here, only in `response.body.rules` with `delivery: whole`",
);
const noResponse = ["response.code", "response.headers", "response.size"].map((name) =>
  elsewhere(name, "is not known yet, the expression is asked when the request comes"),
);

/** The request without its body: `match` of a policy. */
export const headVocabulary: Vocabulary<MessageInput> = createVocabulary([
  ...request,
  ...noResponse,
  noRequestBody,
  noResponseBody,
]);

/** The request with its body. */
export const requestBodyVocabulary: Vocabulary<MessageInput> = createVocabulary([
  ...request,
  ...noResponse,
  requestBody,
  noResponseBody,
]);

/** The request without its body, and the head of the response. */
export const responseVocabulary: Vocabulary<MessageInput> = createVocabulary([
  ...request,
  ...response,
  noRequestBody,
  noResponseBody,
]);

/** The same with the response's body. */
export const responseBodyVocabulary: Vocabulary<MessageInput> = createVocabulary([
  ...request,
  ...response,
  noRequestBody,
  responseBody,
]);
