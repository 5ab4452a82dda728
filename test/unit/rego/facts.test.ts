import { describe, expect, it } from "vitest";
import { parseIp, type Workload } from "../../../src/attributes/index.js";
import { noEdits, type ProviderRequest } from "../../../src/engine/index.js";
import { describeRequest } from "../../../src/rego/facts.js";
import { anHttpRequest, aQuestion } from "../../support/provider-question.js";

interface Changes {
  readonly attributes?: Partial<ProviderRequest["attributes"]>;
  readonly workload?: Workload;
  readonly edits?: Partial<ProviderRequest["edits"]>;
}

const textOf = ({ attributes, workload, edits }: Changes = {}): string => {
  const question = aQuestion(anHttpRequest());
  return describeRequest({
    ...question,
    attributes: { ...question.attributes, ...attributes },
    workload,
    edits: edits === undefined ? noEdits : { ...noEdits, ...edits },
  });
};

const facts = (changes?: Changes): unknown => JSON.parse(textOf(changes));

const payload = { iss: "https://issuer", sub: "eve", groups: ["a"] };

describe("input.gatehouse", () => {
  it("says only what is known", () => {
    expect(facts()).toEqual({ protocol: "http", source: {} });
    expect(JSON.parse(describeRequest(aQuestion()))).toEqual({ protocol: "tcp", source: {} });
  });

  it("shows where the request came from", () => {
    const attributes = {
      source: { ip: parseIp("10.0.0.1"), port: 1, principal: "td/ns/a/sa/b" },
      remoteIp: parseIp("2001:db8::1"),
    };
    expect(facts({ attributes })).toEqual({
      protocol: "http",
      source: { ip: "10.0.0.1", principal: "td/ns/a/sa/b", remote_ip: "2001:db8::1" },
    });
  });

  it("shows whom Gatehouse verified, with all claims", () => {
    const auth = { payload } as unknown as NonNullable<ProviderRequest["attributes"]["auth"]>;
    expect(facts({ attributes: { auth } })).toMatchObject({
      auth: { principal: "https://issuer/eve", claims: payload },
    });
  });

  it("shows whose policies are asked", () => {
    const workload: Workload = {
      namespace: "shop",
      name: "web-1",
      type: "sidecar",
      labels: new Map([
        ["app", "web"],
        ["__proto__", "x"],
      ]),
      services: [{ name: "web", namespace: "shop", host: "web.shop" }],
    } as unknown as Workload;
    expect(textOf({ workload })).toContain(
      '"workload":{"namespace":"shop","name":"web-1","type":"sidecar","labels":{"app":"web","__proto__":"x"},"services":[{"name":"web","namespace":"shop","host":"web.shop"}]}',
    );
  });

  it("shows what the stages before changed, as text", () => {
    const edits = {
      requestHeaders: [{ name: "x-user", value: "\u00c3\u00bc", action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
      requestHeadersToRemove: ["cookie"],
      queryParametersToSet: [["a", "\u00c3\u00bc"]],
      queryParametersToRemove: ["b"],
    } as const;
    expect(facts({ edits })).toMatchObject({
      edits: {
        headers: { "x-user": "ü" },
        removed_headers: ["cookie"],
        query: { a: "ü" },
        removed_query: ["b"],
      },
    });
  });

  it("has no half characters, in values and in names, which wasm could not read", () => {
    const claims = { sub: "\ud800x", "\udc00": { "\ud801": ["\udc01"] }, emoji: "\u{1f600}" };
    const auth = { payload: claims } as unknown as NonNullable<ProviderRequest["attributes"]["auth"]>;
    const text = textOf({ attributes: { auth } });
    expect(text).not.toMatch(/\\ud[89a-f]/i);
    expect(JSON.parse(text)).toMatchObject({
      auth: { claims: { sub: "\ufffdx", "\ufffd": { "\ufffd": ["\ufffd"] }, emoji: "\u{1f600}" } },
    });
  });

  it("describes the same caller once", () => {
    let reads = 0;
    const claims = Object.defineProperty({ ...payload }, "sub", {
      enumerable: true,
      get: () => {
        reads++;
        return "eve";
      },
    });
    const auth = { payload: claims } as unknown as NonNullable<ProviderRequest["attributes"]["auth"]>;
    const first = textOf({ attributes: { auth } });
    const before = reads;
    expect(textOf({ attributes: { auth } })).toBe(first);
    expect(reads).toBe(before);
  });
});
