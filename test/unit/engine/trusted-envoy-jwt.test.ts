import { describe, expect, it } from "vitest";
import type { Attributes, JsonObject } from "../../../src/attributes/index.js";
import type { CredentialCheck } from "../../../src/authn/index.js";
import type { Decision } from "../../../src/engine/index.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";
import { anAuthentication } from "../../support/tokens.js";
import { aPolicy } from "../istio/policies.js";
import { decide, jwt, when } from "./authn-setup.js";

describe("the payload that Envoy's own filter has verified", () => {
  const payload = { iss: "https://envoy", sub: "eve", scope: "read write", aud: ["x"] };
  const withMetadata = (request: RequestBuilder, metadata: JsonObject): Attributes => ({
    ...request.build(),
    metadata: (filter) => (filter === "envoy.filters.http.jwt_authn" ? metadata : undefined),
  });
  const verified = withMetadata(aRequest(), { payload });
  const mesh = { envoyJwtPayloadKey: "payload" };
  const known = aPolicy({ rules: [when("request.auth.principal", "*")] });

  it("is the caller where the Mesh trusts it", async () => {
    const policies = [aPolicy({ rules: [when("request.auth.claims[scope]", "write")] })];
    expect(await decide({ authn: undefined, mesh, policies }, verified)).toMatchObject({
      allowed: true,
      authn: { method: "envoy_jwt", issuer: "", principal: "https://envoy/eve", refused: [] },
      attributes: { auth: { payload: { ...payload, scope: ["read", "write"] } } },
    });
  });

  it("is nobody where the Mesh does not", async () => {
    for (const authn of [undefined, jwt()]) {
      const decision = await decide({ authn, policies: [known] }, verified);
      expect(decision).toMatchObject({ allowed: false, authn: undefined, attributes: { auth: undefined } });
    }
  });

  it.each([
    ["under another key", { other: payload }],
    ["as a text", { payload: JSON.stringify(payload) }],
    ["as a list", { payload: [payload] }],
    ["as null", { payload: null }],
    ["nowhere", {}],
  ])("is nobody when it stands %s", async (_where, metadata) => {
    const request = withMetadata(aRequest(), metadata as JsonObject);
    expect(await decide({ authn: undefined, mesh, policies: [known] }, request)).toMatchObject({
      allowed: false,
      authn: undefined,
    });
  });

  it("is read under a name of its own only", async () => {
    const names = ["constructor", "__proto__", "toString"];
    for (const envoyJwtPayloadKey of names) {
      const decision = await decide(
        { authn: undefined, mesh: { envoyJwtPayloadKey }, policies: [known] },
        verified,
      );
      expect(decision).toMatchObject({ allowed: false, authn: undefined });
    }
  });

  it("goes before another credential, which must be good all the same", async () => {
    const key: CredentialCheck = {
      method: "api_key",
      name: "shop/keys",
      places: { headers: [{ name: "x-key", prefix: "" }], params: [], cookies: [] },
      forwardOriginalToken: false,
      outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
      judge: (token) =>
        token === "good"
          ? { payload: { iss: "keys", sub: "ann" }, refusal: undefined }
          : {
              payload: undefined,
              refusal: {
                reason: "api_key_unknown",
                httpStatus: 401,
                code: 16,
                body: "",
                challenge: undefined,
              },
            },
    };
    const authn = anAuthentication({ credentials: [key] });
    const ask = (value: string): Promise<Decision> =>
      decide({ authn, mesh }, withMetadata(aRequest().header("x-key", value), { payload }));
    expect(await ask("good")).toMatchObject({
      allowed: true,
      authn: { method: "envoy_jwt", principal: "https://envoy/eve" },
      attributes: { auth: { payload: { sub: "eve" } } },
      // The upstream hears of nobody but the caller.
      edits: { requestHeaders: [], requestHeadersToRemove: ["x-user", "x-key"] },
    });
    expect(await ask("bad")).toMatchObject({ allowed: false, stage: "authn", reason: "api_key_unknown" });
  });
});
