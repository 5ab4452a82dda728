import { codes, type Finding, showNamed } from "../diagnostics/index.js";
import { compositeOf, duplicateOf } from "./check-descriptors.js";
import { findingAt } from "./check-keys.js";
import type { RateLimitFile, RateLimitSettings } from "./model.js";

/** A file by the name that people know it by. */
export interface NamedFile {
  readonly name: string;
  readonly file: RateLimitFile;
}

/** What is wrong with one file because of an earlier one. */
export interface Clash {
  /** Index of the later of the two. */
  readonly file: number;
  readonly finding: Finding;
}

/**
 * Says which files cannot be loaded together: each alone is valid. The peer takes them in a random order and
 * names either; here the later one in the list is at fault.
 */
export function findClashes(
  files: readonly NamedFile[],
  { mergeDomains }: Pick<RateLimitSettings, "mergeDomains">,
): readonly Clash[] {
  const clashes: Clash[] = [];
  const domains = new Map<string, { owner: string; composites: Map<string, string> }>();
  for (const [index, { name, file }] of files.entries()) {
    const earlier = domains.get(file.domain);
    if (earlier === undefined) {
      const composites = new Map(file.descriptors.map((descriptor) => [compositeOf(descriptor), name]));
      domains.set(file.domain, { owner: name, composites });
    } else if (mergeDomains) {
      const tell = (finding: Finding): void => void clashes.push({ file: index, finding });
      mergeInto(earlier.composites, { name, file }, tell);
    } else {
      const message = `${showNamed("duplicate domain", file.domain)}, already that of ${earlier.owner}`;
      const place = file.domainPlace ?? { line: 1, column: 1 };
      clashes.push({ file: index, finding: findingAt(codes.rateLimitDomain, place, message) });
    }
  }
  return clashes;
}

function mergeInto(
  composites: Map<string, string>,
  { name, file }: NamedFile,
  tell: (finding: Finding) => void,
): void {
  for (const descriptor of file.descriptors) {
    const composite = compositeOf(descriptor);
    const owner = composites.get(composite);
    if (owner === undefined) composites.set(composite, name);
    else {
      const message = `${duplicateOf(`${file.domain}.${composite}`)}, already in ${owner}`;
      tell(findingAt(codes.rateLimitDuplicate, descriptor, message));
    }
  }
}
