import { describe, expect, it } from "vitest";
import { check, noEdits, type Provider } from "../../../src/engine/index.js";
import type { AuthorizationPolicy } from "../../../src/istio/index.js";
import { aRequest } from "../../support/request.js";
import { aPolicy } from "../istio/policies.js";
import {
  alice,
  badToken,
  bearer,
  customAll,
  decide,
  denyAll,
  jwt,
  original,
  outputs,
  ports,
  signer,
  when,
} from "./authn-setup.js";
import { aSnapshot, type Setup, verdict } from "./snapshots.js";

const refuses: Provider = async () => verdict({ allowed: false, httpStatus: 418, code: 7, body: "no" });

describe("stage 3", () => {
  it("refuses a bad token even where a DENY policy matches", async () => {
    expect(await decide({ policies: [denyAll] }, bearer("rubbish"))).toMatchObject({
      ...badToken,
      body: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
      edits: {
        responseHeaders: [
          {
            name: "www-authenticate",
            value: 'Bearer realm="http://example.com/", error="invalid_token"',
            action: "OVERWRITE_IF_EXISTS_OR_ADD",
          },
        ],
      },
    });
  });

  it.each([
    ["a line break", "/a\r\nx-evil: 1"],
    ["a NUL", "/a\0"],
    ["bytes that are no UTF-8", "/\xff"],
    ["half a character, cut off at 256", `/${"x".repeat(254)}\xc3\xa9`],
  ])("refuses a bad token without a challenge where that would hold %s", async (_what, path) => {
    const request = bearer("rubbish").header("x-envoy-original-path", path);
    expect(await decide({}, request)).toMatchObject({ ...badToken, edits: noEdits });
  });

  it("stands behind the guard and the selection of policies", async () => {
    const strict = { mesh: { strictRequests: true } };
    expect(await decide(strict, bearer("rubbish").get("/a//b"))).toMatchObject({
      reason: "ambiguous_request",
    });
    const unknown = { mesh: { defaultWorkload: undefined } };
    expect(await decide(unknown, bearer("rubbish"))).toMatchObject({ reason: "unknown_workload" });
  });

  it("stands behind CUSTOM, whose refusal comes before that of a bad token", async () => {
    expect(await decide({ policies: [customAll], provider: refuses }, bearer("rubbish"))).toMatchObject({
      stage: "custom",
      httpStatus: 418,
    });
    const provider: Provider = async () => verdict();
    expect(await decide({ policies: [customAll], provider }, bearer("rubbish"))).toMatchObject(badToken);
  });

  it("gives the policies the caller's identity", async () => {
    for (const [key, value] of [
      ["request.auth.principal", "https://a/alice"],
      ["request.auth.claims[groups]", "dev"],
      ["request.auth.claims[iss]", "https://a"],
    ] as const) {
      const setup = { policies: [aPolicy({ rules: [when(key, value)] })] };
      expect((await decide(setup, alice)).allowed).toBe(true);
      expect((await decide(setup, aRequest())).allowed).toBe(false);
      expect((await decide(setup, bearer(signer.token({ sub: "bob", iss: "https://b" })))).stage).toBe(
        "authn",
      );
    }
  });

  it("shows the policies the request as it leaves it", async () => {
    const setup = { authn: jwt(outputs) };
    const policies = (rule: AuthorizationPolicy["rules"][number]): Setup => ({
      ...setup,
      policies: [aPolicy({ rules: [rule] })],
    });
    expect((await decide(policies(when("request.headers[x-sub]", "alice")), alice)).allowed).toBe(true);
    expect((await decide(policies(when("request.headers[authorization]", "*")), alice)).allowed).toBe(false);
    const forged = aRequest().header("x-sub", "alice");
    expect((await decide(policies(when("request.headers[x-sub]", "alice")), forged)).allowed).toBe(false);
    const inQuery = aRequest().get(`/p?access_token=${signer.token()}&a=1`);
    expect((await decide(policies(when("request.headers[:path]", "/p?a=1")), inQuery)).allowed).toBe(true);
  });

  it("changes what goes on to the upstream", async () => {
    const request = alice.get("/?access%5Ftoken=x").header("x-sub", "forged").header("x-none", "forged");
    const places = { headers: [{ name: "authorization", prefix: "Bearer " }], params: [], cookies: [] };
    const claims = [...outputs.outputClaimToHeaders, { header: "x-none", claim: "none" }];
    expect((await decide({ authn: jwt({ places, outputClaimToHeaders: claims }) }, request)).edits).toEqual({
      ...noEdits,
      requestHeaders: [{ name: "x-sub", value: "alice", action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
      requestHeadersToRemove: ["x-none", "authorization"],
    });
    const inQuery = aRequest().get(`/?access%5Ftoken=${signer.token()}`);
    expect((await decide({}, inQuery)).edits).toEqual({
      ...noEdits,
      queryParametersToRemove: ["access%5Ftoken"],
    });
  });

  it("removes headers that only it sets, also those that Envoy has not sent it", async () => {
    const { edits } = await decide({ authn: jwt(outputs) }, aRequest());
    expect(edits).toEqual({ ...noEdits, requestHeadersToRemove: ["x-sub"], isLasting: true });
  });

  it("sends several lines of one header as one value", async () => {
    const places = { headers: [{ name: "x", prefix: "" }], params: [], cookies: [] };
    const request = aRequest().header("x", signer.token(), signer.token({ sub: "bob" }));
    expect((await decide({ authn: jwt({ places, ...outputs }) }, request)).edits.requestHeaders).toEqual([
      { name: "x-sub", value: "bob,alice", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ]);
  });

  it("says nothing in a refusal by a policy of what it would have changed", async () => {
    const decision = await decide({ authn: jwt(outputs), policies: [denyAll] }, alice);
    expect(decision).toMatchObject({ allowed: false, stage: "authorize", edits: noEdits });
  });

  it.each(["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b"])(
    "refuses a claim that would split a header: %j",
    async (sub) => {
      const decision = await decide({ authn: jwt(outputs) }, bearer(signer.token({ sub })));
      expect(decision).toMatchObject({
        allowed: false,
        reason: "bad_edit",
        httpStatus: 500,
        body: "",
        edits: noEdits,
      });
      expect((await decide({}, bearer(signer.token({ sub })))).allowed).toBe(true);
    },
  );

  it("answers at once where nothing has to be awaited", () => {
    const snapshot = aSnapshot({ authn: jwt() });
    for (const request of [aRequest(), bearer("rubbish")]) {
      expect(check(snapshot, request.build(), original, ports)).not.toBeInstanceOf(Promise);
    }
  });

  it("does not look at connections without HTTP", async () => {
    const tcp = aRequest().tcp();
    expect(await decide({}, tcp)).toMatchObject({ allowed: true, authn: undefined });
    const policies = [aPolicy({ action: "DENY", rules: [when("request.auth.principal", "*")] })];
    expect(await decide({ policies }, tcp)).toMatchObject({ authn: undefined });
  });
});

describe("the record of stage 3", () => {
  it("is nothing for an anonymous caller", async () => {
    expect((await decide({}, aRequest())).authn).toBeUndefined();
  });

  it("says who is calling and how that is known, whoever then decides", async () => {
    const authn = { method: "jwt", issuer: "https://a", principal: "https://a/alice", refused: [] };
    expect((await decide({}, alice)).authn).toEqual(authn);
    expect((await decide({ policies: [denyAll] }, alice)).authn).toEqual(authn);
  });

  it("says why a credential was refused", async () => {
    expect((await decide({}, bearer("rubbish"))).authn).toEqual({
      method: undefined,
      issuer: "",
      principal: "",
      refused: [{ method: "jwt", issuer: "https://a", reason: "jwt_bad_format" }],
    });
  });
});
