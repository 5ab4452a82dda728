import { Buffer } from "node:buffer";
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  timingSafeEqual,
} from "node:crypto";
import {
  type JsonObject,
  type JsonValue,
  member,
  type RequestAuth,
  type Workload,
} from "../attributes/index.js";
import type { Decision } from "../engine/index.js";

/** What of a decision goes over to ext_proc beside the record. */
export interface Carried {
  /** 8 hexadecimal digits that say when (seconds since the epoch), 22 characters of base64url of a keyed SHA3-256. */
  readonly mac: string;
  /**
   * Empty: not asked for, or too long; `-`: the caller showed none; else the sealed payload of the verified token,
   * base64url.
   */
  readonly identity: string;
}

/** A decision that came over: of a request that was let go on. */
export interface CarriedOver {
  readonly decisionId: string;
  readonly obligations: readonly string[];
  /** What quotas took, by quota. */
  readonly charged: ReadonlyMap<string, number>;
  /** `unknown`: it did not come along. */
  readonly auth: RequestAuth | undefined | "unknown";
}

type Headers = ReadonlyMap<string, readonly string[]>;

/** How ext_authz's decisions get to ext_proc: by metadata, which other filters can write, too. */
export interface Handover {
  /**
   * What to write beside the record; `identity`: who calls has to come along, if there is room. Undefined: nothing goes
   * over, since the request is refused or has no `x-request-id`.
   */
  carry(decision: Decision, identity: boolean): Carried | undefined;
  /**
   * The decision in ext_authz's metadata, of the request that has these headers and goes to this workload. Undefined:
   * there is none, or it is not ours, of another request, of another time, changed, or made by the policies of another
   * workload: the route may have been chosen anew in between.
   */
  accept(
    metadata: JsonObject | undefined,
    headers: Headers,
    workload: Workload | undefined,
  ): CarriedOver | undefined;
}

/** Where the sealed identity stands: beside the record, which it would make too long. */
export const identityKey = "gatehouse_identity";

/** Bytes of a token's payload as JSON. */
const maxIdentity = 2048;
/**
 * So long a decision may be under way to ext_proc, and so far may clocks of one group differ. Filters between the two may
 * wait for a whole body.
 */
const maxAgeSeconds = 300;
const timeDigits = 8;
/** 132 bits. */
const macDigits = 22;
const tagBytes = 16;
/** Each decision has a key of its own, so it needs no nonce. */
const nonce = Buffer.alloc(12);
const nobody = "-";

/** What a handover is made with. */
export interface HandoverOptions {
  /** The group's record key, 32 bytes or more. */
  readonly key: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
}

/** Of one group: all that have its key take over each other's decisions. */
export function createHandover({ key, wallClock }: HandoverOptions): Handover {
  const macKey = derive(key, "gatehouse handover mac").toString("hex");
  const sealKey = createSecretKey(derive(key, "gatehouse handover identity"));

  const seconds = (): number => Math.floor(wallClock() / 1000);

  /**
   * Of the whole message: nobody can move a character from one part to the next. Every check that allows makes one, so it is
   * one call: SHA-3 is a MAC where the key stands in front, and an `Hmac`, an object to make and to collect, takes three
   * times as long (measured).
   */
  function macOf(issued: number, parts: readonly string[]): string {
    let message = `${macKey}${issued}`;
    for (const part of parts) message += `:${part.length}:${part}`;
    const digest = hash("sha3-256", message, "base64url");
    return issued.toString(16).padStart(timeDigits, "0") + digest.slice(0, macDigits);
  }

  function keyOf(decisionId: string): Buffer {
    return createHmac("sha256", sealKey).update(decisionId).digest();
  }

  function seal(auth: RequestAuth | undefined, decisionId: string): string {
    if (auth === undefined) return nobody;
    const payload = Buffer.from(JSON.stringify(auth.payload));
    if (payload.length > maxIdentity) return "";
    const cipher = createCipheriv("aes-256-gcm", keyOf(decisionId), nonce);
    cipher.setAAD(Buffer.from(decisionId));
    return Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]).toString("base64url");
  }

  /** Throws where it was not sealed by us for this decision. */
  function unseal(identity: string, decisionId: string): RequestAuth | undefined {
    if (identity === nobody) return undefined;
    const bytes = Buffer.from(identity, "base64url");
    const decipher = createDecipheriv("aes-256-gcm", keyOf(decisionId), nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(decisionId));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    const payload = Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]);
    return { payload: JSON.parse(payload.toString("utf8")) as JsonObject };
  }

  return {
    carry(decision, wantsIdentity) {
      const { allowed, attributes, decisionId, obligations, quota, workload } = decision;
      const requestId = requestIdOf(attributes?.request?.headers);
      if (!allowed || requestId === undefined) return undefined;
      const identity = wantsIdentity ? seal(attributes?.auth, decisionId) : "";
      const costs = quota.facts.map(({ quota: name, cost }) => [name, cost] as const);
      const told = { decisionId, requestId, workload: keyOfWorkload(workload), identity, obligations, costs };
      return { mac: macOf(seconds(), partsOf(told)), identity };
    },
    accept(metadata, headers, workload) {
      const requestId = requestIdOf(headers);
      const record = metadata && objectOf(member(metadata, "gatehouse"));
      if (requestId === undefined || metadata === undefined || record === undefined) return undefined;
      const decisionId = textOf(member(metadata, "decision_id"));
      const identity = textOf(member(metadata, identityKey) ?? "");
      const mac = textOf(member(record, "mac"));
      const obligations = textsOf(member(record, "obligations") ?? []);
      const costs = costsOf(member(record, "quota") ?? []);
      if (member(record, "allowed") !== true || decisionId === undefined || identity === undefined) {
        return undefined;
      }
      if (mac === undefined || obligations === undefined || costs === undefined) return undefined;
      const told = { decisionId, requestId, workload: keyOfWorkload(workload), identity, obligations, costs };
      const issued = issuedAt(mac);
      if (Math.abs(seconds() - issued) > maxAgeSeconds) return undefined;
      if (!isSame(mac, macOf(issued, partsOf(told)))) return undefined;
      const auth = identity === "" ? "unknown" : unseal(identity, decisionId);
      return { decisionId, obligations, charged: sumOf(costs), auth };
    },
  };
}

