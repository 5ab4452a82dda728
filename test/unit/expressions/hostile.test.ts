import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/attributes/index.js";
import { maxWork } from "../../../src/expressions/budget.js";
import { compileExpression, ExpressionError, type ExpressionInput } from "../../../src/expressions/index.js";
import { textOf } from "../../../src/expressions/text.js";
import { aRequest, aWorkload } from "../../support/request.js";
import { ask } from "./ask.js";

const sources = [
  "request.method + request.host + request.path",
  "request.headers['x-a'] + request.headers['x-b']",
  "request.headers.exists(k, request.headers[k].contains(request.headers['x-a']))",
  "request.headers.map(a, request.headers.map(b, a + b)).size() > 0",
  "request.query_params.exists(k, request.query_params[k] == k)",
  "int(request.headers['x-a']) + size(request.path)",
  "request.path.matches('(a+)+$') || request.path.split('/').exists(p, p == '..')",
  "ipPrefix(request.headers['x-a'], 24)",
  "inCidr(request.headers['x-a'], '10.0.0.0/8')",
  "pathTemplate(request.path, ['/a/{b}/c', '/{**}'])",
  "request.auth.claims.a == request.auth.claims.b",
  "request.auth.claims.a + request.auth.claims.b",
  "request.auth.claims.a < request.auth.claims.b",
  "request.auth.claims.a in request.auth.claims.b",
  "request.auth.claims.a[request.auth.claims.b]",
  "request.auth.claims.a[0] == request.auth.claims.a['0']",
  "request.auth.claims.a.exists(x, x.y == request.auth.claims.b)",
  "request.auth.claims.exists(k, request.auth.claims[k] == request.auth.claims)",
  "has(request.auth.claims.a.b.c) ? request.auth.claims.a.b.c : request.auth.claims.b",
  "string(request.auth.claims.a) + string(double(request.auth.claims.b))",
  "size(request.auth.claims.a) > int(request.auth.claims.b)",
  "-request.auth.claims.a * request.auth.claims.b / request.auth.claims.a % 7",
  "request.auth.claims.a.substring(int(request.auth.claims.b))",
  "request.auth.claims.a ? request.auth.claims.b : !request.auth.claims.a",
  "request.auth.principal + request.auth.audiences[0] + request.auth.presenter",
  "source.principal + source.namespace + source.service_account + connection.sni",
].map((source) => compileExpression(source, "scalar"));

const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const json = fc.jsonValue({ maxDepth: 4 });
const name = fc.oneof(fc.constantFrom("__proto__", "constructor", "x-a", "x-b", ""), bytes);

const inputs = fc
  .record({
    path: bytes,
    method: bytes,
    host: bytes,
    headers: fc.array(fc.tuple(name, fc.array(bytes, { maxLength: 3 })), { maxLength: 8 }),
    a: json,
    b: json,
    iss: json,
    names: fc.array(bytes, { maxLength: 3 }),
    sni: bytes,
  })
  .map(({ path, method, host, headers, a, b, iss, names, sni }): ExpressionInput => {
    const payload = { a, b, iss, sub: iss, aud: a, azp: b } as JsonObject;
    const request = headers.reduce(
      (made, [header, lines]) => made.header(header, ...lines),
      aRequest()
        .method(method, `/${path}?${path}`)
        .host(host)
        .claims(payload)
        .from(...names)
        .with({ sni }),
    );
    return { attributes: request.build(), workload: aWorkload() };
  });

