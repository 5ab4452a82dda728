import { type Code, codes } from "../diagnostics/index.js";
import { filterFixes } from "./fixes-filters.js";
import { proxyFixes } from "./fixes-proxy.js";

/** The codes of the doctor by their names in the table. */
export type DoctorCode = Extract<keyof typeof codes, `doctor${string}` | "notEnvoyConfig">;

const fixes: Readonly<Record<DoctorCode, string>> = { ...filterFixes, ...proxyFixes };

const byCode: ReadonlyMap<string, string> = new Map(
  Object.entries(fixes).map(([name, fix]) => [codes[name as DoctorCode].code, fix.trim()]),
);

/** How it should be, as a piece of Envoy's YAML; empty for a code that is not the doctor's. */
export function fixOf({ code }: Code): string {
  return byCode.get(code) ?? "";
}
