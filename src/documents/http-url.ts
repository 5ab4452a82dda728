/**
 * Reads an absolute http or https URL as strictly as Go does, since the URL standard mends much in silence: it drops
 * white space and turns backslashes. Undefined when it is none.
 */
export function parseHttpUrl(text: string): URL | undefined {
  return /^https?:\/\/[^\s\\]+$/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
}
