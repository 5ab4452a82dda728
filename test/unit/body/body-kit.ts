import { Buffer } from "node:buffer";
import type { Attributes } from "../../../src/attributes/index.js";
import {
  type BodyInput,
  type BodyPlanPorts,
  type BodyRefusal,
  type BodyRun,
  compileBodyPolicy,
  completeBodyPolicy,
  createBodyPlan,
  type LastStep,
  parseBodyPolicy,
} from "../../../src/body/index.js";
import type { Parsed, ResourceDocument } from "../../../src/documents/index.js";
import { aRequest } from "../../support/request.js";

/** A BodyPolicy document with this spec. */
export function aDocument(spec: unknown, name = "orders"): ResourceDocument {
  const apiVersion = "gatehouse.dev/v1alpha1";
  return { apiVersion, kind: "BodyPolicy", name, namespace: "shop", annotations: new Map(), spec };
}

/** Findings as `CODE PATH`. */
export function said({ findings }: Parsed<unknown>): string[] {
  return findings.map(({ code, path }) => `${code.code} ${path.join(".")}`);
}

/** What is said of a spec. */
export function findingsOf(spec: unknown): string[] {
  return said(parseBodyPolicy(aDocument(spec)));
}

type Spec = Readonly<Record<string, unknown>>;

/** The plan of these specs, named `a`, `b` …; files by their text. */
export function aPlan(
  specs: readonly Spec[],
  ports: Partial<BodyPlanPorts> = {},
  files: readonly (string | Uint8Array)[] = [],
): ReturnType<typeof createBodyPlan> {
  const compiled = specs.map((spec, i) => {
    const parsed = parseBodyPolicy(aDocument(spec, "abcdef"[i]));
    if (parsed.spec === undefined) throw new Error(parsed.findings.map(({ message }) => message).join("; "));
    const texts = files.map((file) => Buffer.from(file).toString("base64"));
    const whole = completeBodyPolicy(parsed.spec, texts);
    if (whole.spec === undefined) throw new Error(whole.findings.map(({ message }) => message).join("; "));
    return compileBodyPolicy(whole.spec);
  });
  return createBodyPlan(compiled, { rego: () => undefined, usage: undefined, ...ports });
}

/** A POST with JSON. */
export function aPost(headers: Readonly<Record<string, string>> = {}): Attributes {
  let request = aRequest().method("POST", "/orders");
  const all = { "content-type": "application/json", ...headers };
  for (const [name, value] of Object.entries(all)) if (value !== "") request = request.header(name, value);
  return request.build();
}

/** What a run begins with, unless told otherwise: a POST with a body. */
export function anInput(changes: Partial<BodyInput> = {}): BodyInput {
  return {
    attributes: aPost(),
    workload: undefined,
    obligations: [],
    charged: new Map(),
    hasBody: true,
    ...changes,
  };
}

/** The run; throws for a refusal or nothing. */
export function begun(result: BodyRun | BodyRefusal | undefined): BodyRun {
  if (result === undefined || "httpStatus" in result) throw new Error(`no run: ${JSON.stringify(result)}`);
  return result;
}

/** Sends a request's body through a run. */
export async function send(
  run: BodyRun,
  ...chunks: (string | Uint8Array)[]
): Promise<LastStep & { readonly text: string }> {
  const flow = run.request;
  if (flow === undefined) throw new Error("the body is not looked at");
  const out: Uint8Array[] = [];
  for (const chunk of chunks) {
    const step = await flow.push(Buffer.from(chunk));
    if (step.kind === "refuse") return { ...step, text: "" };
    out.push(step.bytes);
  }
  const last = await flow.end();
  if (last.kind === "go") out.push(last.bytes);
  return { ...last, text: Buffer.concat(out).toString() };
}

/** Reason and status of what became of a body, or the text that went on. */
export async function outcome(
  spec: Spec | readonly Spec[],
  body: string | Uint8Array,
  changes: Partial<BodyInput> = {},
): Promise<string> {
  const specs = (Array.isArray(spec) ? spec : [spec]) as readonly Spec[];
  const result = aPlan(specs).begin(anInput(changes));
  if (result === undefined) return "not looked at";
  if ("httpStatus" in result) return `${result.reason} ${result.httpStatus}`;
  if (result.request === undefined) return "not looked at";
  const step = await send(result, body);
  return step.kind === "refuse" ? `${step.refusal.reason} ${step.refusal.httpStatus}` : step.text;
}
