/** JSON that means the same, with `\u` escapes of what terminals obey (C1) and of what turns text around. */
export function escapeJson(json: string): string {
  // C0 stands in no JSON text, so where it is found the line is none.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is searched
  return json.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\p{Cf}\u2028\u2029]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
