import { Buffer } from "node:buffer";
import type { Introspect, IntrospectionEndpoint, IntrospectionReply } from "../credentials/index.js";
import { createHttpClient, type HttpClient, originOf } from "./http.js";
import type { EgressOptions } from "./http-egress.js";
import { failureReason } from "./http-failure.js";

/** Longer answers are no introspection responses. */
const maxAnswerBytes = 65_536;

/** Endpoints that are asked under the same egress rules. */
export interface IntrospectionClient {
  /** Never rejects: what goes wrong is a failure, at the latest after the endpoint's timeout. */
  readonly introspect: (endpoint: IntrospectionEndpoint) => Introspect;
  /** Gives the questions under way `graceMs` (0 by default), then ends them and closes every connection. */
  readonly close: (graceMs?: number) => Promise<void>;
}

/** Connections are made with the first question and kept. Throws for bad egress options. */
export function createIntrospectionClient(egress?: EgressOptions): IntrospectionClient {
  const client = createHttpClient(egress === undefined ? {} : { egress });
  return { introspect: (endpoint) => createIntrospect(endpoint, client), close: client.close };
}

/** RFC 7662 section 2.1. A redirect is no answer: the token is sent to the endpoint and nowhere else. */
function createIntrospect(endpoint: IntrospectionEndpoint, { send }: HttpClient): Introspect {
  const url = new URL(endpoint.endpoint);
  const headers = new Map([
    ["content-type", "application/x-www-form-urlencoded"],
    ["accept", "application/json"],
    ["user-agent", "gatehouse"],
    ...authorization(endpoint),
  ]);
  const fixed = fixedParameters(endpoint);
  const question = {
    origin: originOf(url),
    method: "POST",
    path: url.pathname + url.search,
    headers,
    timeoutMs: endpoint.timeoutMs,
    maxBytes: maxAnswerBytes,
  };
  return async (token) => {
    try {
      const body = new URLSearchParams([["token", token], ...fixed]).toString();
      const answer = await send({ ...question, body: Buffer.from(body, "latin1") });
      return answer.status === 200 ? { body: answer.body, failure: undefined } : failed("status");
    } catch (error) {
      return failed(failureReason(error));
    }
  };
}

function authorization({ client }: IntrospectionEndpoint): [name: string, value: string][] {
  if (client?.auth !== "basic") return [];
  const pair = `${formEncode(client.id)}:${formEncode(client.secret)}`;
  return [["authorization", `Basic ${Buffer.from(pair, "latin1").toString("base64")}`]];
}

function fixedParameters({ client, tokenTypeHint }: IntrospectionEndpoint): [name: string, value: string][] {
  return [
    ...(tokenTypeHint === undefined ? [] : [["token_type_hint", tokenTypeHint] as [string, string]]),
    ...(client?.auth === "post"
      ? ([
          ["client_id", client.id],
          ["client_secret", client.secret],
        ] as [string, string][])
      : []),
  ];
}

/** RFC 6749 section 2.3.1: form-encoded before Basic's own encoding, so that a colon in an id divides nothing. */
function formEncode(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}

function failed(failure: Exclude<IntrospectionReply["failure"], undefined>): IntrospectionReply {
  return { body: undefined, failure };
}
