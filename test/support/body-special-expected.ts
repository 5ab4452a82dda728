import { Buffer } from "node:buffer";
import type { SpecialPolicy } from "./body-special-policies.js";
import { piecesOf } from "./ext-proc-cells.js";

/** What is to be seen of it. */
export interface Expected {
  readonly client: string;
  /** Of the response: `undefined` is absent. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Messages to Gatehouse, by the first letters of their parts: `qh` is request_headers. */
  readonly parts: string;
  /** The member `body` of the record, and the outcome. */
  readonly body?: object | null;
  readonly outcome?: string;
}

/** Of one message under each policy that it is sent under. */
export type Expectations = Readonly<Partial<Record<SpecialPolicy, Expected>>>;

/** What `slow` is of HTTP/1.1. */
export const letters: string = Buffer.concat(piecesOf({ protocol: "http1", size: "slow" })).toString();
/** The same under a policy that redacts. */
export const redacted: string = letters.replaceAll("abc", "[letters]");
/** Headers of the upstreams that none of the policies changed. */
export const untouched: Expected["headers"] & object = { "x-given": "own", "x-remove": "me" };
/** The same under `heads`. */
export const edited: Expected["headers"] & object = {
  "x-given": "***",
  "x-remove": undefined,
  "x-checked": "yes",
};
/** The record's `body` of a policy that looked at it. */
export const looked = (policy: string, more: object = {}): object => ({
  policies: [`bookshop/${policy}`],
  changes: 0,
  refused: null,
  unscanned: false,
  ...more,
});
/** The same of `heads` where all its rules acted. */
export const headsActed: object = looked("heads", { changes: 3 });
/** The same of a policy that refused. */
export const refusedBy = (policy: string, reason: string, phase = "response"): object =>
  looked(policy, { refused: { policy: `bookshop/${policy}`, reason, phase } });
/** No policy refused: what it has to see did not come. */
export const unseen = (policy: string, phase: string): object =>
  looked(policy, { refused: { policy: "", reason: "body_not_sent", phase } });
/** A response that is refused by its headers. */
export const withheld: Expected = {
  client: 'whole 502 "the response was withheld"',
  headers: { etag: undefined, "content-range": undefined, "content-length": "25" },
  parts: "qh sh",
  outcome: "denied",
};

/** Without a body there is nothing that its rules could act on; those over headers act. */
export const bodiless = (status: number): Expectations => {
  const client = `whole ${status} ""`;
  const passed = { client, headers: untouched, parts: "qh sh" };
  return {
    none: { ...passed, parts: "qh", body: null },
    heads: { client, headers: edited, parts: "qh sh", body: headsActed },
    masked: { ...passed, body: looked("masked") },
    streamed: { ...passed, body: looked("streamed") },
    closed: { ...passed, body: looked("closed") },
  };
};

/** An answer of Envoy's own. */
export const ownAnswer = (status: number, said: string, error: string): Expectations => {
  const client = `whole ${status} ${said}`;
  return {
    none: { client, parts: "qh", body: null },
    heads: {
      client,
      headers: { "x-checked": "yes" },
      parts: "qh sh",
      body: looked("heads", { changes: 1 }),
    },
    masked: { client, parts: "qh sh sb", body: looked("masked") },
    errors: {
      client: `whole ${status} ${JSON.stringify(`{"error":"${error}"}`)}`,
      headers: { "content-type": "application/json" },
      parts: "qh sh",
      body: looked("errors", { changes: 1 }),
    },
    closed: {
      client: 'whole 451 "closed"',
      parts: "qh sh sb",
      body: refusedBy("closed", "denied_by_policy"),
      outcome: "denied",
    },
  };
};
