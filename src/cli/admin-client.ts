import { readFileSync } from "node:fs";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { GatehouseError } from "../diagnostics/index.js";
import { parseAddress } from "../server/index.js";

/** A running server's admin address, as a command is told of it. */
export interface AdminTarget {
  /** `HOST:PORT` or `unix:/PATH`. */
  readonly address: string;
  /** Undefined: it asks for none. */
  readonly tokenFile: string | undefined;
  /** For the whole answer; 5000 when left out. */
  readonly deadlineMs?: number;
  /** Of the answer's body; 1 MiB when left out. */
  readonly maxBytes?: number;
}

/** What an admin page said. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

const MAX_BYTES = 1_048_576;

/** Asks an admin page. Rejects with `http` when no whole answer comes in time, `bad_address` or `bad_flag`. */
export async function askAdmin(
  { address: text, tokenFile, deadlineMs = 5000, maxBytes = MAX_BYTES }: AdminTarget,
  method: "GET" | "POST",
  path: string,
): Promise<AdminAnswer> {
  const address = parseAddress(text);
  const signal = AbortSignal.timeout(deadlineMs);
  const where =
    address.kind === "unix" ? { socketPath: address.path } : { host: address.host, port: address.port };
  const headers = {
    ...(address.kind === "unix" && { host: "localhost" }),
    ...(tokenFile !== undefined && { authorization: `Bearer ${readToken(tokenFile)}` }),
  };
  const failed = (cause: unknown): GatehouseError =>
    new GatehouseError("http", `no answer from the admin address \`${text}\`: ${reasonOf(cause, signal)}`, {
      cause,
    });
  let request: ClientRequest;
  try {
    request = httpRequest({ ...where, method, path, headers, agent: false, signal });
  } catch (cause) {
    // A token with a line break in it cannot be sent.
    throw failed(cause);
  }
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve).once("error", reject).end();
    });
    return { status: response.statusCode ?? 0, body: await bodyOf(response, maxBytes) };
  } catch (cause) {
    throw failed(cause);
  } finally {
    request.destroy();
  }
}

async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new GatehouseError("http", `more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(cause: unknown, signal: AbortSignal): string {
  if (signal.aborted) return "it did not come in time";
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  return cause instanceof GatehouseError ? cause.message : (code ?? message ?? String(cause));
}

function readToken(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read the admin token file \`${file}\``, { cause });
  }
}
