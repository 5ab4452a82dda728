import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../src/server/address.js";
import { refuseUnlisted } from "../../src/server/allow-client.js";
import { createTransport } from "../../src/server/grpc.js";
import { loadProtos } from "../../src/server/protos.js";
import { createRotatingTls, type TlsFiles } from "../../src/server/tls.js";
import { type Authority, type KeyPair, makeAuthority, spiffe } from "../support/certificates.js";
import { checkOver } from "../support/grpc-client.js";
import { noAccessLog } from "../support/no-access-log.js";
import { noExtProc } from "../support/no-ext-proc.js";
import { noRateLimitService } from "../support/no-rate-limits.js";

const POLL_MS = 20;
const allowed = loadProtos().check.responseSerialize({ status: { code: 0 } });
const refused = loadProtos().check.responseSerialize({ status: { code: grpc.status.PERMISSION_DENIED } });
const serverName = { commonName: "gatehouse", dns: ["localhost"] };
const envoy = "spiffe://cluster.local/ns/mesh/sa/envoy";

let folder: string;
let authority: Authority;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-"));
  authority = makeAuthority();
  write(authority.issue(serverName), authority);
  cleanups.push(() => rmSync(folder, { recursive: true }));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function write(pair: KeyPair, ca: Authority): void {
  for (const [name, text] of [
    ["cert.pem", pair.cert],
    ["key.pem", pair.key],
    ["ca.pem", ca.cert],
  ] as const) {
    writeFileSync(join(folder, `${name}.new`), text);
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
}

function files(clientCa: boolean): TlsFiles {
  return {
    certFile: join(folder, "cert.pem"),
    keyFile: join(folder, "key.pem"),
    clientCaFile: clientCa ? join(folder, "ca.pem") : undefined,
  };
}

interface Events {
  readonly rotated: Promise<void>;
  readonly failed: Promise<void>;
}

async function serve(
  clientCa: boolean,
  allow?: readonly string[],
): Promise<[address: string, events: Events]> {
  const rotated = later();
  const failed = later();
  const tls = createRotatingTls(files(clientCa), {
    pollMs: POLL_MS,
    onRotated: rotated.resolve,
    onFailed: () => failed.resolve(),
  });
  const transport = createTransport({
    authorization: { check: () => allowed, refuse: () => refused },
    rateLimit: noRateLimitService,
    accessLog: noAccessLog,
    extProc: noExtProc,
    credentials: tls.credentials,
    refusePeer: allow === undefined ? undefined : refuseUnlisted(allow),
    maxMessageBytes: 4_194_304,
    reflection: false,
    onError: () => {},
  });
  cleanups.push(tls.close, () => transport.drain(0));
  const address = formatAddress(await transport.listen(parseAddress("127.0.0.1:0")));
  return [address, { rotated: rotated.promise, failed: failed.promise }];
}

function later(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function client(trusted: Authority, pair?: KeyPair): grpc.ChannelCredentials {
  const [key, cert] = pair === undefined ? [null, null] : [Buffer.from(pair.key), Buffer.from(pair.cert)];
  return grpc.credentials.createSsl(Buffer.from(trusted.cert), key, cert);
}

async function codeOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
    return grpc.status.OK;
  } catch (error) {
    return (error as grpc.ServiceError).code;
  }
}

const ask = (address: string, credentials?: grpc.ChannelCredentials): Promise<number> =>
  codeOf(checkOver(address, {}, credentials));

describe("TLS on the gRPC port", () => {
  it("answers a client that trusts the authority, and nobody without TLS", async () => {
    const [address] = await serve(false);
    expect(await ask(address, client(authority))).toBe(grpc.status.OK);
    expect(await ask(address, client(makeAuthority("someone else")))).toBe(grpc.status.UNAVAILABLE);
    expect(await ask(address)).toBe(grpc.status.UNAVAILABLE);
  });

  it("refuses the connection of a client without a certificate or with one of another authority", async () => {
    const [address] = await serve(true);
    const stranger = makeAuthority("someone else").issue(spiffe("mesh", "envoy"));
    expect(await ask(address, client(authority, authority.issue(spiffe("mesh", "envoy"))))).toBe(
      grpc.status.OK,
    );
    expect(await ask(address, client(authority))).toBe(grpc.status.UNAVAILABLE);
    expect(await ask(address, client(authority, stranger))).toBe(grpc.status.UNAVAILABLE);
  });

  it("refuses the calls of a client whose certificate has no allowed name", async () => {
    const [address] = await serve(true, [envoy, "edge.example.com"]);
    const as = async (subject: Parameters<Authority["issue"]>[0]): Promise<"answered" | "refused"> => {
      const response = await checkOver(address, {}, client(authority, authority.issue(subject)));
      return response.status?.code === grpc.status.PERMISSION_DENIED ? "refused" : "answered";
    };
    expect(await as(spiffe("mesh", "envoy"))).toBe("answered");
    expect(await as({ dns: ["other", "edge.example.com"] })).toBe("answered");
    expect(await as(spiffe("mesh", "intruder"))).toBe("refused");
    expect(await as({ commonName: envoy })).toBe("refused");
    expect(await as({ dns: [envoy] })).toBe("answered");
    expect(await as({ uris: [`${envoy}, URI:${envoy}`] })).toBe("refused");
  });

  it("gives new connections the new certificate when the files change", async () => {
    const [address, { rotated }] = await serve(false);
    const next = makeAuthority("next");
    expect(await ask(address, client(next))).toBe(grpc.status.UNAVAILABLE);
    write(next.issue(serverName), next);
    await rotated;
    expect(await ask(address, client(next))).toBe(grpc.status.OK);
    expect(await ask(address, client(authority))).toBe(grpc.status.UNAVAILABLE);
  });

  it("follows the client authorities too", async () => {
    const [address, { rotated }] = await serve(true);
    const next = makeAuthority("next");
    const pair = next.issue(spiffe("mesh", "envoy"));
    write(next.issue(serverName), next);
    await rotated;
    expect(await ask(address, client(next, pair))).toBe(grpc.status.OK);
    expect(await ask(address, client(next, authority.issue(spiffe("mesh", "envoy"))))).toBe(
      grpc.status.UNAVAILABLE,
    );
  });

  it("keeps the old certificate while key and certificate do not fit, and takes the pair when they do", async () => {
    const [address, { rotated, failed }] = await serve(false);
    const next = makeAuthority("next");
    const pair = next.issue(serverName);
    writeFileSync(join(folder, "cert.pem"), pair.cert);
    await failed;
    expect(await ask(address, client(authority))).toBe(grpc.status.OK);
    writeFileSync(join(folder, "key.pem"), pair.key);
    await rotated;
    expect(await ask(address, client(next))).toBe(grpc.status.OK);
  });

  it.each([
    ["the certificate is missing", (): void => rmSync(join(folder, "cert.pem"))],
    [
      "the key is of another certificate",
      (): void => writeFileSync(join(folder, "key.pem"), makeAuthority().issue(serverName).key),
    ],
    ["the client authorities are no PEM", (): void => writeFileSync(join(folder, "ca.pem"), "nothing")],
  ])("does not start when %s", (_why, spoil) => {
    spoil();
    const start = (): unknown => createRotatingTls(files(true), { onRotated: () => {}, onFailed: () => {} });
    expect(start).toThrow(expect.objectContaining({ code: "tls" }));
  });
});
