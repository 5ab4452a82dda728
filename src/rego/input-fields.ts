import {
  compileMessage,
  compileStruct,
  doubles,
  enumNumber,
  type Field,
  type FieldType,
  generalText,
  type Span,
  scalars,
  type WriteMessage,
} from "../content/index.js";

/** What of a CheckRequest the rest of the input is made from; undefined: not there. */
export interface Seen {
  path: Span | undefined;
  body: Span | undefined;
  rawBody: Span | undefined;
  /** Keys and values as JSON texts. */
  headers: ReadonlyMap<string, string> | undefined;
  sourcePrincipal: Span | undefined;
}

/** Levels of messages beyond which a request is refused; Envoy's own limit is 100. */
const maxDepth = 400;

type Texts = "string" | "bytes";

const text = (number: number, name: string, type: Texts = "string"): Field => ({
  number,
  name,
  type: scalars[type],
});
const message = (...fields: Field[]): { readonly message: () => WriteMessage } => {
  const write = compileMessage(fields, maxDepth);
  return { message: () => write };
};
const map = (number: number, name: string, type: FieldType = scalars.string): Field => ({
  number,
  name,
  type,
  mapKey: scalars.string,
});

/** As Go's Struct.AsMap gives values. */
const { struct } = compileStruct(
  {
    number: doubles(generalText),
    missing: () => "null",
  },
  maxDepth,
);

const any = message(text(1, "typeUrl"), text(2, "value", "bytes"));
const metadata = message(
  map(1, "filterMetadata", { message: () => struct }),
  map(2, "typedFilterMetadata", any),
);

const socketAddress = message(
  { number: 1, name: "protocol", type: enumNumber },
  text(2, "address"),
  { number: 3, name: "portValue", type: scalars.uint32, oneof: 0 },
  { number: 4, name: "namedPort", type: scalars.string, oneof: 0 },
  text(5, "resolverName"),
  { number: 6, name: "ipv4Compat", type: scalars.bool },
  text(7, "networkNamespaceFilepath"),
);
const address = message(
  { number: 1, name: "socketAddress", type: socketAddress, oneof: 0 },
  {
    number: 2,
    name: "pipe",
    type: message(text(1, "path"), { number: 2, name: "mode", type: scalars.uint32 }),
    oneof: 0,
  },
  {
    number: 3,
    name: "envoyInternalAddress",
    type: message({ ...text(1, "serverListenerName"), oneof: 0 }, text(2, "endpointId")),
    oneof: 0,
  },
);

const time = message(
  { number: 1, name: "seconds", type: scalars.int64 },
  { number: 2, name: "nanos", type: scalars.int32 },
);
const headerMap = message({
  number: 1,
  name: "headers",
  type: message(text(1, "key"), text(2, "value"), text(3, "rawValue", "bytes")),
  repeated: true,
});

/**
 * The writer of envoy.service.auth.v3.CheckRequest as OPA-Envoy's protomap shows it: names in lower camel case, only
 * populated fields, 64-bit integers and enums as numbers, Struct as plain JSON, Timestamp and Any as their fields. It
 * sets the fields of `seen`.
 */
export function compileCheckRequest(seen: Seen): WriteMessage {
  const peer = (principal: Field): { readonly message: () => WriteMessage } =>
    message(
      { number: 1, name: "address", type: address },
      text(2, "service"),
      map(3, "labels"),
      principal,
      text(5, "certificate"),
    );
  const principal = text(4, "principal");
  const watched = (field: Field, key: "path" | "body" | "rawBody" | "sourcePrincipal"): Field => ({
    ...field,
    watch: (found) => {
      if ("source" in found) seen[key] = found;
    },
  });
  const headers: Field = {
    ...map(3, "headers"),
    watch: (found) => {
      if (!("source" in found)) seen.headers = found;
    },
  };
  const http = message(
    text(1, "id"),
    text(2, "method"),
    headers,
    watched(text(4, "path"), "path"),
    text(5, "host"),
    text(6, "scheme"),
    text(7, "query"),
    text(8, "fragment"),
    { number: 9, name: "size", type: scalars.int64 },
    text(10, "protocol"),
    watched(text(11, "body"), "body"),
    watched(text(12, "rawBody", "bytes"), "rawBody"),
    { number: 13, name: "headerMap", type: headerMap },
  );
  const attributes = message(
    { number: 1, name: "source", type: peer(watched(principal, "sourcePrincipal")) },
    { number: 2, name: "destination", type: peer(principal) },
    {
      number: 4,
      name: "request",
      type: message({ number: 1, name: "time", type: time }, { number: 2, name: "http", type: http }),
    },
    map(10, "contextExtensions"),
    { number: 11, name: "metadataContext", type: metadata },
    { number: 12, name: "tlsSession", type: message(text(1, "sni")) },
    { number: 13, name: "routeMetadataContext", type: metadata },
  );
  return compileMessage([{ number: 1, name: "attributes", type: attributes }], maxDepth);
}
