/** Name of the sink that `Mesh.spec.audit` makes. */
export const auditSink = "audit";

/** Name of the sink that an entry of `Mesh.spec.decisionLog.sinks` makes. */
export function decisionSinkName(name: string): string {
  return `decisions/${name}`;
}

/** Name of the sink that an extension provider's access log makes. */
export function accessSinkName(provider: string): string {
  return `access/${provider}`;
}
