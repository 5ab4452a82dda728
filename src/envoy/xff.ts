import type { Workload } from "../attributes/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import type { MeshSettings, XffSettings } from "../engine/index.js";
import { own } from "./workload.js";

/** Settings that the route names itself; `unreadable` refuses the HTTP requests that need them. */
export type XffOverride = Partial<XffSettings> | "unreadable";

/** The route names none. */
export const noXff: XffOverride = {};

/** What `context_extensions` say of X-Forwarded-For. */
export function xffOverride(extensions: Readonly<Record<string, string>>): XffOverride {
  const use = own(extensions, "xff.use_remote_address");
  const hops = own(extensions, "xff.num_trusted_hops");
  if (use === "" && hops === "") return noXff;
  if (!/^(true|false)?$/.test(use) || !/^[0-9]{0,9}$/.test(hops)) return "unreadable";
  return {
    ...(use !== "" && { useRemoteAddress: use === "true" }),
    ...(hops !== "" && { numTrustedHops: Number(hops) }),
  };
}

/** The settings that hold for a request: the route's, else those of the workload's type, else the mesh's. */
export function xffSettings(
  mesh: MeshSettings,
  workload: Workload | undefined,
  xff: XffOverride,
): XffSettings {
  if (xff === "unreadable") {
    throw new GatehouseError("bad_request", "context extensions of X-Forwarded-For cannot be read");
  }
  const perType = mesh.xffPerType[(workload ?? mesh.defaultWorkload)?.type ?? "sidecar"];
  return perType === undefined && xff === noXff ? mesh.xff : { ...mesh.xff, ...perType, ...xff };
}
