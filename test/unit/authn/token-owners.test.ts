import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CredentialCheck, defaultPlaces } from "../../../src/authn/index.js";
import { editRequest } from "../../../src/authn/request-editor.js";
import { findTokens } from "../../../src/authn/token-places.js";
import { createApiKey, createApiKeyCheck, createIntrospectionCheck } from "../../../src/credentials/index.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";
import { anAuthentication, aRule, aSigner, nowMs } from "../../support/tokens.js";
import { anIntrospection, someApiKeys } from "../credentials/credential-documents.js";

const signer = aSigner("k");
const rules = [aRule(signer)];
const introspected: string[] = [];
const introspection = createIntrospectionCheck(anIntrospection(), {
  introspect: async (token) => {
    introspected.push(token);
    return { body: Buffer.from('{"active":false}'), failure: undefined };
  },
  observe: () => {},
});
const apiKey = createApiKey((size) => new Uint8Array(size).fill(7));
const apiKeys = createApiKeyCheck(
  someApiKeys({
    fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
    keys: [{ id: apiKey.id, hash: apiKey.hash, owner: "ann" }],
  }),
);
const line = (value: string): RequestBuilder => aRequest().header("authorization", value);

/** The caller's subject, `anonymous`, or why there is none. */
async function caller(credentials: readonly CredentialCheck[], request: RequestBuilder): Promise<unknown> {
  const { request: http } = request.build();
  if (http === undefined) throw new Error("not HTTP");
  const outcome = await anAuthentication({ rules, credentials })(http, nowMs);
  if (outcome.refusal !== undefined) return outcome.refusal.reason;
  return outcome.auth?.payload["sub"] ?? "anonymous";
}

describe("a line that JWT rules, introspection and API keys read", () => {
  it.each([
    ["bearer a.b.c", "introspection_inactive"],
    ["BEARER opaque", "introspection_inactive"],
    ["Bearer opaque", "introspection_inactive"],
    ["Bearer ~.x.y", "introspection_inactive"],
    ["Bearer !", "token_malformed"],
    ["Bearer ", "token_malformed"],
    ["Bearer a.b.c", "jwt_header_bad_base64"],
    ["Bearer ~a.b.c", "jwt_header_bad_base64"],
    ["X Bearer opaque", "jwt_bad_format"],
    ["X Bearer a.b.c", "jwt_header_bad_base64"],
    ["bearer X Bearer a.b.c", "jwt_header_bad_base64"],
    [`Bearer ${apiKey.text}`, "ann"],
    [`bEARER   ${apiKey.text}`, "ann"],
    [`Bearer ${apiKey.text.slice(0, -1)}`, "api_key_unknown"],
    [`X Bearer ${apiKey.text}`, "jwt_bad_format"],
    [`Bearer ${signer.token()}`, "alice"],
    [`bearer ${signer.token()}`, "introspection_inactive"],
    ["Basic opaque", "anonymous"],
  ])("%s is judged: %s", async (value, expected) => {
    for (const credentials of [
      [apiKeys, introspection],
      [introspection, apiKeys],
    ]) {
      expect(await caller(credentials, line(value))).toBe(expected);
    }
  });

  it("an API key is sent to nobody", async () => {
    introspected.length = 0;
    await caller([introspection, apiKeys], line(`Bearer ${apiKey.text}`));
    await caller([introspection, apiKeys], line(`Bearer ${apiKey.text.slice(0, -1)}`));
    expect(introspected).toEqual([]);
  });

  it("whatever anybody reads there is judged by somebody, and nobody is anonymous with it", async () => {
    const pieces = [
      "Bearer ",
      "bearer ",
      "X ",
      "opaque",
      ".",
      "a.b.c",
      "~",
      "!",
      apiKey.text,
      signer.token(),
    ];
    const places = [defaultPlaces, introspection.places, apiKeys.places];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...pieces), { maxLength: 5 }), async (chosen) => {
        const { request } = line(chosen.join("")).build();
        if (request === undefined) throw new Error("not HTTP");
        const isRead = places.some((place) => findTokens(place, editRequest(request)).length > 0);
        const who = await caller([apiKeys, introspection], line(chosen.join("")));
        expect(who === "anonymous").toBe(!isRead);
      }),
      { numRuns: 300 },
    );
  });
});
