import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/attributes/index.js";
import {
  compileExpression,
  createVocabulary,
  requestVocabulary,
  types,
} from "../../../src/expressions/index.js";
import { aRequest, aWorkload } from "../../support/request.js";
import { ask } from "./ask.js";

const request = aRequest()
  .method("POST", "/orders/12?page=2&page=3&q=a%20b%2Bc+d&%70=1&flag&x=%zz#page=9")
  .host("shop.example.com")
  .header("x-tier", "gold")
  .header("x-list", "1", "2")
  .header("x-utf8", "\xc3\xa9")
  .from("ns/shop/sa/web")
  .ip("10.1.2.3", "2001:DB8:0:0::7")
  .port(9080)
  .claims({
    iss: "https://issuer",
    sub: "u1",
    aud: ["a", "b"],
    azp: "client",
    roles: ["user", "admin"],
    org: { name: "acme", size: 3 },
    "https://x/y": true,
    nothing: null,
  })
  .with({ time: Date.UTC(2026, 0, 31, 23, 0, 0), sni: "shop.example.com" })
  .build();
const workload = aWorkload({ services: [{ name: "orders", namespace: "foo", host: "orders.foo.svc" }] });

describe("an attribute", () => {
  it.each([
    ["context.protocol", "http"],
    ["source.ip", "10.1.2.3"],
    ["source.port", "40000"],
    ["source.principal", "spiffe://cluster.local/ns/shop/sa/web"],
    ["source.namespace", "shop"],
    ["source.service_account", "web"],
    ["destination.ip", "10.0.0.2"],
    ["destination.port", "9080"],
    ["destination.namespace", "foo"],
    ["destination.labels['app']", "httpbin"],
    ["destination.labels.version", "v1"],
    ["destination.workload.name", "httpbin"],
    ["destination.service.name", "orders"],
    ["destination.service.host", "orders.foo.svc"],
    ["remote.ip", "2001:db8::7"],
    ["connection.mtls", "true"],
    ["connection.sni", "shop.example.com"],
    ["request.time.getHours()", "23"],
    ["request.id", "1"],
    ["request.method", "POST"],
    ["request.host", "shop.example.com"],
    ["request.url_path", "/orders/12"],
    ["request.scheme", "http"],
    ["request.protocol", "HTTP/1.1"],
    ["request.headers['x-tier']", "gold"],
    ["request.headers['x-list']", "1,2"],
    ["request.headers['x-utf8']", "é"],
    ["request.headers['host']", "shop.example.com"],
    ["'x-tier' in request.headers && !('x-none' in request.headers)", "true"],
    ["size(request.headers)", "6"],
    ["request.headers.exists(name, name == ':path')", "true"],
    ["request.query_params.page", "2"],
    ["request.query_params['q']", "a b+c+d"],
    ["request.query_params.p", "1"],
    ["request.query_params.flag == '' && !has(request.query_params.none)", "true"],
    ["request.query_params.x", "%zz"],
    ["size(request.query_params)", "5"],
    ["request.auth.principal", "https://issuer/u1"],
    ["request.auth.audiences[1]", "b"],
    ["request.auth.presenter", "client"],
    ["request.auth.claims.org.name", "acme"],
    ["request.auth.claims.org.size", "3"],
    ["int(request.auth.claims.org.size) + 1", "4"],
    ["request.auth.claims['https://x/y']", "true"],
    ["'admin' in request.auth.claims.roles", "true"],
    ["has(request.auth.claims.nothing) && request.auth.claims.nothing == null", "true"],
    ["size(request.auth.claims)", "8"],
  ])("%s is %s", (source, value) => {
    expect(ask(source, request, workload)).toBe(value);
  });

  it.each([
    "source.principal",
    "source.namespace",
    "destination.service.name",
    "request.time",
    "request.size",
    "request.auth.principal",
    "request.auth.claims",
    "request.auth.claims.sub",
    "request.headers.none",
  ])("%s that is not there is an error, and has() can ask for it", (name) => {
    const plain = aRequest().build();
    expect(ask(`${name} == dyn(1)`, plain)).toBe(`! \`${name}\` is not there`);
    expect(ask(`has(${name})`, plain)).toBe("false");
  });

  it("of a request is not there on TCP", () => {
    const tcp = aRequest().tcp().build();
    expect(ask("request.method", tcp)).toBe("! `request.method` is not there");
    expect(ask("has(request.headers) || context.protocol != 'tcp'", tcp)).toBe("false");
  });

  it("of an unknown destination is not there", () => {
    const { evaluate } = compileExpression(
      "has(destination.workload.name) || has(destination.labels)",
      "bool",
    );
    expect(evaluate({ attributes: aRequest().build(), workload: undefined })).toBe(false);
  });

  it("that is read from a certificate is an error where the certificate cannot be read", () => {
    const attributes = aRequest()
      .with({
        identityFault: new Error("bad certificate"),
        source: { ip: parseIp("10.0.0.1"), port: 1, principal: "spiffe://cluster.local/ns/a/sa/b" },
      })
      .build();
    for (const name of ["source.principal", "source.namespace", "connection.mtls"])
      expect(ask(`${name} == dyn('')`, attributes)).toBe("! the client's certificate cannot be read");
  });

  it("shows what Envoy calls the peer where it sends no certificate", () => {
    const peer = { ip: undefined, port: 0, principal: "spiffe://cluster.local/ns/a/sa/b" };
    const attributes = aRequest().with({ source: peer }).build();
    expect(ask("source.principal", attributes)).toBe("spiffe://cluster.local/ns/a/sa/b");
    expect(ask("has(source.namespace)", attributes)).toBe("false");
  });

  it("gives each address one text, however it was written", () => {
    const of = (ip: string): string => ask("remote.ip", aRequest().ip("10.0.0.1", ip).build());
    expect(["2001:DB8::7", "2001:db8:0:0:0:0:0:7", "2001:0db8::0007"].map(of)).toEqual(
      Array(3).fill("2001:db8::7"),
    );
    expect(of("::ffff:10.1.2.3")).toBe("::ffff:10.1.2.3");
  });
});

