/** Whether a token is for one of the audiences; without any configured it is for all (`check_audience.cc`). */
export function createAudienceCheck(
  audiences: readonly string[],
  { exact }: { readonly exact: boolean },
): (aud: readonly string[]) => boolean {
  if (audiences.length === 0) return () => true;
  const form = exact ? (text: string) => text : withoutScheme;
  const allowed = new Set(audiences.map(form));
  return (aud) => aud.some((one) => allowed.has(form(one)));
}

/** Envoy compares without `http://`, `https://` and one slash at the end. */
function withoutScheme(audience: string): string {
  return audience.replace(/^https?:\/\//, "").replace(/\/$/, "");
}
