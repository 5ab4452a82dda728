import { describe, expect, it } from "vitest";
import { compileExpression, type ExpressionType } from "../../../src/expressions/index.js";
import { problem } from "./ask.js";

describe("checking an expression", () => {
  it.each([
    [
      "an attribute that does not exist",
      "request.metod",
      "1:1 unknown attribute `request.metod`, did you mean `request.method`?",
    ],
    ["a name that is near none", "nonsense", "1:1 unknown attribute `nonsense`"],
    [
      "a part of names",
      "request.auth == 1",
      "1:1 `request.auth` is no attribute by itself, expected `request.auth.principal`",
    ],
    [
      "a function that does not exist",
      "request.method.startWith('a')",
      "1:1 unknown function `startWith`, did you mean `startsWith`?",
    ],
    [
      "a method that is written as a function",
      "startsWith('a', 'b')",
      "1:1 `startsWith` is written `x.startsWith(…)`",
    ],
    ["too few arguments", "request.method.startsWith()", "1:1 `startsWith` has 0 arguments, expected 1"],
    ["an argument of another type", "request.method.startsWith(1)", "1:27 expected string, found int"],
    ["types that cannot be equal", "request.method == 1", "1:16 `==` does not take string and int"],
    ["types that cannot be added", "1 +\n 'a'", "1:3 `+` does not take int and string"],
    ["another type than is wanted", "request.method", "1:1 expected bool, found string", "bool"],
    ["a double where a whole number is wanted", "1.5", "1:1 expected int, found double", "int"],
    [
      "a map where a scalar is wanted",
      "request.headers",
      "1:1 expected a string, a number or a bool, found map(string, string)",
    ],
    ["a condition that is none", "1 ? 2 : 3", "1:1 expected bool, found int"],
    [
      "two types in one choice",
      "true ? 1 : 'a'",
      "1:8 expected one type on both sides of `:`, found int and string",
    ],
    ["a field of a text", "request.method.name", "1:1 `request.method` is a string, which has no fields"],
    [
      "a header that is not in lower case",
      "request.headers['X-Tier']",
      "1:17 header names are in lower case here, expected `x-tier`",
    ],
    ["has() of a key", "has(request.headers['x'])", "1:5 has() expects a field"],
    ["an end that comes too early", "request.method ==", "1:18 ends too early"],
    ["what is no part of the language", "request.method == 'a' ^ 2", "1:23 unexpected `^`"],
    ["a second line", "true &&\n  (1 ==", "2:8 ends too early"],
    ["a text without end", "'abc", "1:1 unterminated string"],
    ["a reserved word", "for", "1:1 `for` is a reserved word"],
    ["an integer beyond 64 bits", "9223372036854775808", "1:1 integer beyond 64 bits"],
    ["an unsigned integer", "1u", "1:1 unsigned integers and bytes are not supported"],
    [
      "a regular expression that is not RE2",
      "request.path.matches('(?=a)')",
      "1:1 `matches`: `(?=a)` is no regular expression in RE2 syntax",
    ],
    [
      "a regular expression that is too large",
      "request.path.matches('(a{1,100}){1,10}')",
      "1:1 `matches`: the regular expression is too large",
    ],
    [
      "a regular expression from the request",
      "'a'.matches(request.path)",
      "1:13 `matches` expects a literal here",
    ],
    [
      "a path template from the request",
      "pathTemplate(request.path, [request.host])",
      "1:28 `pathTemplate` expects a literal here",
    ],
    [
      "a bare star in a path template",
      "pathTemplate(request.path, ['/a/*'])",
      "1:1 `pathTemplate`: path template `/a/*` has a bare `*`",
    ],
    [
      "bits that an address has not",
      "ipPrefix(source.ip, 33)",
      "1:1 `ipPrefix`: expected 0 to 32 bits of an IPv4 address",
    ],
    [
      "a range that is none",
      "inCidr(source.ip, '10.0.0.0/40')",
      "1:1 `inCidr`: `10.0.0.0/40` is no range of IP addresses",
    ],
    [
      "a time that is none",
      "request.time < timestamp('yesterday')",
      "1:16 `timestamp`: `yesterday` is no time",
    ],
    [
      "three loops within each other",
      "[1].all(a, [1].all(b, [1].all(c, true)))",
      "1:23 has loops nested more than 2 deep",
    ],
    ["a loop without a variable", "[1].all(1, true)", "1:9 expected the name of a variable"],
    ["optional access", "request.?method", "1:9 unexpected `?`"],
    ["nothing", " \n ", "1:1 is empty"],
  ] as const)("finds %s", (_, source, message, type?: ExpressionType) => {
    expect(problem(source, type)).toContain(message);
  });

  it("finds nothing wrong with what may be right for some request", () => {
    expect(problem("request.auth.claims.level > 3 && request.auth.claims.org == 'a'", "bool")).toBe("");
    expect(problem("request.auth.claims.cost", "int")).toBe("");
  });

  it.each([
    ["4097 characters", `'${"a".repeat(4095)}'`, "is 4097 characters long, expected at most 4096"],
    ["many parentheses", `${"(".repeat(300)}1${")".repeat(300)}`, "nested too deeply"],
    ["many negations", `${"!".repeat(4000)}true`, "nested too deeply"],
    ["many signs", `${"-".repeat(4000)}1`, "nested too deeply"],
    ["many additions", `1${"+1".repeat(1000)}`, "nested too deeply"],
    ["many brackets", `${"[".repeat(2000)}1${"]".repeat(2000)}`, "nested too deeply"],
    ["many choices", `${"true?".repeat(500)}1${":1".repeat(500)}`, "nested too deeply"],
  ])("refuses %s", (_, source, message) => {
    expect(problem(source)).toContain(message);
  });

  it("gives the attributes that an expression reads, each once", () => {
    const { attributes, source } = compileExpression(
      "request.headers.a == request.headers.b || has(request.auth.claims.sub)",
      "bool",
    );
    expect(attributes).toEqual(["request.headers", "request.auth.claims"]);
    expect(source).toContain("request.headers.a");
  });
});
