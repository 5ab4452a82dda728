import { evaluate } from "@marcbachmann/cel-js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Attributes } from "../../../src/attributes/index.js";
import { compileAuthorizationPolicy } from "../../../src/istio/index.js";
import { aRequest } from "../../support/request.js";
import { aPolicy, aRule, meshDomain } from "../istio/policies.js";
import { ask } from "./ask.js";

type Rule = Parameters<typeof aRule>[0];

function policyMatches(rule: Rule, attributes: Attributes): boolean {
  const { http } = compileAuthorizationPolicy(aPolicy({ rules: [aRule(rule)] }), meshDomain);
  return http.some(({ matches }) => matches(attributes));
}

const requests: readonly Attributes[] = [
  aRequest().build(),
  aRequest().method("POST", "/orders/12?x=1").header("x-tier", "gold").build(),
  aRequest().from("ns/shop/sa/web").ip("10.1.2.3", "192.168.1.1").build(),
  aRequest().from("https://other.example/name").host("other.example.com").build(),
  aRequest()
    .claims({ iss: "https://issuer", sub: "u1", aud: ["a", "b"], azp: "c", roles: ["admin"] })
    .build(),
  aRequest().claims({ iss: "https://issuer", aud: "a", roles: "admin" }).build(),
  aRequest().header("x-tier", "silver", "gold").port(9080).build(),
];

const when = (key: string, value: string): Rule => ({ when: [{ key, values: [value], notValues: [] }] });

describe("an expression says of a request what a policy's condition says", () => {
  it.each([
    ["request.method == 'POST'", { to: [{ methods: ["POST"] }] }],
    ["request.url_path.startsWith('/orders/')", { to: [{ paths: ["/orders/*"] }] }],
    ["pathTemplate(request.path, ['/orders/{*}']) != ''", { to: [{ paths: ["/orders/{*}"] }] }],
    ["request.host == 'example.com'", { to: [{ hosts: ["example.com"] }] }],
    ["request.headers['host'] == 'example.com'", when("request.headers[host]", "example.com")],
    [
      "source.principal == 'spiffe://cluster.local/ns/shop/sa/web'",
      when("source.principal", "cluster.local/ns/shop/sa/web"),
    ],
    ["source.namespace == 'shop'", when("source.namespace", "shop")],
    ["inCidr(source.ip, '10.1.0.0/16')", when("source.ip", "10.1.0.0/16")],
    ["inCidr(remote.ip, '192.168.0.0/16')", when("remote.ip", "192.168.0.0/16")],
    ["destination.port == 8080", when("destination.port", "8080")],
    ["request.auth.principal == 'https://issuer/u1'", when("request.auth.principal", "https://issuer/u1")],
    ["'a' in request.auth.audiences", when("request.auth.audiences", "a")],
    ["request.auth.presenter == 'c'", when("request.auth.presenter", "c")],
  ])("%s", (source, rule) => {
    const answers = requests.map((attributes) => ask(source, attributes) === "true");
    expect(answers).toEqual(requests.map((attributes) => policyMatches(rule, attributes)));
    expect(new Set(answers).size).toBe(2);
  });
});

/** Expressions without attributes, of one type each, so that types are no reason for a difference. */
const { whole, truth } = fc.letrec<{ whole: string; truth: string; text: string }>((tie) => ({
  whole: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ min: -5, max: 5 }).map((n) => `(${n})`),
    fc.constantFrom("9223372036854775807", "size('abc')", "int('7')"),
    fc
      .tuple(tie("whole"), fc.constantFrom("+", "-", "*", "/", "%"), tie("whole"))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie("truth"), tie("whole"), tie("whole")).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    fc.tuple(tie("whole"), tie("whole")).map(([a, b]) => `[${a}, 2][${b}]`),
    tie("text").map((a) => `${a}.size()`),
  ),
  truth: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom("true", "false"),
    fc
      .tuple(tie("truth"), fc.constantFrom("&&", "||", "==", "!="), tie("truth"))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc
      .tuple(tie("whole"), fc.constantFrom("<", "<=", ">", ">=", "==", "!="), tie("whole"))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie("truth").map((a) => `!${a}`),
    fc
      .tuple(tie("text"), fc.constantFrom("contains", "startsWith", "endsWith"), tie("text"))
      .map(([a, f, b]) => `${a}.${f}(${b})`),
    fc.tuple(tie("whole"), tie("whole"), tie("whole")).map(([a, b, c]) => `(${a} in [${b}, ${c}])`),
    fc
      .tuple(
        tie("whole"),
        tie("whole"),
        fc.constantFrom("all", "exists", "exists_one"),
        fc.constantFrom("1 / x > 0", "x > 1"),
      )
      .map(([a, b, loop, body]) => `[${a}, ${b}].${loop}(x, ${body})`),
  ),
  text: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom("'a'", "'ab'", "'b'", "''"),
    fc.tuple(tie("text"), tie("text")).map(([a, b]) => `(${a} + ${b})`),
    tie("whole").map((a) => `string(${a})`),
  ),
}));

describe("an expression of CEL alone", () => {
  it("gives what the library's evaluator gives, and an error where that has one", () => {
    fc.assert(
      fc.property(fc.oneof(whole, truth), (source) => {
        let expected: string;
        try {
          expected = String(evaluate(source));
        } catch {
          expected = "!";
        }
        expect(ask(source).replace(/^! .*$/s, "!")).toBe(expected);
      }),
      { numRuns: 3000 },
    );
  });
});
