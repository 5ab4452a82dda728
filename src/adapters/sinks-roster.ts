/** What is known by a name, and goes when its name does. */
export interface Member {
  readonly close: (deadlineMs: number) => Promise<void>;
}

/** Members by name, each made of a specification. */
export interface Roster<Spec extends { readonly name: string }, M extends Member> {
  readonly get: (name: string) => M | undefined;
  readonly all: () => Iterable<M>;
  /** Keeps those whose specification says the same, opens the new, closes the others in the background. */
  readonly configure: (specs: readonly Spec[]) => void;
  /** Those too that `configure` has closed. Nothing is opened afterwards. */
  readonly close: (deadlineMs: number) => Promise<void>;
}

/** Time for what a member has queued when it goes. */
const leaveMs = 5000;

/** An empty one. */
export function createRoster<Spec extends { readonly name: string }, M extends Member>(
  open: (spec: Spec) => M,
): Roster<Spec, M> {
  const members = new Map<string, { readonly said: string; readonly member: M }>();
  const leaving = new Set<Promise<void>>();
  let isClosed = false;

  const leave = (member: M, deadlineMs: number): void => {
    const left: Promise<void> = member.close(deadlineMs).finally(() => leaving.delete(left));
    leaving.add(left);
  };

  return {
    get: (name) => members.get(name)?.member,
    *all() {
      for (const { member } of members.values()) yield member;
    },
    configure(specs) {
      if (isClosed) return;
      const wanted = new Map(specs.map((spec) => [spec.name, spec]));
      for (const [name, { said, member }] of members) {
        const spec = wanted.get(name);
        if (spec !== undefined && JSON.stringify(spec) === said) continue;
        members.delete(name);
        leave(member, leaveMs);
      }
      for (const [name, spec] of wanted) {
        if (!members.has(name)) members.set(name, { said: JSON.stringify(spec), member: open(spec) });
      }
    },
    async close(deadlineMs) {
      isClosed = true;
      for (const { member } of members.values()) leave(member, deadlineMs);
      members.clear();
      await Promise.all(leaving);
    },
  };
}
