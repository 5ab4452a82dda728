/** A condition on `T`, made at load and asked per request. Pure, never throws. */
export type Predicate<T> = (subject: T) => boolean;

/** Holds for everything. */
export function always(): boolean {
  return true;
}

/** Holds for nothing. */
export function never(): boolean {
  return false;
}

/** All hold; an empty list holds. Collapses what is known at load. */
export function all<T>(predicates: readonly Predicate<T>[]): Predicate<T> {
  const rest = predicates.filter((p) => p !== always);
  if (rest.includes(never)) return never;
  const [first, second] = rest;
  if (first === undefined) return always;
  if (second === undefined) return first;
  if (rest.length === 2) return (subject) => first(subject) && second(subject);
  return (subject) => {
    for (const predicate of rest) if (!predicate(subject)) return false;
    return true;
  };
}

/** Some hold; an empty list does not. */
export function any<T>(predicates: readonly Predicate<T>[]): Predicate<T> {
  const rest = predicates.filter((p) => p !== never);
  if (rest.includes(always)) return always;
  const [first, second] = rest;
  if (first === undefined) return never;
  if (second === undefined) return first;
  if (rest.length === 2) return (subject) => first(subject) || second(subject);
  return (subject) => {
    for (const predicate of rest) if (predicate(subject)) return true;
    return false;
  };
}

/** Does not hold. */
export function not<T>(predicate: Predicate<T>): Predicate<T> {
  if (predicate === always) return never;
  if (predicate === never) return always;
  return (subject) => !predicate(subject);
}
