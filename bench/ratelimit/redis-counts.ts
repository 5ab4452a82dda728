import { Redis } from "ioredis";

/** What a Redis has been asked since it started. */
export interface RedisCounts {
  /** Scripts that clients sent. */
  readonly scripts: number;
  /** Commands on counters, whether a client sent them or a script ran them. */
  readonly commands: number;
  /** Times that it read from a connection: what came together counts once. */
  readonly reads: number;
}

/** Asks a Redis for its counts. */
export interface CountsReader {
  read(): Promise<RedisCounts>;
  close(): void;
}

/** Its own questions count, too: one each time. */
export function createCountsReader(port: number): CountsReader {
  const client = new Redis({ port, host: "127.0.0.1" });
  return {
    read: async () => {
      const text = await client.info("everything");
      const number = (name: string): number =>
        Number(new RegExp(`^${name}:(\\d+)`, "m").exec(text)?.[1] ?? 0);
      const calls = (name: string): number =>
        Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m").exec(text)?.[1] ?? 0);
      const all = (...names: string[]): number => names.reduce((sum, name) => sum + calls(name), 0);
      return {
        scripts: all("evalsha", "eval"),
        commands: all("incrby", "expire", "get", "set", "exists"),
        reads: number("total_reads_processed"),
      };
    },
    close: () => client.disconnect(),
  };
}