type Costs = readonly (readonly [quota: string, cost: number])[];

/** What the MAC vouches for. */
interface Told {
  readonly decisionId: string;
  readonly requestId: string;
  readonly workload: string;
  readonly identity: string;
  readonly obligations: readonly string[];
  readonly costs: Costs;
}

/** Their number stands before what there may be several of. */
function partsOf(told: Told): readonly string[] {
  const { decisionId, requestId, workload, identity, obligations, costs } = told;
  return [
    "3",
    decisionId,
    requestId,
    "allowed",
    workload,
    identity,
    String(obligations.length),
    ...obligations,
    ...costs.flatMap(([quota, cost]) => [quota, String(cost)]),
  ];
}

const workloadKeys = new WeakMap<Workload, string>();

/** All by which policies are selected; the same for equal workloads, from wherever they are known. */
function keyOfWorkload(workload: Workload | undefined): string {
  if (workload === undefined) return "";
  let key = workloadKeys.get(workload);
  if (key === undefined) {
    const { namespace, name, type, labels, services } = workload;
    const served = services.map((service) => [service.namespace, service.name, service.host]);
    const sorted = [...labels].sort(([one], [other]) => (one < other ? -1 : 1));
    key = JSON.stringify([namespace, name, type, sorted, served]);
    workloadKeys.set(workload, key);
  }
  return key;
}

function derive(key: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "", purpose, 32));
}

/** Envoy's connection manager makes one for each request that has none. */
function requestIdOf(headers: Headers | undefined): string | undefined {
  const id = headers?.get("x-request-id")?.join(",");
  return id === "" ? undefined : id;
}

/** Of something that is no MAC: long ago. */
function issuedAt(mac: string): number {
  const digits = mac.slice(0, timeDigits);
  return /^[0-9a-f]+$/.test(digits) ? Number.parseInt(digits, 16) : 0;
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function sumOf(costs: Costs): ReadonlyMap<string, number> {
  const sum = new Map<string, number>();
  for (const [quota, cost] of costs) sum.set(quota, (sum.get(quota) ?? 0) + cost);
  return sum;
}

function objectOf(value: JsonValue | undefined): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function textsOf(value: JsonValue): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.every((item) => typeof item === "string") ? value : undefined;
}

function costsOf(value: JsonValue): Costs | undefined {
  if (!Array.isArray(value)) return undefined;
  const costs: (readonly [string, number])[] = [];
  for (const item of value as readonly JsonValue[]) {
    const fact = objectOf(item);
    const [quota, cost] = [fact && member(fact, "quota"), fact && member(fact, "cost")];
    if (typeof quota !== "string" || typeof cost !== "number") return undefined;
    costs.push([quota, cost]);
  }
  return costs;
}
