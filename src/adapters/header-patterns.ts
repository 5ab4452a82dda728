/**
 * Istio's header patterns as one predicate of a lower-case name: `*suffix` (looked at first), `prefix*`, or
 * the whole name, in any case.
 */
export function compileHeaderPatterns(patterns: readonly string[]): (name: string) => boolean {
  const exact = new Set<string>();
  const tests: ((name: string) => boolean)[] = [];
  for (const written of patterns) {
    const pattern = written.toLowerCase();
    if (pattern.startsWith("*")) tests.push((name) => name.endsWith(pattern.slice(1)));
    else if (pattern.endsWith("*")) tests.push((name) => name.startsWith(pattern.slice(0, -1)));
    else exact.add(pattern);
  }
  return (name) => exact.has(name) || tests.some((test) => test(name));
}
