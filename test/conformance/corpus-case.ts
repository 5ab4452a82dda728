import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** A config that Istio's own translation was measured with, and the workload it was for. */
export interface CorpusSet {
  readonly id: string;
  readonly root_namespace: string;
  readonly trust_domain: string;
  readonly trust_domain_aliases?: readonly string[];
  readonly workload: CorpusWorkload;
  readonly use_remote_address?: boolean;
  readonly xff_num_trusted_hops?: number;
  /** Documents, one each. */
  readonly policies: readonly string[];
  readonly request_authentications?: readonly string[];
  /** `bad`: the entry has no provider's body. */
  readonly extension_providers?: readonly { readonly name: string; readonly bad?: boolean }[];
}

export interface CorpusWorkload {
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly services?: readonly {
    readonly name?: string;
    readonly namespace?: string;
    readonly host?: string;
  }[];
}

/** What a real Envoy did with the request. */
export interface Expected {
  readonly verdict: "allow" | "deny" | "reject";
  /** 0 on TCP. */
  readonly status: number;
  readonly by: "rbac" | "jwt" | "custom" | "route" | "http" | "tcp";
  /** Absent also where the method is HEAD. */
  readonly body?: string;
  /** Of the answer, as far as the corpus keeps them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Envoy's response code details. */
  readonly details?: string;
  /** Whether an AUDIT rule matched; absent without an AUDIT policy. */
  readonly audit?: boolean;
  /** What jwt_authn left for the filters behind it; absent without a verified token. */
  readonly jwt_payload?: { readonly payload: Readonly<Record<string, unknown>> };
  /** Dynamic metadata of the RBAC filters; a later filter's keys replace those of an earlier one. */
  readonly rbac_metadata?: Readonly<Record<string, string>>;
}

/** A header line of `header_map`, its value in base64. */
export interface RawHeader {
  readonly key: string;
  readonly rawValue?: string;
}

/** proto3 JSON of `envoy.service.auth.v3.CheckRequest`; only what the runner touches is typed. */
export interface CheckRequestJson {
  readonly attributes: {
    readonly request?: {
      readonly time?: string;
      readonly http?: Readonly<Record<string, unknown>>;
      readonly [field: string]: unknown;
    };
    readonly metadataContext?: { readonly filterMetadata?: Readonly<Record<string, object>> };
    readonly routeMetadataContext?: { readonly filterMetadata?: Readonly<Record<string, object>> };
    readonly contextExtensions?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
}

/** One request on one set. */
export interface CorpusCase {
  readonly id: string;
  readonly set: CorpusSet;
  readonly expected: Expected;
  /** Absent when Envoy's HTTP layer refused by itself. */
  readonly check_request?: CheckRequestJson;
  readonly raw_header_map?: readonly RawHeader[];
  /** What a filter behind jwt_authn sends, where that is something else. */
  readonly check_request_post_jwt?: CheckRequestJson;
}

/** Reads a corpus, plain or gzipped, one case a line. */
export function readCorpus(file: string): CorpusCase[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as CorpusCase);
}
