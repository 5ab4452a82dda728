import { describe, expect, it } from "vitest";
import { type AuthorizationPolicy, toRbac } from "../../../src/istio/index.js";
import type { RbacPolicy } from "../../../src/rbac/index.js";
import { aPolicy, aRule, meshDomain } from "./policies.js";

function translated(policy: AuthorizationPolicy, protocol: "http" | "tcp" = "http"): RbacPolicy | undefined {
  return toRbac(policy, protocol, meshDomain).policies["ns[foo]-policy[p]-rule[0]"];
}

describe("an AuthorizationPolicy as Envoy RBAC", () => {
  it("of an empty rule matches anything", () => {
    expect(translated(aPolicy({ rules: [aRule()] }))).toEqual({
      permissions: [{ andRules: { rules: [{ any: true }] } }],
      principals: [{ andIds: { ids: [{ any: true }] } }],
    });
  });

  it("joins values by OR, fields by AND, and negates the OR of the not values", () => {
    const to = [{ methods: ["GET", "P*"], notPaths: ["/admin*"] }];
    expect(translated(aPolicy({ rules: [aRule({ to })] }))?.permissions).toEqual([
      {
        andRules: {
          rules: [
            {
              orRules: {
                rules: [
                  { header: { name: ":method", stringMatch: { exact: "GET" } } },
                  { header: { name: ":method", stringMatch: { prefix: "P" } } },
                ],
              },
            },
            { notRule: { orRules: { rules: [{ urlPath: { path: { prefix: "/admin" } } }] } } },
          ],
        },
      },
    ]);
  });

  it("matches hosts without regard to case, `*` by presence", () => {
    const to = [{ hosts: ["*.Example.com", "*"] }];
    expect(JSON.stringify(translated(aPolicy({ rules: [aRule({ to })] })))).toContain(
      '{"name":":authority","stringMatch":{"suffix":".Example.com","ignoreCase":true}}},{"header":{"name":":authority","presentMatch":true}}',
    );
  });

  it("repeats the conditions of `when` beside each source and each operation", () => {
    const when = [
      { key: "source.ip", values: ["10.0.0.0/8"], notValues: [] },
      { key: "destination.port", values: ["80"], notValues: [] },
    ];
    const from = [{ namespaces: ["a"] }, { namespaces: ["b"] }];
    const rbac = translated(aPolicy({ rules: [aRule({ from, when })] }));
    expect(rbac?.principals.map((p) => ("andIds" in p ? p.andIds.ids.length : 0))).toEqual([2, 2]);
    expect(rbac?.permissions).toEqual([
      { andRules: { rules: [{ orRules: { rules: [{ destinationPort: 80 }] } }] } },
    ]);
  });

  it("quotes what a regex would read otherwise", () => {
    const from = [{ serviceAccounts: ["n.s/a.b"], principals: ["*.x"], namespaces: ["f*o.o"] }];
    const text = JSON.stringify(translated(aPolicy({ rules: [aRule({ from })] })));
    expect(text).toContain(String.raw`spiffe://.+/ns/n\\.s/(.+/|)sa/a\\.b(/.+)?`);
    expect(text).toContain(String.raw`spiffe://.*\\.x`);
    expect(text).toContain(String.raw`.*/ns/f.*o\\.o/.*`);
  });

  it("writes path templates as Envoy's extension wants them", () => {
    const text = JSON.stringify(
      translated(aPolicy({ rules: [aRule({ to: [{ paths: ["/a/{*}/{**}"] }] })] })),
    );
    expect(text).toContain('"pathTemplate":"/a/*/**"');
  });

  describe("on TCP", () => {
    const rule = aRule({ to: [{ ports: ["80"] }, { methods: ["GET"], ports: ["90"] }] });

    it("drops a whole ALLOW rule for one HTTP condition anywhere in it", () => {
      expect(translated(aPolicy({ rules: [rule] }), "tcp")).toBeUndefined();
    });

    it("drops only the HTTP condition from a DENY rule, which so refuses more", () => {
      expect(translated(aPolicy({ action: "DENY", rules: [rule] }), "tcp")?.permissions).toEqual([
        { andRules: { rules: [{ orRules: { rules: [{ destinationPort: 80 }] } }] } },
        { andRules: { rules: [{ orRules: { rules: [{ destinationPort: 90 }] } }] } },
      ]);
    });

    it("lets an emptied DENY operation match everything", () => {
      const policy = aPolicy({ action: "DENY", rules: [aRule({ to: [{ methods: ["GET"] }] })] });
      expect(translated(policy, "tcp")?.permissions).toEqual([{ andRules: { rules: [{ any: true }] } }]);
    });
  });

  it("drops an ALLOW rule, but not a DENY rule, whose key has no meaning", () => {
    const rules = [aRule({ when: [{ key: "request.headersX[a]", values: ["v"], notValues: [] }] })];
    expect(translated(aPolicy({ rules }))).toBeUndefined();
    expect(translated(aPolicy({ action: "DENY", rules }))?.principals).toEqual([
      { andIds: { ids: [{ any: true }] } },
    ]);
  });
});
