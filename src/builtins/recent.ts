/** What was made of a key lately: no more than `capacity` of them, the one unused for longest goes first. */
export function recent<T>(capacity: number, make: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    let found = known.get(key);
    if (found === undefined) {
      found = make(key);
      const oldest = known.size >= capacity ? known.keys().next().value : undefined;
      if (oldest !== undefined) known.delete(oldest);
    } else {
      known.delete(key);
    }
    known.set(key, found);
    return found;
  };
}
