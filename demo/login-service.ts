import { stdout } from "node:process";
import { JWKS_URI, startLogin } from "./login.js";

// The demo's login service alone, for docs/who-is-calling.md.
const { jwksUri } = await startLogin(Number(new URL(JWKS_URI).port));
stdout.write(`the login service's keys: ${jwksUri}\n`);
