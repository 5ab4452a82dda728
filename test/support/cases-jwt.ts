import { claimCases } from "./cases-jwt-claims.js";
import { jsonCases } from "./cases-jwt-json.js";
import { keyCases } from "./cases-jwt-keys.js";
import { placeCases } from "./cases-jwt-places.js";
import { providerCases } from "./cases-jwt-providers.js";
import type { JwtCase } from "./jwt-case.js";

/** Every case of the table. */
export const jwtCases: readonly JwtCase[] = [
  ...jsonCases,
  ...keyCases,
  ...placeCases,
  ...claimCases,
  ...providerCases,
];
