import { randomUUID } from "node:crypto";
import type { Attributes } from "../../src/attributes/index.js";
import { check, type Decision, type Snapshot } from "../../src/engine/index.js";
import { createResponseEncoder } from "../../src/envoy/ext-authz/encode.js";
import { createAuthorization, createRequestReader } from "../../src/envoy/index.js";
import { loadProtos } from "../../src/server/protos.js";
import { benchRequest, type RequestVariant } from "../request.js";
import type { Stage } from "./measure.js";
import { benchSnapshot } from "./snapshot.js";

const protos = loadProtos();
const ports = { decisionId: randomUUID, wallClock: Date.now };
const none = new Uint8Array();

const variants: readonly (readonly [name: string, variant: RequestVariant])[] = [
  ["header_map", { headers: "raw", certificate: false }],
  ["headers", { headers: "joined", certificate: false }],
  ["header_map + certificate", { headers: "raw", certificate: true }],
];

function bytesOf(variant: RequestVariant): Buffer {
  return protos.check.requestSerialize(benchRequest(variant));
}

/** Bytes → CheckRequest. */
export function decodeStages(): Stage[] {
  return variants.map(([name, variant]) => {
    const bytes = bytesOf(variant);
    return { name: `decode, ${name}`, run: () => protos.check.requestDeserialize(bytes) };
  });
}

/** CheckRequest → Attributes; the certificate is one that was seen before. */
export async function attributeStages(): Promise<Stage[]> {
  const { mesh } = await benchSnapshot({ applicable: 0, loaded: 0 });
  return variants.map(([name, variant]) => {
    const request = protos.check.requestDeserialize(bytesOf(variant));
    const read = createRequestReader();
    return { name: `attributes, ${name}`, run: () => read(request, mesh) };
  });
}

const counts = [
  { applicable: 0, loaded: 0 },
  { applicable: 1, loaded: 1 },
  { applicable: 10, loaded: 10 },
  { applicable: 10, loaded: 1_000 },
  { applicable: 100, loaded: 100 },
  { applicable: 1_000, loaded: 1_000 },
] as const;

/** Attributes → Decision: selection of what applies, all matching, and the decision's id. */
export async function authorizeStages(): Promise<Stage[]> {
  const stages: Stage[] = [];
  for (const { applicable, loaded } of counts) {
    const snapshot = await benchSnapshot({ applicable, loaded });
    for (const certificate of [false, true]) {
      const attributes = attributesOf(snapshot, { headers: "raw", certificate });
      expectAllowed(decide(snapshot, attributes));
      const name = `authorize, ${applicable} of ${loaded} apply${certificate ? ", certificate" : ""}`;
      stages.push({ name, run: () => decide(snapshot, attributes) });
    }
  }
  return stages;
}

/** Decision → CheckResponse → bytes. */
export async function encodeStages(): Promise<Stage[]> {
  const allowing = await benchSnapshot({ applicable: 10, loaded: 10 });
  const attributes = attributesOf(allowing, { headers: "raw", certificate: false });
  const allowed = decide(allowing, attributes);
  const denied = decide(allowing, { ...attributes, request: undefined });
  const encode = createResponseEncoder(protos.check.responseSerialize);
  // Edits differ from request to request, so such an answer is encoded from its message each time.
  const edited = { ...allowed, edits: { ...allowed.edits } };
  return [
    { name: "encode, allowed", run: () => encode(allowed) },
    { name: "encode, denied", run: () => encode(denied) },
    { name: "encode, with edits", run: () => encode(edited) },
  ];
}

/** Bytes → bytes, all of the above with ten policies, without observers and transport. */
export async function wholeStages(): Promise<Stage[]> {
  const snapshot = await benchSnapshot({ applicable: 10, loaded: 10 });
  const service = createAuthorization({
    current: () => snapshot,
    ...ports,
    encode: protos.check.responseSerialize,
    now: () => performance.now(),
    observe: () => {},
    onError: (error) => {
      throw error;
    },
  });
  return variants.map(([name, variant]) => {
    const bytes = bytesOf(variant);
    return {
      name: `whole check, ${name}`,
      run: () => service.check(protos.check.requestDeserialize(bytes), bytes),
    };
  });
}

function attributesOf(snapshot: Snapshot, variant: RequestVariant): Attributes {
  return createRequestReader()(protos.check.requestDeserialize(bytesOf(variant)), snapshot.mesh);
}

function decide(snapshot: Snapshot, attributes: Attributes): Decision {
  const decision = check(snapshot, attributes, none, ports);
  if (decision instanceof Promise) throw new Error("a provider was asked");
  return decision;
}

function expectAllowed(decision: Decision): void {
  if (!decision.allowed) throw new Error(`the benchmark's request is refused: ${decision.reason}`);
}
