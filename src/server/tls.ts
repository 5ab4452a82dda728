import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import grpc from "@grpc/grpc-js";
import { GatehouseError } from "../diagnostics/index.js";

/** PEM files of the gRPC port. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** With it, callers must show a certificate that it signed. */
  readonly clientCaFile: string | undefined;
}

/** Credentials that change with their files, until they are closed. */
export interface RotatingTls {
  readonly credentials: grpc.ServerCredentials;
  close(): void;
}

interface RotationOptions {
  /** How often the files are looked at, in milliseconds. */
  readonly pollMs?: number;
  readonly onRotated: () => void;
  /**
   * The files changed but do not fit together; the old ones stay in use. Said once for each state of the
   * files.
   */
  readonly onFailed: (error: unknown) => void;
}

interface Material {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

/**
 * Server credentials that follow their files: new connections get the new certificate, open ones keep theirs.
 * Files are polled, not watched, since secrets are mounted through symbolic links that watchers lose. A
 * half-written or mismatched set is never used. Throws `tls` when the files cannot be used at the start.
 */
export function createRotatingTls(files: TlsFiles, options: RotationOptions): RotatingTls {
  let seen = fingerprint(files);
  let material = loadOrThrow(files);
  const provider = createProvider(() => material);
  const timer = setInterval(() => {
    const now = fingerprint(files);
    if (now === seen) return;
    seen = now;
    try {
      material = load(files);
      provider.publish();
      options.onRotated();
    } catch (error) {
      options.onFailed(error);
    }
  }, options.pollMs ?? 1000);
  timer.unref();
  const verify = files.clientCaFile !== undefined;
  return {
    // grpc-js 1.14 takes the identity's provider first and the authorities' second, null for "ask for no
    // certificate", whatever the names in its typings say.
    credentials: grpc.experimental.createCertificateProviderServerCredentials(
      provider,
      verify ? provider : (null as unknown as Provider),
      verify,
    ),
    close: () => clearInterval(timer),
  };
}

function loadOrThrow(files: TlsFiles): Material {
  try {
    return load(files);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replaceAll("\n", " ") : "unknown error";
    throw new GatehouseError("tls", `cannot use the certificate \`${files.certFile}\`: ${why}`, { cause });
  }
}

/** Reads all files and proves that key and certificates fit together. */
function load(files: TlsFiles): Material {
  const cert = readFileSync(files.certFile);
  const key = readFileSync(files.keyFile);
  const ca = files.clientCaFile === undefined ? undefined : readFileSync(files.clientCaFile);
  if (ca !== undefined && !ca.includes("-----BEGIN")) throw new Error("the client CA is not PEM");
  createSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) });
  return { cert, key, ca };
}

function fingerprint(files: TlsFiles): string {
  return [files.certFile, files.keyFile, files.clientCaFile]
    .map((file) => {
      const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
      return stat === undefined ? "-" : `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
    })
    .join(" ");
}

type Provider = grpc.experimental.CertificateProvider & { publish(): void };

/** Listeners are told in the next tick, because grpc-js registers itself only after it added them. */
function createProvider(current: () => Material): Provider {
  const identity = new Set<grpc.experimental.IdentityCertificateUpdateListener>();
  const authorities = new Set<grpc.experimental.CaCertificateUpdateListener>();
  const tellIdentity = (listener: grpc.experimental.IdentityCertificateUpdateListener): void =>
    listener({ certificate: current().cert, privateKey: current().key });
  const tellCa = (listener: grpc.experimental.CaCertificateUpdateListener): void => {
    const { ca } = current();
    listener(ca === undefined ? null : { caCertificate: ca });
  };
  return {
    addIdentityCertificateListener(listener) {
      identity.add(listener);
      process.nextTick(tellIdentity, listener);
    },
    removeIdentityCertificateListener: (listener) => void identity.delete(listener),
    addCaCertificateListener(listener) {
      authorities.add(listener);
      process.nextTick(tellCa, listener);
    },
    removeCaCertificateListener: (listener) => void authorities.delete(listener),
    publish() {
      for (const listener of authorities) tellCa(listener);
      for (const listener of identity) tellIdentity(listener);
    },
  };
}
