/** The term that OPA-Envoy evaluates for its `path`: parts between slashes, empty ones dropped, integers indexes. */
export function queryOfEntrypoint(entrypoint: string): string {
  const parts = entrypoint.split("/").filter((part) => part !== "");
  return `data${parts.map(step).join("")}`;
}

function step(part: string): string {
  // Go's strconv.Atoi takes signs and leading zeros.
  if (/^[-+]?\d{1,15}$/.test(part)) return `[${Number(part)}]`;
  return `[${JSON.stringify(part)}]`;
}
