import { describe, expect, it } from "vitest";
import { maskSecrets } from "../../../src/cli/secrets.js";

function mask(headers: Record<string, string>, value: unknown): unknown {
  return maskSecrets(JSON.stringify({ attributes: { request: { http: { headers } } } }))(value);
}

describe("values of rules that are printed", () => {
  it("have no token of the request, nor a part of it", () => {
    const headers = { authorization: "Bearer header1.payload.signature" };
    const value = { header: headers.authorization, token: "header1.payload.signature", s: ["x signature"] };
    expect(mask(headers, value)).toEqual({ header: "***", token: "***", s: ["x ***"] });
  });

  it("have no cookie", () => {
    expect(mask({ cookie: "theme=dark; session=0123456789" }, "id 0123456789 of dark")).toBe(
      "id *** of dark",
    );
  });

  it("have no password", () => {
    const basic = Buffer.from("alice:correct horse").toString("base64");
    expect(mask({ authorization: `Basic ${basic}` }, ["alice", "correct horse"])).toEqual(["alice", "***"]);
  });

  it("keep the identity of a certificate, but not the header", () => {
    const xfcc = "By=spiffe://t/b;URI=spiffe://t/ns/a/sa/web";
    expect(mask({ "x-forwarded-client-cert": xfcc }, [xfcc, "spiffe://t/ns/a/sa/web"])).toEqual([
      "***",
      "spiffe://t/ns/a/sa/web",
    ]);
  });

  it("have no token that came as raw bytes", () => {
    const rawValue = Buffer.from("Bearer abcdefgh").toString("base64");
    const http = { headerMap: { headers: [{ key: "Authorization", rawValue }] } };
    const masked = maskSecrets(JSON.stringify({ attributes: { request: { http } } }))([rawValue, "abcdefgh"]);
    expect(masked).toEqual(["***", "***"]);
  });

  it("are as they are without credentials", () => {
    const value = { a: [1, null, true, "text"] };
    expect(mask({ "x-user": "somebody" }, value)).toEqual(value);
    expect(maskSecrets("{}")(value)).toEqual(value);
  });
});
