/** What a command takes from the process and gives to it. */
export interface Streams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly stdin: () => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Exit codes: fine; denied, invalid or failed; wrong usage. */
export const exit = { fine: 0, findings: 1, usage: 2 } as const;
/** One of `exit`. */
export type ExitCode = (typeof exit)[keyof typeof exit];
