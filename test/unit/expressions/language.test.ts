import { describe, expect, it } from "vitest";
import { ask } from "./ask.js";

describe("an expression", () => {
  it.each([
    ["adds, multiplies and divides whole numbers", "1 + 2 * 3 - 7 / 2 % 2", "6"],
    ["divides toward zero", "-7 / 2", "-3"],
    ["adds doubles", "0.5 + 0.25", "0.75"],
    ["joins texts", "'a' + \"b\"", "ab"],
    ["joins lists", "([1] + [2, 3])[2]", "3"],
    ["keeps 64 bits", "9223372036854775806 + 1", "9223372036854775807"],
    ["reads the least integer", "-9223372036854775808", "-9223372036854775808"],
    ["compares an integer with a double by what they mean", "1 == 1.0 && 1 < 1.5 && 2 >= 1.5", "true"],
    ["orders texts", "'a' < 'b' && 'b' >= 'b'", "true"],
    ["orders times", "timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-01T01:00:00+00:30')", "true"],
    ["compares lists", "[1, 2] == [1, 2] && [1] != [1, 2]", "true"],
    ["compares maps whatever their order", "{'a': 1, 'b': [2]} == {'b': [2], 'a': 1}", "true"],
    ["finds an element", "2 in [1, 2] && !('c' in ['a', 'b'])", "true"],
    ["finds a key", "'a' in {'a': 1}", "true"],
    ["reads an element", "[1, 2][1]", "2"],
    ["reads an entry by field and by key", "{'a': 1}.a + {'b': 2}['b']", "3"],
    ["chooses", "1 > 2 ? 'a' : 'b'", "b"],
    ["negates", "-(1 + 2)", "-3"],
    ["asks all elements", "[1, 2].all(x, x > 0) && ![1, 2].all(x, x > 1)", "true"],
    ["asks for one element", "[1, 2].exists(x, x == 2) && [1, 2, 2].exists_one(x, x == 1)", "true"],
    ["maps and filters", "[1, 2, 3].filter(x, x > 1).map(x, x * 2)[1]", "6"],
    ["maps what it filters", "[1, 2, 3].map(x, x > 2, x * 2)[0]", "6"],
    ["goes through the keys of a map", "{'a': 1, 'b': 2}.exists(k, k == 'b')", "true"],
    ["goes through lists in lists", "[[1], [2, 3]].exists(a, a.exists(b, b == 3))", "true"],
    ["lets the inner variable hide the outer", "[1].exists(x, [2].exists(x, x == 2))", "true"],
    ["lets a variable hide an attribute", "['a'].exists(request, request == 'a')", "true"],
    ["may be constant", "true", "true"],
  ])("%s", (_, source, value) => {
    expect(ask(source)).toBe(value);
  });

  it.each([
    ["an overflow", "9223372036854775807 + 1", "`9223372036854775807 + 1` is beyond 64 bits"],
    ["the negation of the least integer", "-(-9223372036854775807 - 1)", "is beyond 64 bits"],
    ["a division by zero", "1 / (1 - 1)", "divides by zero"],
    ["a remainder of zero", "1 % 0", "divides by zero"],
    ["an element that is not there", "[1][1]", "`[1][1]` is not there"],
    ["a negative index", "[1][-1]", "is not there"],
    ["a missing key", "{'a': 1}['b']", "is not there"],
    ["a key twice", "{'a': 1, 'a': 2}.a", "has a key twice"],
    ["a null", "dyn({'a': null}.a)", "gives no text, number or boolean"],
    ["a list where a bool is wanted", "dyn([1]) && true", "`dyn([1])` is no bool"],
    ["kinds that cannot be ordered", "dyn('a') < dyn(1)", "compares different kinds of values"],
    ["kinds that cannot be joined", "dyn('a') + dyn(1)", "joins different kinds of values"],
  ])("has no value for %s", (_, source, reason) => {
    expect(ask(source)).toContain(reason);
  });

  it("forgets an error of one side where the other decides", () => {
    expect([
      ask("1 / 0 == 1 || true"),
      ask("true || 1 / 0 == 1"),
      ask("1 / 0 == 1 && false"),
      ask("[0, 1].exists(x, 1 / x == 1)"),
      ask("[0, 1].all(x, 1 / x == 2)"),
    ]).toEqual(["true", "true", "false", "true", "false"]);
  });

  it("keeps an error where the other side does not decide", () => {
    for (const source of ["1 / 0 == 1 || false", "1 / 0 == 1 && true", "[0, 2].exists(x, 1 / x == 1)"])
      expect(ask(source)).toContain("divides by zero");
  });

  it("evaluates only the side that is chosen", () => {
    expect(ask("true ? 1 : 1 / 0")).toBe("1");
  });
});
