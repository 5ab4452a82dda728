import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CheckRequest, CheckResponse__Output } from "../../src/proto/index.js";

/** A folder of configuration that goes with its test. */
export interface ConfigFolder {
  readonly path: string;
  /** Replaces a file as editors do: written beside, then renamed. */
  write(name: string, text: string): void;
  remove(): void;
}

/** Makes an empty folder for configuration. */
export function makeConfigFolder(): ConfigFolder {
  const path = mkdtempSync(join(tmpdir(), "gatehouse-config-"));
  return {
    path,
    write(name, text) {
      const draft = join(path, `.${name}.draft`);
      writeFileSync(draft, text);
      renameSync(draft, join(path, name));
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A mesh-wide policy that allows one path and so refuses all others. */
export function allowOnly(path: string, name = "only"): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: istio-system}
spec:
  rules:
    - to:
        - operation:
            paths: ["${path}"]
`;
}

/** Takes tokens of an issuer, found by discovery, and refuses whoever has none. */
export function tokensOf(issuer: string): string {
  return `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  jwtRules:
    - issuer: ${issuer}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: with-token, namespace: istio-system}
spec:
  rules:
    - from:
        - source:
            requestPrincipals: ["*"]
`;
}

/** A CheckRequest for a GET of a path. */
export function requestFor(path: string): CheckRequest {
  return {
    attributes: {
      source: { address: { socket_address: { address: "127.0.0.1", port_value: 40_000 } } },
      destination: { address: { socket_address: { address: "127.0.0.2", port_value: 80 } } },
      request: {
        http: { method: "GET", path, host: "shop.example", headers: { ":path": path, ":method": "GET" } },
      },
    },
  };
}

/** The HTTP status that Envoy would give for an answer; 200 when it lets the request go on. */
export function statusOf(response: CheckResponse__Output): number {
  if ((response.status?.code ?? 0) === 0) return 200;
  return Number(response.denied_response?.status?.code ?? 403);
}

/** The decision record's part of an answer. */
export function recordIn(response: CheckResponse__Output): Record<string, unknown> {
  const record = response.dynamic_metadata?.fields?.["gatehouse"]?.structValue?.fields ?? {};
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [
      key,
      value.stringValue ?? value.numberValue ?? value.boolValue,
    ]),
  );
}

/** Asks again until the answer is the wanted one; throws after `withinMs`. */
export async function eventually<T>(ask: () => Promise<T> | T, wanted: T, withinMs = 5000): Promise<void> {
  const end = Date.now() + withinMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      last = await ask();
    } catch (error) {
      last = error;
    }
    if (last === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`still ${String(last)} after ${withinMs} ms, expected ${String(wanted)}`);
}