describe("claims", () => {
  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("have no `%s` of their own", (name) => {
    const attributes = aRequest().claims({ sub: "u" }).build();
    expect(ask(`request.auth.claims.${name}`, attributes)).toContain("is not there");
    expect(ask(`request.auth.claims['${name}']`, attributes)).toContain("is not there");
    expect(ask(`has(request.auth.claims.${name}) || '${name}' in request.auth.claims`, attributes)).toBe(
      "false",
    );
  });

  it.each(["__proto__", "constructor"])("may have a claim `%s` like any other", (name) => {
    const attributes = aRequest()
      .claims(JSON.parse(`{"${name}": "own", "sub": "u"}`))
      .build();
    expect(ask(`request.auth.claims.${name}`, attributes)).toBe("own");
    expect(ask("request.auth.claims.sub", attributes)).toBe("u");
  });

  it("give an audience that is one text as a list", () => {
    expect(ask("request.auth.audiences[0]", aRequest().claims({ aud: "a" }).build())).toBe("a");
  });

  it("give a whole number where one is wanted", () => {
    const { evaluate } = compileExpression("request.auth.claims.cost", "int");
    const of = (cost: number | string): number =>
      evaluate({ attributes: aRequest().claims({ cost }).build(), workload: undefined });
    expect(of(5)).toBe(5);
    for (const cost of [1.5, 2 ** 53, "5"]) expect(() => of(cost)).toThrow("gives no int");
  });
});

describe("a vocabulary", () => {
  it("can be extended by a table, and reads only what an expression names", () => {
    const read: string[] = [];
    const vocabulary = createVocabulary<{ readonly code: number }>([
      { name: "response.code", type: types.int, read: ({ code }) => BigInt(code) },
      {
        name: "response.flags",
        type: types.string,
        read: () => {
          read.push("response.flags");
          return "";
        },
      },
    ]);
    const { evaluate } = compileExpression("response.code >= 500", "bool", vocabulary);
    expect([evaluate({ code: 503 }), evaluate({ code: 200 })]).toEqual([true, false]);
    expect(read).toEqual([]);
  });

  it("has every attribute that docs/expressions.md lists, and no other", async () => {
    const { readFile } = await import("node:fs/promises");
    const text = await readFile(new URL("../../../docs/expressions.md", import.meta.url), "utf8");
    const table = text.slice(text.indexOf("## Attributes"), text.indexOf("## Functions"));
    const listed = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([a-z_.]+)`/g)].map(([, name]) => name),
    );
    expect(listed.sort()).toEqual([...requestVocabulary.attributes.keys()].sort());
  });
});
