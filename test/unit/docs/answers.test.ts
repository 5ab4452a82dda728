import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { refuseJwt } from "../../../src/authn/bearer-challenge.js";
import {
  type AuthnReason,
  type CredentialCheck,
  type JwtReason,
  jwtReasons,
  type Refusal,
} from "../../../src/authn/index.js";
import { tooMany } from "../../../src/authn/outcome.js";
import { refusalFor } from "../../../src/body/refusals.js";
import { createApiKey, createApiKeyCheck, createIntrospectionCheck } from "../../../src/credentials/index.js";
import type { Reason } from "../../../src/engine/decision.js";
import { type Decision, deny, fail } from "../../../src/engine/index.js";
import { quotaTaken } from "../../../src/engine/quota.js";
import { failure } from "../../../src/envoy/ext-proc/standing.js";
import { prepareRefusal } from "../../../src/quota/conclude.js";
import { compileQuota, parseQuota, type QuotaStage } from "../../../src/quota/index.js";
import { aRequest } from "../../support/request.js";
import { anIntrospection, someApiKeys } from "../credentials/credential-documents.js";

// docs/answers.md says what a client gets for every reason there is; this holds its tables to the source.

/** What stands in the first cells of a row. */
interface Answer {
  readonly reason: string;
  readonly http: string;
  readonly grpc: string;
  readonly body: string;
  readonly challenge: string;
}

const page = readFileSync(new URL("../../../docs/answers.md", import.meta.url), "utf8");
const empty = "(empty)";
const none = "–";

