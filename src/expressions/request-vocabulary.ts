import {
  type Attributes,
  type ByteString,
  type Identity,
  type Ip,
  type JsonObject,
  member,
  type Peer,
  parseSpiffeId,
  type SpiffeId,
} from "../attributes/index.js";
import { addressText } from "./address-text.js";
import { type Budget, spend } from "./budget.js";
import type { ExpressionInput } from "./expression.js";
import { ExpressionError } from "./expression-error.js";
import { checkHeaderName, headers, labels, queryParams } from "./request-maps.js";
import { textOf } from "./text.js";
import { listOf, mapOf, type Type, types } from "./type.js";
import { mapView, type Value } from "./value.js";
import { type Attribute, createVocabulary, type Vocabulary } from "./vocabulary.js";

const { bool, dyn, int, string, timestamp } = types;
type Read = Attribute<ExpressionInput>["read"];
type HttpFact = NonNullable<ExpressionInput["attributes"]["request"]>;

const attribute = (name: string, type: Type, read: Read): Attribute<ExpressionInput> => ({
  name,
  type,
  read,
});

/** One of the HTTP request; absent on TCP. */
function http(
  name: string,
  type: Type,
  read: (request: HttpFact, budget: Budget) => Value | undefined,
): Attribute<ExpressionInput> {
  return attribute(name, type, ({ attributes: { request } }, budget) =>
    request === undefined ? undefined : read(request, budget),
  );
}

/** One of the verified token; absent without. */
function token(
  name: string,
  type: Type,
  read: (payload: JsonObject, budget: Budget) => Value | undefined,
): Attribute<ExpressionInput> {
  return attribute(name, type, ({ attributes: { auth } }, budget) =>
    auth === undefined ? undefined : read(auth.payload, budget),
  );
}

/** A text that is empty where it is unknown. */
const known = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
/** A number that is not positive where it is unknown. */
const positive = (value: number): bigint | undefined => (value > 0 ? BigInt(value) : undefined);

/** What an expression may say of a request: docs/expressions.md is its table. */
export const requestVocabulary: Vocabulary<ExpressionInput> = createVocabulary([
  attribute("context.protocol", string, ({ attributes }) => attributes.protocol),
  attribute("source.ip", string, ({ attributes }, budget) => address(peerOf(attributes).ip, budget)),
  attribute("source.port", int, ({ attributes }) => positive(peerOf(attributes).port)),
  attribute("source.principal", string, sourcePrincipal),
  attribute("source.namespace", string, ({ attributes }, budget) =>
    spiffeText(attributes, "namespace", budget),
  ),
  attribute("source.service_account", string, ({ attributes }, budget) =>
    spiffeText(attributes, "serviceAccount", budget),
  ),
  attribute("destination.ip", string, ({ attributes }, budget) =>
    address(destinationOf(attributes).ip, budget),
  ),
  attribute("destination.port", int, ({ attributes }) => positive(destinationOf(attributes).port)),
  attribute("destination.principal", string, ({ attributes }) => known(attributes.destination.principal)),
  attribute("destination.namespace", string, ({ workload }) => known(workload?.namespace)),
  attribute("destination.labels", mapOf(string), ({ workload }) =>
    workload === undefined ? undefined : mapView(labels, workload.labels),
  ),
  attribute("destination.workload.name", string, ({ workload }) => known(workload?.name)),
  attribute("destination.service.name", string, ({ workload }) => known(workload?.services[0]?.name)),
  attribute("destination.service.host", string, ({ workload }) => known(workload?.services[0]?.host)),
  attribute("remote.ip", string, ({ attributes }, budget) =>
    address(attributes.remoteIp ?? remoteFromPeer(attributes), budget),
  ),
  attribute("connection.mtls", bool, ({ attributes }) => identityOf(attributes) !== undefined),
  attribute("connection.sni", string, ({ attributes }, budget) => textOf(sniOf(attributes), budget)),
  attribute("request.time", timestamp, ({ attributes: { time } }) => (time > 0 ? new Date(time) : undefined)),
  http("request.id", string, ({ id }) => known(id)),
  http("request.method", string, ({ method }, budget) => textOf(method, budget)),
  http("request.host", string, ({ host }, budget) => textOf(host, budget)),
  http("request.path", string, ({ path }, budget) => textOf(path, budget)),
  http("request.url_path", string, ({ urlPath }, budget) => textOf(urlPath, budget)),
  http("request.query_params", mapOf(string), ({ path }) => mapView(queryParams, path)),
  http("request.scheme", string, ({ scheme }) => scheme),
  http("request.protocol", string, ({ protocol }) => protocol),
  {
    ...http("request.headers", mapOf(string), (request) => mapView(headers, request.headers)),
    checkKey: checkHeaderName,
  },
  http("request.size", int, ({ size }) => (size < 0 ? undefined : BigInt(size))),
  token("request.auth.principal", string, requestPrincipal),
  token("request.auth.audiences", listOf(string), (payload, budget) => texts(member(payload, "aud"), budget)),
  token("request.auth.presenter", string, (payload) => text(member(payload, "azp"))),
  token("request.auth.claims", mapOf(dyn), (payload) => payload),
]);

