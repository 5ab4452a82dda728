import { describe, expect, it } from "vitest";
import { noEdits, type Provider, type ProviderRequest } from "../../../src/engine/index.js";
import { aRequest } from "../../support/request.js";
import { aRule } from "../istio/policies.js";
import {
  alice,
  badToken,
  bearer,
  customAll,
  customWith,
  decide,
  jwt,
  original,
  outputs,
  signer,
  when,
} from "./authn-setup.js";
import { verdict } from "./snapshots.js";

const refuses: Provider = async () => verdict({ allowed: false, httpStatus: 418, code: 7, body: "no" });

describe("with customSeesIdentity, stage 3", () => {
  const mesh = { customSeesIdentity: true };

  it("comes before CUSTOM, whose rules match the caller", async () => {
    const policies = [customWith(aRule({ from: [{ requestPrincipals: ["https://a/alice"] }] }))];
    const byClaim = [customWith(when("request.auth.claims[groups]", "dev"))];
    for (const rules of [policies, byClaim]) {
      const setup = { mesh, policies: rules, provider: refuses };
      expect((await decide(setup, alice)).stage).toBe("custom");
      expect((await decide(setup, aRequest())).allowed).toBe(true);
      expect((await decide({ ...setup, mesh: {} }, alice)).allowed).toBe(true);
    }
  });

  it("refuses a bad token before a provider is asked", async () => {
    let asked = 0;
    const provider: Provider = async () => {
      asked += 1;
      return verdict();
    };
    expect(await decide({ mesh, policies: [customAll], provider }, bearer("rubbish"))).toMatchObject(
      badToken,
    );
    expect(asked).toBe(0);
  });

  it("shows a provider the caller and the request as it leaves it, beside the bytes as they came", async () => {
    const seen: ProviderRequest[] = [];
    const provider: Provider = async (request) => {
      seen.push(request);
      return verdict();
    };
    const decision = await decide({ mesh, authn: jwt(outputs), policies: [customAll], provider }, alice);
    expect(decision).toMatchObject({ allowed: true, reason: "provider_allowed", authn: { method: "jwt" } });
    expect(seen[0]?.original).toBe(original);
    expect(seen[0]?.attributes.auth?.payload).toMatchObject({ sub: "alice" });
    expect(seen[0]?.attributes.request?.headers.get("x-sub")).toEqual(["alice"]);
  });

  it("is overruled by what a provider sets, and not undone by it", async () => {
    const requestHeaders = [
      { name: "X-Sub", value: "mallory", action: "OVERWRITE_IF_EXISTS_OR_ADD" as const },
      { name: "authorization", value: "Basic x", action: "ADD_IF_ABSENT" as const },
    ];
    const provider: Provider = async () => verdict({ edits: { ...noEdits, requestHeaders } });
    const setup = { mesh, authn: jwt(outputs), policies: [customAll], provider };
    const { edits } = await decide(setup, alice.header("x-gone", "1"));
    expect(edits.requestHeaders.map(({ name, value }) => `${name}: ${value}`)).toEqual([
      "x-sub: mallory",
      "authorization: Basic x",
    ]);
    expect(edits.requestHeadersToRemove).toEqual([]);
  });
});

describe("what CUSTOM sets, where it comes first,", () => {
  const setting = (name: string, value: string): Provider => {
    const requestHeaders = [{ name, value, action: "OVERWRITE_IF_EXISTS_OR_ADD" as const }];
    return async () => verdict({ edits: { ...noEdits, requestHeaders } });
  };

  it("is judged as if the client had sent it", async () => {
    const provider = setting("authorization", `Bearer ${signer.token()}`);
    const decision = await decide({ policies: [customAll], provider }, aRequest());
    expect(decision).toMatchObject({
      allowed: true,
      authn: { principal: "https://a/alice" },
      edits: { requestHeaders: [], requestHeadersToRemove: ["authorization"] },
    });
    expect(
      await decide({ policies: [customAll], provider: setting("authorization", "Bearer x") }, alice),
    ).toMatchObject(badToken);
  });

  it("gives way to what authentication sets", async () => {
    const setup = { authn: jwt(outputs), policies: [customAll], provider: setting("x-sub", "mallory") };
    expect((await decide(setup, alice)).edits).toMatchObject({
      requestHeaders: [{ name: "x-sub", value: "alice" }],
      requestHeadersToRemove: ["authorization"],
    });
    expect((await decide(setup, aRequest())).edits).toMatchObject({
      requestHeaders: [],
      requestHeadersToRemove: ["x-sub"],
    });
  });
});
