import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type KeyPair,
  makeAuthority,
  spiffe,
  writeServerCertificates,
} from "../test/support/certificates.js";
import { type Envoy, startEnvoy } from "../test/support/envoy.js";
import { preferPort } from "../test/support/ports.js";
import { startUpstream } from "../test/support/upstream.js";
import { logToFile } from "./access-log.js";
import { createApiKey, type Gatehouse, startGatehouse } from "./gatehouse.js";
import { JWKS_URI, type Login, startLogin } from "./login.js";
import { ANSWERS } from "./requests.js";

/** Everything that the demo runs, on the documented ports where these are free. */
export interface Stage {
  readonly gatehouse: Gatehouse;
  readonly plain: Envoy;
  readonly mtls: Envoy;
  /** Plain HTTP, with ext_proc behind the authorization. */
  readonly bodies: Envoy;
  /** The CA's certificate, PEM. */
  readonly ca: string;
  /** By NAMESPACE/SERVICE_ACCOUNT. */
  readonly clients: ReadonlyMap<string, KeyPair>;
  /** Tokens and API keys, by the names that stand in the demo's requests. */
  readonly credentials: ReadonlyMap<string, string>;
  /** What Gatehouse loads: `policies/demo`, or a copy of it. */
  readonly policies: string;
  /** Holds the certificates and the access log. */
  readonly folder: string;
  readonly accessLog: string;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const POLICIES = join(ROOT, "policies/demo");

/** The demo's policies as they are, or a copy that knows where the login service is if its port was taken. */
async function policiesFor({ jwksUri }: Login, folder: string): Promise<string> {
  if (jwksUri === JWKS_URI) return POLICIES;
  const copy = join(folder, "policies");
  await cp(POLICIES, copy, { recursive: true });
  const file = join(copy, "account.yaml");
  await writeFile(file, (await readFile(file, "utf8")).replace(JWKS_URI, jwksUri));
  return copy;
}

/**
 * Starts upstream, login service, Gatehouse and an Envoy for each of plain HTTP, mutual TLS and bodies, with a certificate
 * per client.
 */
export async function setStage(clientNames: readonly string[]): Promise<Stage> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "gatehouse-demo-"));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    const authority = makeAuthority("Gatehouse demo CA");
    await writeServerCertificates(folder, authority, { ...spiffe("bookshop", "books"), dns: ["localhost"] });
    const clients = new Map<string, KeyPair>();
    for (const name of clientNames) {
      const [namespace = "", account = ""] = name.split("/");
      const pair = authority.issue(spiffe(namespace, account));
      clients.set(name, pair);
      await writeFile(join(folder, `certs/${namespace}-${account}.pem`), pair.cert);
      await writeFile(join(folder, `certs/${namespace}-${account}-key.pem`), pair.key, { mode: 0o600 });
    }

    const upstream = await startUpstream(await preferPort(8080), ANSWERS);
    undo.push(upstream.stop);
    const login = await startLogin(await preferPort(Number(new URL(JWKS_URI).port)));
    undo.push(login.stop);
    const policies = await policiesFor(login, folder);
    const keysFile = join(folder, "api-keys.yaml");
    const credentials = new Map([...login.tokens, ["key of acme", await createApiKey(keysFile, "acme")]]);
    const gatehouse = await startGatehouse({
      config: [policies, keysFile],
      grpcPort: await preferPort(9191),
      adminPort: await preferPort(8282),
    });
    undo.push(gatehouse.child.stop);
    const accessLog = join(folder, "access.log");
    const common = {
      clusters: { gatehouse: gatehouse.grpcPort, upstream: upstream.port },
      edit: (bootstrap: Record<string, unknown>) => logToFile(bootstrap, accessLog),
      cwd: folder,
    };
    const plain = await startEnvoy({
      ...common,
      bootstrap: join(ROOT, "envoy/ratelimit.yaml"),
      listeners: { http: await preferPort(10000) },
      adminPort: await preferPort(9901),
    });
    undo.push(plain.stop);
    const mtls = await startEnvoy({
      ...common,
      bootstrap: join(ROOT, "envoy/mtls.yaml"),
      listeners: { https: await preferPort(10443) },
    });
    undo.push(mtls.stop);
    const bodies = await startEnvoy({
      ...common,
      bootstrap: join(ROOT, "envoy/bodies.yaml"),
      listeners: { http: await preferPort(10001) },
    });
    undo.push(bodies.stop);
    const ca = authority.cert;
    return { gatehouse, plain, mtls, bodies, ca, clients, credentials, policies, folder, accessLog, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