function address(ip: Ip | undefined, budget: Budget): string | undefined {
  if (ip === undefined) return undefined;
  spend(budget, ip.family === 4 ? 0 : 40);
  return addressText(ip);
}

const unsentPart = new ExpressionError("the proxy does not send it");

/** The caller's end; throws where nobody told us of it. */
function peerOf({ source, unsent }: Attributes): Peer {
  if (unsent?.peer !== undefined) throw unsentPart;
  return source;
}

/** Absent where Envoy told us of the peer, since a known one would stand in its place already. */
function remoteFromPeer(attributes: Attributes): undefined {
  peerOf(attributes);
}

function destinationOf({ destination, unsent }: Attributes): Peer {
  if (unsent?.destination !== undefined) throw unsentPart;
  return destination;
}

function sniOf({ sni, unsent }: Attributes): ByteString {
  if (unsent?.sni !== undefined) throw unsentPart;
  return sni;
}

const badCertificate = new ExpressionError("the client's certificate cannot be read");

/** The names of the client's certificate; throws where it has one that nobody can read. */
function identityOf({ identity, identityFault, unsent }: Attributes): Identity | undefined {
  if (identityFault !== undefined) throw badCertificate;
  if (unsent?.identity !== undefined) throw unsentPart;
  return identity;
}

/**
 * The certificate's first name that is not empty; where Envoy sends no certificates, what it calls the peer.
 */
function sourcePrincipal({ attributes }: ExpressionInput, budget: Budget): string | undefined {
  const identity = identityOf(attributes);
  if (identity === undefined) return known(attributes.source.principal);
  spend(budget, identity.names.length);
  const name = identity.names.find((one) => one !== "");
  return name === undefined ? undefined : textOf(name, budget);
}

/** Of the first name that is a SPIFFE id of Istio's form. */
function spiffeText(attributes: Attributes, part: keyof SpiffeId, budget: Budget): string | undefined {
  for (const name of identityOf(attributes)?.names ?? []) {
    spend(budget, 8 + (name.length >> 2));
    const id = parseSpiffeId(name);
    if (id !== undefined) return textOf(id[part], budget);
  }
  return undefined;
}

/** `ISSUER/SUBJECT`; absent where one of them is missing, as for policies. */
function requestPrincipal(payload: JsonObject): string | undefined {
  const issuer = text(member(payload, "iss"));
  const subject = text(member(payload, "sub"));
  return issuer === undefined || subject === undefined ? undefined : `${issuer}/${subject}`;
}

function text(value: Value | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A text, or a list of which the texts count; absent where there is none. */
function texts(value: Value | undefined, budget: Budget): readonly string[] | undefined {
  const list = Array.isArray(value) ? value : [value];
  spend(budget, list.length);
  const found = list.filter((one) => typeof one === "string");
  return found.length === 0 ? undefined : found;
}
