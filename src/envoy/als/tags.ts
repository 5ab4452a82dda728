/** What a custom tag says, empty where it says nothing: Envoy writes `-` where a format has no value. */
export function said(text: string | undefined): string {
  return text === undefined || text === "-" ? "" : text;
}
