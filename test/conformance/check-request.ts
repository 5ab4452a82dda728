import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { toStruct } from "../../src/envoy/index.js";
import type { CheckRequestJson, CorpusCase, CorpusSet } from "./corpus-case.js";

const protoRoot = fileURLToPath(new URL("../../proto", import.meta.url));

/** Own reading of `proto/` with camelCase names, as proto3 JSON has them. */
const checkRequest = loadCheckRequest();

function loadCheckRequest(): protobuf.Type {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    target.startsWith("google/protobuf/") ? target : join(protoRoot, target);
  root.loadSync("envoy/service/auth/v3/external_auth.proto");
  return root.lookupType("envoy.service.auth.v3.CheckRequest");
}

/**
 * The bytes that Envoy sends with `encode_raw_headers`; `extensions` stand beside its own context extensions.
 */
export function encodeCheckRequest(
  { check_request: request, raw_header_map: raw }: CorpusCase,
  extensions: Readonly<Record<string, string>> = {},
): Buffer {
  if (request === undefined) throw new Error("the case has no check_request");
  const { attributes } = request;
  const message = checkRequest.fromObject({
    attributes: {
      ...attributes,
      ...(attributes.request === undefined ? {} : { request: httpRequest(attributes.request, raw) }),
      metadataContext: metadata(attributes.metadataContext),
      routeMetadataContext: metadata(attributes.routeMetadataContext),
      contextExtensions: { ...attributes.contextExtensions, ...extensions },
    },
  });
  return Buffer.from(checkRequest.encode(message).finish());
}

/** The set's workload and listener as `context_extensions` say them. */
export function contextExtensions(set: CorpusSet): Record<string, string> {
  const { namespace, type, labels = {}, services = [] } = set.workload;
  if (services.length > 1) throw new Error("context_extensions can name one service only");
  const [service] = services;
  const extensions: Record<string, string> = { "destination.namespace": namespace };
  const put = (key: string, value: string | undefined): void => {
    if (value !== undefined) extensions[key] = value;
  };
  put("destination.workload.type", type);
  for (const [label, value] of Object.entries(labels)) put(`destination.labels[${label}]`, value);
  put("destination.service.name", service?.name);
  put("destination.service.namespace", service?.namespace);
  put("destination.service.host", service?.host);
  put("xff.use_remote_address", set.use_remote_address?.toString());
  put("xff.num_trusted_hops", set.xff_num_trusted_hops?.toString());
  return extensions;
}

type RequestJson = NonNullable<CheckRequestJson["attributes"]["request"]>;

function httpRequest(request: RequestJson, raw: CorpusCase["raw_header_map"]): Record<string, unknown> {
  const { time, http, ...rest } = request;
  const { headers, ...others } = http ?? {};
  const lines = raw === undefined ? { headers } : { headerMap: { headers: raw } };
  return {
    ...rest,
    ...(time === undefined ? {} : { time: { seconds: Math.floor(Date.parse(time) / 1000) } }),
    ...(http === undefined ? {} : { http: { ...others, ...lines } }),
  };
}

type MetadataJson = CheckRequestJson["attributes"]["metadataContext"];

function metadata(context: MetadataJson): MetadataJson {
  const filters = context?.filterMetadata;
  if (filters === undefined) return context;
  return {
    filterMetadata: Object.fromEntries(
      Object.entries(filters).map(([name, o]) => [name, toStruct(o as Record<string, unknown>)]),
    ),
  };
}
