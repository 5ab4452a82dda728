import { describe, expect, it } from "vitest";
import { packageOf, valuesOf } from "../../../src/rego/index.js";

describe("the package in which a term lies", () => {
  it.each([
    ["a rule", 'data["envoy"]["authz"]["allow"]', "data.envoy.authz"],
    ["a value within a rule", 'data["envoy"]["authz"]["decision"]["allowed"]', "data.envoy.authz"],
    ["a package itself", "data.envoy.authz", "data.envoy.authz"],
    ["a rule of an inner package", "data.envoy.authz.inner.allow", "data.envoy.authz.inner"],
    ["a name that is no identifier", 'data["my-team"].x[0]', 'data["my-team"]'],
  ])("is known of %s", (_, query, expected) => {
    const packages = ["data.envoy", "data.envoy.authz", "data.envoy.authz.inner", 'data["my-team"]'];
    expect(packageOf(query, packages)).toBe(expected);
  });

  it.each(["data.other.allow", "input.x", "data.envoy.authz.allow == true", "data.env"])(
    "is not known of %s",
    (query) => {
      expect(packageOf(query, ["data.envoy.authz"])).toBeUndefined();
    },
  );
});

describe("the values of a package's rules", () => {
  const modules = {
    "a.rego":
      "package a\nallow if f(1)\nf(x) if x > 0\ndefault g(_) := 1\nrole := input.role\nnobody if false\n",
  };

  it("are those of rules, not of data and inner packages", () => {
    const document = '{"allow":true,"big":12345678901234567890,"roles":{"a":1},"inner":{"x":1}}';
    const { values } = valuesOf(document, ["allow", "big"], modules);
    expect([...values]).toEqual([
      ["allow", "true"],
      ["big", "12345678901234567890"],
    ]);
  });

  it("join the parts of one rule", () => {
    const { values } = valuesOf(
      '{"roles":{"admin":true,"user":false}}',
      ["roles.admin", "roles.user"],
      modules,
    );
    expect([...values]).toEqual([["roles", '{"admin":true,"user":false}']]);
  });

  it("name rules without a value, but no functions", () => {
    const found = valuesOf('{"allow":true}', ["allow", "f", "g", "role", "nobody"], modules);
    expect(found.undefined).toEqual(["role", "nobody"]);
  });

  it("are none when the package has no value", () => {
    expect(valuesOf(undefined, ["allow"], modules)).toEqual({ values: new Map(), undefined: ["allow"] });
  });
});
