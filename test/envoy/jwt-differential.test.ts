import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jwtCases } from "../support/cases-jwt.js";
import { makeJwtKit } from "../support/jwt-kit.js";
import { knownDifferences } from "../support/jwt-known-differences.js";
import { jwtRuleSets } from "../support/jwt-rule-sets.js";
import { type Ask, type JwtStage, type Seen, startJwtStage } from "../support/jwt-stage.js";

// Every request goes to Envoy's own jwt_authn filter, configured as istiod does it, and to our server by way of
// ext_authz with the same RequestAuthentication. What the client and the upstream see must be the same: status,
// body, headers of the answer with the challenge, headers and path that arrive. The live Envoy is the oracle.

const kit = makeJwtKit();
const known = new Map(knownDifferences.flatMap(({ cases }) => Object.entries(cases)));
const alike = jwtCases.filter(({ id }) => !known.has(id));
const different = jwtCases.filter(({ id }) => known.has(id));

let stage: JwtStage;
const seen = { passed: 0, refused: 0 };

beforeAll(async () => {
  stage = await startJwtStage(jwtRuleSets(kit));
});
afterAll(async () => stage.stop());

describe("Envoy's jwt_authn filter and ours answer alike", () => {
  test.each(alike.map((one) => [one.id, one] as const))("%s", async (_, { set, ask }) => {
    const request = ask(kit);
    const [native, ours] = await askBoth(set, request);
    expect(ours).toEqual(native);
    if (native.upstream === undefined) seen.refused++;
    else {
      seen.passed++;
      // Once more: now the token is remembered.
      expect(await stage.ask("ours", set, request)).toEqual(native);
    }
  });

  test("and neither passes all nor refuses all", () => {
    expect(seen.passed).toBeGreaterThan(300);
    expect(seen.refused).toBeGreaterThan(300);
  });
});

describe("known differences", () => {
  test.each(different.map((one) => [one.id, one] as const))("%s", async (_, { id, set, ask }) => {
    const [native, ours] = await askBoth(set, ask(kit));
    expect([brief(native), brief(ours)]).toEqual(known.get(id));
  });
});

test("every case has a name of its own, and every known difference is a case", () => {
  expect(new Set(jwtCases.map(({ id }) => id)).size).toBe(jwtCases.length);
  expect(different.length).toBe(known.size);
});

function askBoth(set: string, request: Ask): Promise<readonly [native: Seen, ours: Seen]> {
  return Promise.all([stage.ask("native", set, request), stage.ask("ours", set, request)]);
}

/** Status, and what tells the answers apart. */
function brief({ status, body, upstream }: Seen): string {
  return `${status} ${upstream?.path ?? body}`;
}