/** The rows about reasons below a heading with these words. */
function rowsBelow(words: string): Answer[] {
  const sections = page.split(/^(?=##)/m).filter((section) => section.split("\n")[0]?.includes(words));
  expect(sections).toHaveLength(1);
  return [...(sections[0] ?? "").matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map(([, reason = "", cells = ""]) => {
    const [http = "", grpc = "", body = "", challenge = "", cause = "", remedy = ""] = cells.split(" | ");
    expect(cause, reason).not.toBe("");
    expect(remedy, reason).not.toBe("");
    return { reason, http, grpc, body, challenge };
  });
}

const byName = (answers: readonly Answer[]): Answer[] =>
  [...answers].sort((a, b) => (a.reason < b.reason ? -1 : 1));

function answerOf({ reason, httpStatus, code, body, challenge }: Refusal): Answer {
  const shown = challenge === undefined ? none : `\`${challenge}\``;
  return { reason, http: String(httpStatus), grpc: String(code), body: body || empty, challenge: shown };
}

const ours: Readonly<Record<string, readonly Reason[]>> = {
  "`guard`, `select`": ["ambiguous_request", "bad_request", "untrusted_caller", "unknown_workload"],
  "`custom`": ["provider_denied", "provider_failed", "provider_unknown", "bad_edit"],
  "`authorize`": ["denied_by_policy", "no_allow_policy_matched"],
  "`rego`": ["policy_failed"],
  "`quota`": ["quota_exceeded", "quota_unavailable"],
  "`body`": [
    "body_too_large",
    "body_type",
    "body_encoding",
    "body_malformed",
    "body_invalid",
    "sensitive_data",
    "body_not_sent",
    "body_no_room",
    "unknown_obligation",
  ],
  "`internal`": ["invalid_config", "internal_error", "unrecorded"],
};
const errors: ReadonlySet<Reason> = new Set([
  "bad_edit",
  "policy_failed",
  "unrecorded",
  "invalid_config",
  "internal_error",
]);
/** Their status and body are not ours. */
const providers: ReadonlySet<string> = new Set(["provider_denied", "provider_failed"]);

/** A reason that is missing here or too many does not compile. */
const reasonsOfEngine = {
  no_policy: "goes on",
  allowed_by_policy: "goes on",
  not_denied: "goes on",
  provider_allowed: "goes on",
  ambiguous_request: "ours",
  bad_request: "ours",
  untrusted_caller: "ours",
  unknown_workload: "ours",
  provider_denied: "ours",
  provider_failed: "ours",
  provider_unknown: "ours",
  bad_edit: "ours",
  policy_failed: "ours",
  quota_exceeded: "ours",
  quota_unavailable: "ours",
  denied_by_policy: "ours",
  no_allow_policy_matched: "ours",
  invalid_config: "ours",
  internal_error: "ours",
  unrecorded: "ours",
  body_too_large: "ours",
  body_type: "ours",
  body_encoding: "ours",
  body_malformed: "ours",
  body_invalid: "ours",
  sensitive_data: "ours",
  body_not_sent: "ours",
  body_no_room: "ours",
  unknown_obligation: "ours",
} as const satisfies Record<Exclude<Reason, AuthnReason>, "goes on" | "ours">;

const otherReasons = {
  introspection_inactive: true,
  introspection_scope_missing: true,
  introspection_wrong_issuer: true,
  introspection_wrong_audience: true,
  introspection_failed: true,
  token_malformed: true,
  api_key_unknown: false,
  api_key_expired: false,
  api_key_revoked: false,
} as const satisfies Record<Exclude<AuthnReason, JwtReason | "too_many_credentials">, boolean>;

test.each(Object.entries(ours))("the refusals of %s are those of the engine", (words, reasons) => {
  const rows = rowsBelow(words);
  expect(rows.map(({ reason }) => reason).sort()).toEqual([...reasons].sort());
  const expected = reasons.map((reason): Answer => {
    const outcome =
      quotaRefusal(reason) ??
      (words === "`body`" ? bodyRefusal(reason) : undefined) ??
      (errors.has(reason) ? fail(reason) : deny("none", reason));
    return answerOf({ ...outcome, reason: reason as AuthnReason, challenge: undefined });
  });
  const isOurs = ({ reason }: Answer): boolean => !providers.has(reason);
  expect(byName(rows.filter(isOurs))).toEqual(byName(expected.filter(isOurs)));
});

/** Of a request. */
function bodyRefusal(reason: Reason): Pick<Decision, "httpStatus" | "code" | "body"> {
  return reason === "body_not_sent" ? failure(reason) : refusalFor(reason, "");
}

/** What a Quota says to it that says nothing of its own; undefined for reasons that no Quota has. */
function quotaRefusal(reason: Reason): Pick<Decision, "httpStatus" | "code" | "body"> | undefined {
  const { spec } = parseQuota({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "Quota",
    namespace: "shop",
    name: "q",
    annotations: new Map(),
    spec: { limit: 1, window: "1m" },
  });
  if (spec === undefined) throw new Error("no quota");
  const { overLimit, storeFailed } = prepareRefusal(compileQuota(spec));
  const stage: QuotaStage = {
    charge: () => {
      throw new Error("not asked");
    },
    chargeRefused: undefined,
  };
  const outcomes = [overLimit, storeFailed].map(
    (refused) =>
      quotaTaken(stage, { refused, headers: [], facts: [], dryRun: [], failedOpen: false }).refused,
  );
  return outcomes.find((outcome) => outcome?.reason === reason);
}

test("every reason of the engine that refuses is in one of these tables, and the others are named", () => {
  const refusing = Object.entries(reasonsOfEngine).flatMap(([reason, what]) =>
    what === "ours" ? [reason] : [],
  );
  expect(Object.values(ours).flat().sort()).toEqual(refusing.sort());
  for (const [reason, what] of Object.entries(reasonsOfEngine)) {
    if (what === "goes on") expect(page).toContain(`\`${reason}\``);
  }
});

test("the refusals of JWT rules are those of the source, each once", () => {
  const { request } = aRequest().get("/account?a=b").host("shop.example").build();
  if (request === undefined) throw new Error("no request");
  const url = `${request.scheme}://shop.example/account?a=b`;
  const expected = jwtReasons.map((reason) => {
    const answer = answerOf(refuseJwt(reason, request));
    const challenge = answer.challenge.replace(url, "URL");
    return { ...answer, challenge: challenge === challengeJ() ? "J" : challenge };
  });
  expect(byName(rowsBelow("Tokens (JWT)"))).toEqual(byName(expected));
});

/** What the page calls J. */
function challengeJ(): string {
  return /\*\*J\*\* is (`.+?`)/.exec(page)?.[1] ?? "";
}

test("the refusals of TokenIntrospection are those of the source, each once", async () => {
  const wanted = { issuer: "https://a.example", audiences: ["us"], requiredScopes: ["WANTED"] };
  const good = { active: true, iss: wanted.issuer, aud: "us", scope: "WANTED" };
  const answers = [
    { active: false },
    { ...good, iss: "https://b.example" },
    { ...good, aud: "them" },
    { ...good, scope: "other" },
    "no object",
  ];
  const checks = answers.map((answer) => introspecting(wanted, answer));
  const refusals = await Promise.all(checks.map((check) => refusalBy(check, "opaque")));
  refusals.push(await refusalBy(introspecting(wanted, good), "no token"));
  const reasons = Object.entries(otherReasons).flatMap(([reason, own]) => (own ? [reason] : []));
  expect(refusals.map(({ reason }) => reason).sort()).toEqual(reasons.sort());
  expect(byName(rowsBelow("TokenIntrospection"))).toEqual(byName(refusals.map(answerOf)));
});

function introspecting(spec: Readonly<Record<string, unknown>>, answer: unknown): CredentialCheck {
  return createIntrospectionCheck(anIntrospection(spec), {
    introspect: async () => ({ body: Buffer.from(JSON.stringify(answer)), failure: undefined }),
    observe: () => {},
  });
}

test("the refusals of ApiKeys are those of the source, each once", async () => {
  const keys = [{}, { expires: "2020-01-01T00:00:00Z" }, { revoked: "2020-01-01T00:00:00Z" }].map(
    (more, i) => {
      const made = createApiKey((size) => new Uint8Array(size).fill(i + 1));
      return { text: made.text, entry: { id: made.id, hash: made.hash, owner: "acme", ...more } };
    },
  );
  const check = createApiKeyCheck(someApiKeys({ keys: keys.map(({ entry }) => entry) }));
  const wrongSecret = keys[0]?.text.replace(/.{4}$/, "zzzz") ?? "";
  const texts = [wrongSecret, "gh_guess", ...keys.slice(1).map(({ text }) => text)];
  const refusals = await Promise.all(texts.map((text) => refusalBy(check, text)));
  const own = Object.entries(otherReasons).flatMap(([reason, other]) => (other ? [] : [reason]));
  expect(refusals.map(({ reason }) => reason).sort()).toEqual([...own, "token_malformed"].sort());
  expect(byName(rowsBelow("ApiKeys"))).toEqual(byName(refusals.map(answerOf)));
});

test("the refusal of any credentials is that of the source", () => {
  expect(rowsBelow("Too many")).toEqual([answerOf(tooMany)]);
});

async function refusalBy(check: CredentialCheck, token: string): Promise<Refusal> {
  const { refusal } = await check.judge(token, Date.parse("2026-01-01T00:00:00Z"));
  if (refusal === undefined) throw new Error("expected a refusal");
  return refusal;
}
