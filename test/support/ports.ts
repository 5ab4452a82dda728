import { createServer } from "node:net";

/** The same port when nobody listens on it, else 0, which every server here takes as "any free port". */
export async function preferPort(port: number, host: string = "127.0.0.1"): Promise<number> {
  return (await tryListen(port, host)) ?? 0;
}

/** A port that was free a moment ago. Prefer port 0 where a server can say which port it got. */
export async function freePort(host: string = "127.0.0.1"): Promise<number> {
  const port = await tryListen(0, host);
  if (port === undefined) throw new Error(`no free port on \`${host}\``);
  return port;
}

function tryListen(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(undefined));
    probe.listen({ port, host, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : undefined));
    });
  });
}