describe("whatever a request holds", () => {
  it("an expression gives a text or throws an ExpressionError that has nothing to hide", () => {
    fc.assert(
      fc.property(inputs, fc.constantFrom(...sources), (input, { evaluate }) => {
        try {
          expect(typeof evaluate(input)).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(ExpressionError);
          expect((error as Error).message).not.toBe("cannot be evaluated");
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("no error shows a value of the request", () => {
    const secret = "eyJhbGciOi.secret.token";
    const attributes = aRequest()
      .header("x-a", secret)
      .claims({ a: secret, [secret]: 1 })
      .build();
    for (const source of [
      "int(request.headers['x-a'])",
      "double(request.headers['x-a'])",
      "bool(request.headers['x-a'])",
      "ipPrefix(request.headers['x-a'], 24)",
      "request.headers[request.headers['x-a']]",
      "{'a': 1}[request.headers['x-a']]",
      "request.auth.claims.a + 1",
      "request.auth.claims.a && true",
      "request.auth.claims.a.b",
      "request.headers['x-a'].substring(1000)",
    ]) {
      expect(ask(source, attributes)).toMatch(/^! /);
      expect(ask(source, attributes)).not.toContain("secret");
    }
  });
});

describe("the budget", () => {
  const many = Array.from({ length: 10_000 }, (_, i) => `x-${i}`);
  const long = "a".repeat(1 << 20);
  const huge = aRequest()
    .get(`/?${many.join("&")}`)
    .claims({ list: many, long, map: Object.fromEntries(many.map((key) => [key, key])), aud: many })
    .with({ identity: { names: many } })
    .build();
  const { request } = huge;
  if (request === undefined) throw new Error("the request is of HTTP");
  const headers = new Map([...many.map((key) => [key, [key]] as const), ["x-long", [long]] as const]);
  const attributes = { ...huge, request: { ...request, headers } };

  it.each([
    "request.headers.map(a, request.headers.map(b, a + b)).size() > 0",
    "request.headers.all(a, request.headers.all(b, true))",
    "request.headers.all(a, request.headers['x-long'] != a)",
    "request.headers.exists(a, request.headers.none == a)",
    "request.headers.map(a, request.headers).exists(h, h == {'a': '1'})",
    "request.headers.all(a, size(request.auth.claims.map) > 0)",
    "request.headers.all(a, size(request.query_params) > 0)",
    "request.headers.all(a, size(request.auth.audiences) > 0)",
    "request.headers.all(a, !has(source.namespace))",
    "request.headers.all(a, a in request.auth.claims.list)",
    "request.headers.all(a, request.auth.claims.list == request.auth.claims.list)",
    "request.headers.all(a, request.auth.claims.map == request.auth.claims.map)",
    "request.headers.all(a, request.auth.claims.long == request.auth.claims.long)",
    "request.headers['x-long'].contains(request.headers['x-long'] + 'b')",
    "request.auth.claims.long.matches('(a*)*b')",
    "request.auth.claims.long.split('').size() > 0",
    "request.auth.claims.long.split('a').size() > 0",
    "request.headers.map(a, ipPrefix('1::', 24)).size() > 0",
    "[1, 2].all(x, request.headers.all(a, true))",
  ])("ends %s", (source) => {
    expect(ask(source, attributes)).toBe("! needs more work than the budget allows");
  });

  it("is not forgotten by what forgets errors", () => {
    expect(ask("request.headers.all(a, request.headers.all(b, true)) || true", attributes)).toContain(
      "budget",
    );
    expect(
      ask("[1].exists(x, request.headers.all(a, request.headers.none == a) || true)", attributes),
    ).toContain("budget");
  });

  it("is enough for what quotas ask of an ordinary request", () => {
    const ordinary = aRequest()
      .get(`/${"a/".repeat(200)}`)
      .header("x-a", "b".repeat(4000))
      .build();
    expect(ask("request.headers.exists(k, request.headers[k].contains('zz'))", ordinary)).toBe("false");
    expect(ask("request.path.matches('^/orders/[0-9]+(/items)?$')", ordinary)).toBe("false");
    expect(ask("request.headers['x-a'].size()", ordinary)).toBe("4000");
  });

  it("does not grow what an expression joins beyond it", () => {
    const doubled = `[${"'ab', ".repeat(200)}'ab'].map(x, x + x).map(x, x + x)[0]`;
    expect(ask(doubled)).toBe("abababab");
  });
});

describe("the text of bytes", () => {
  const budget = (): { left: number } => ({ left: maxWork });

  it("is the text where the bytes are UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        fc.pre(!text.includes("\ufffd"));
        expect(textOf(Buffer.from(text, "utf8").toString("latin1"), budget())).toBe(text);
      }),
    );
  });

  it("keeps a byte order mark, and shows a byte that is no UTF-8", () => {
    expect(textOf("\xef\xbb\xbfa", budget())).toBe("\ufeffa");
    expect(textOf("a\xffb\xc3", budget())).toBe("a\ufffdffb\ufffdc3");
    expect(textOf("\xef\xbf\xbd", budget())).toBe("\ufffdef\ufffdbf\ufffdbd");
    expect(textOf("\xed\xa0\x80", budget())).toBe("\ufffded\ufffda0\ufffd80");
  });

  it("differs for different bytes, also as UTF-8", () => {
    const part = fc.constantFrom(
      "a",
      "\xff",
      "\xc3",
      "\xa9",
      "\xef\xbf\xbd",
      "\xed\xa0\x80",
      "\xf4\x90",
      "ff",
    );
    const text = fc.oneof(
      bytes,
      fc.array(part).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, text, (a, b) => {
        fc.pre(a !== b);
        const [first, second] = [textOf(a, budget()), textOf(b, budget())];
        expect(Buffer.from(first, "utf8").equals(Buffer.from(second, "utf8"))).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it("is refused as a result where it has no UTF-8", () => {
    expect(ask("request.auth.claims.a", aRequest().claims({ a: "\ud800" }).build())).toContain(
      "half a character",
    );
  });
});
