/** What stands for every value beyond a bound. */
export const OTHER = "other";

/** Longer values are `other`: cut, two could become one. In UTF-16 units; a SPIFFE id of a mesh has about 60. */
export const MAX_VALUE_LENGTH = 256;

/**
 * A text that no other tuple has, whatever is in its values: each is preceded by its length. `count` is the number of
 * labels; values that are missing are empty, those beyond are not read.
 */
export function keyOf(values: readonly string[], count: number): string {
  if (count === 1) return values[0] ?? "";
  let key = "";
  for (let i = 0; i < count; i++) {
    const value = values[i] ?? "";
    key += `${value.length}:${value}`;
  }
  return key;
}

/** The different values that one label has, by how many series use them. */
export interface LabelValues {
  /**
   * The value as it is to be used: itself, or `other` where it is too long or one too many. With U+FFFD for each half of a
   * character: as UTF-8 two of them would be the same text, and the series doubled.
   */
  admit(value: string): string;
  take(value: string): void;
  give(value: string): void;
  setLimit(maxValues: number): void;
  readonly size: number;
}

/** Empty and `other` count for nothing: they are always admitted. */
export function createLabelValues(maxValues: number): LabelValues {
  const uses = new Map<string, number>();
  let limit = maxValues;
  const isFree = (value: string): boolean => value === "" || value === OTHER;
  return {
    admit(value) {
      if (isFree(value) || uses.has(value)) return value;
      if (value.length > MAX_VALUE_LENGTH) return OTHER;
      const text = wellFormed(value);
      return uses.size < limit || uses.has(text) ? text : OTHER;
    },
    take(value) {
      if (!isFree(value)) uses.set(value, (uses.get(value) ?? 0) + 1);
    },
    give(value) {
      const count = uses.get(value);
      if (count === undefined) return;
      if (count === 1) uses.delete(value);
      else uses.set(value, count - 1);
    },
    setLimit(maxValues) {
      limit = maxValues;
    },
    get size() {
      return uses.size;
    },
  };
}

const halfOfCharacter = /[\ud800-\udfff]/;

function wellFormed(text: string): string {
  return halfOfCharacter.test(text) ? Buffer.from(text, "utf8").toString("utf8") : text;
}
