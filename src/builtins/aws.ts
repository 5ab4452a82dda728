import { createHash, createHmac } from "node:crypto";
import { numberAt, objectAt } from "./arguments.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { bytesOf } from "./bytes.js";
import { int64Of } from "./go-integer.js";
import { writeJson } from "./json-text.js";
import { escapedPath, parseUrl, type Url } from "./url.js";
import { compareStrings, get, isObject, objectOf, type RegoObject, type Value } from "./value.js";

/** Headers that proxies change on the way, so that they are not signed. */
const unsigned: ReadonlySet<string> = new Set(["authorization", "user-agent", "x-amzn-trace-id"]);

/** What `http.send` takes of a request. */
const requestMembers: ReadonlySet<Value> = new Set(
  (
    "method url body enable_redirect force_json_decode force_yaml_decode headers raw_body tls_use_system_certs " +
    "tls_ca_cert tls_ca_cert_file tls_ca_cert_env_variable tls_client_cert tls_client_cert_file " +
    "tls_client_cert_env_variable tls_client_key tls_client_key_file tls_client_key_env_variable " +
    "tls_insecure_skip_verify tls_server_name timeout cache force_cache force_cache_duration_seconds raise_error " +
    "caching_mode max_retry_attempts cache_ignored_headers"
  ).split(" "),
);

interface Credentials {
  readonly service: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly sessionToken: string;
  readonly signsBody: boolean;
}

function credentialsOf(config: RegoObject): Credentials {
  const needed = (name: string): string => {
    const value = get(config, name);
    return typeof value === "string" ? value : fail(`missing or invalid AWS config parameter \`${name}\``);
  };
  const token = get(config, "aws_session_token");
  const unsignedBody = config.has("disable_payload_signing") && get(config, "disable_payload_signing");
  if (typeof unsignedBody !== "boolean") fail("invalid value for `disable_payload_signing` in AWS config");
  return {
    service: needed("aws_service"),
    accessKey: needed("aws_access_key"),
    secretKey: needed("aws_secret_access_key"),
    region: needed("aws_region"),
    sessionToken: typeof token === "string" ? token : "",
    signsBody: !unsignedBody,
  };
}

/** Adds a signature of AWS (version 4) to the headers of a request. */
const signRequest: Builtin = (args) => {
  const [request, config] = [objectAt(args, 0), objectAt(args, 1)];
  const credentials = credentialsOf(config);
  const time = int64Of(numberAt(args, 2));
  if (time === undefined) fail("time is no 64 bit integer");
  for (const name of request.keys()) if (!requestMembers.has(name)) fail("invalid request parameter");
  const [method, url, headers] = [
    get(request, "method"),
    get(request, "url"),
    request.has("headers") ? (get(request, "headers") ?? null) : new Map(),
  ];
  if (typeof method !== "string" || typeof url !== "string") fail("`method` and `url` must be strings");
  if (!isObject(headers)) fail("`headers` must be an object");
  const given = new Map([...headers].map(([name, value]) => [textOr(name), textOr(value)]));
  const signed = signedHeaders(
    { method, url: parseUrl(url), headers: given, body: bodyOf(request) },
    credentials,
    time,
  );
  return objectOf([...request, ["headers", objectOf([...given, ...signed])]]);
};

function textOr(value: Value | undefined): string {
  return typeof value === "string" ? value : "";
}

function bodyOf(request: RegoObject): Buffer {
  const [raw, body] = [get(request, "raw_body"), get(request, "body")];
  if (request.has("raw_body")) return bytesOf(textOr(raw));
  return bytesOf(request.has("body") ? writeJson(body ?? null) : "");
}

interface Request {
  readonly method: string;
  readonly url: Url;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** The headers that a signature adds (AWS Signature Version 4); the time is in nanoseconds since the epoch. */
function signedHeaders(
  request: Request,
  credentials: Credentials,
  time: bigint,
): ReadonlyMap<string, string> {
  const { service, region } = credentials;
  const moment = momentOf(time);
  const scope = `${moment.slice(0, 8)}/${region}/${service}/aws4_request`;
  const bodyHash = credentials.signsBody ? sha256(request.body) : "UNSIGNED-PAYLOAD";
  const added = new Map([
    ["host", request.url.host],
    ["x-amz-date", moment],
  ]);
  if (service === "s3" || service === "glacier") added.set("x-amz-content-sha256", bodyHash);
  if (credentials.sessionToken !== "") added.set("x-amz-security-token", credentials.sessionToken);
  const all = new Map(added);
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (!unsigned.has(lower)) all.set(lower, value);
  }
  const names = [...all.keys()].sort(compareStrings);
  const lines = names.map((name) => `${name}:${all.get(name) ?? ""}\n`).join("");
  const { url, method } = request;
  const canonical = [method, escapedPath(url), url.rawQuery, lines, names.join(";"), bodyHash].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", moment, scope, sha256(bytesOf(canonical))].join("\n");
  const key = [moment.slice(0, 8), region, service, "aws4_request"].reduce(
    mac,
    bytesOf(`AWS4${credentials.secretKey}`),
  );
  const signature = mac(key, toSign).toString("hex");
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope},` +
    `SignedHeaders=${names.join(";")},Signature=${signature}`;
  return new Map([["Authorization", authorization], ...added]);
}

function mac(key: Buffer, message: string): Buffer {
  return createHmac("sha256", key).update(bytesOf(message)).digest();
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** `20240102T030405Z`. */
function momentOf(time: bigint): string {
  const fraction = ((time % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const ms = Number((time - fraction) / 1_000_000n);
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

function fail(why: string): never {
  throw new BuiltinError(why);
}

/** `providers.aws.sign_req` of OPA (topdown/providers.go). */
export const awsBuiltins: Builtins = { "providers.aws.sign_req": signRequest };
