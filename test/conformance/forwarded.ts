import type { CheckResponse__Output } from "../../src/proto/index.js";
import type { CheckRequestJson, CorpusCase } from "./corpus-case.js";

/**
 * Every header in which the request that we let go on is not the one that a filter behind Envoy's jwt_authn saw;
 * empty when they agree, and where the corpus does not say.
 */
export function forwarded(one: CorpusCase, response: CheckResponse__Output): string[] {
  const before = headersOf(one.check_request);
  const wanted = headersOf(one.check_request_post_jwt);
  const ok = response.ok_response;
  if (one.expected.verdict !== "allow" || before === undefined || wanted === undefined || !ok) return [];
  const got = new Map(before);
  for (const { header } of ok.headers ?? []) got.set(header?.key ?? "", header?.value ?? "");
  for (const name of ok.headers_to_remove ?? []) got.delete(name);
  const path = withoutParams(got.get(":path") ?? "", new Set(ok.query_parameters_to_remove ?? []));
  got.set(":path", path);
  return [...new Set([...wanted.keys(), ...got.keys()])]
    .filter((name) => !isSame(wanted.get(name), got.get(name)))
    .map((name) => `upstream's ${name}: expected ${wanted.get(name)}, got ${got.get(name)}`);
}

function headersOf(request: CheckRequestJson | undefined): Map<string, string> | undefined {
  const headers = request?.attributes.request?.http?.["headers"];
  return headers === undefined ? undefined : new Map(Object.entries(headers as Record<string, string>));
}

/** As Envoy's ext_authz filter removes parameters: by their names as they are spelled. */
function withoutParams(path: string, names: ReadonlySet<string>): string {
  const [base = "", query] = path.split(/\?(.*)/s);
  if (query === undefined || names.size === 0) return path;
  const kept = query.split("&").filter((pair) => !names.has(pair.split("=", 1)[0] ?? ""));
  return kept.length === 0 ? base : `${base}?${kept.join("&")}`;
}

/** The members of a claim that is an object have no order in Envoy: the same request shows several. */
function isSame(wanted: string | undefined, got: string | undefined): boolean {
  return wanted === got || (wanted !== undefined && got !== undefined && members(wanted) === members(got));
}

function members(header: string): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(header, "base64").toString("utf8"));
    return typeof value === "object" && value !== null
      ? JSON.stringify(value, Object.keys(value).sort())
      : header;
  } catch {
    return header;
  }
}
