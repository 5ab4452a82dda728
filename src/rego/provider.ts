import {
  deny,
  fail,
  grpcCode,
  noEdits,
  obligationsAsked,
  type Provider,
  type ProviderRequest,
  type Verdict,
} from "../engine/index.js";
import { createEvaluator, type EvaluationOutcome, type EvaluatorPorts } from "./evaluator.js";
import { describeRequest } from "./facts.js";
import { createInputWriter } from "./input.js";
import type { RegoPolicy } from "./rego-policy.js";
import { DecisionError, readDecision } from "./result.js";

/** Why a policy gave no answer; a closed set. */
export type RegoFailure =
  | "not_loaded"
  | "undefined_decision"
  | "bad_decision"
  | Extract<EvaluationOutcome, { kind: "failed" }>["reason"];

/** What a policy in Rego is evaluated with. */
export interface RegoPorts extends EvaluatorPorts {
  /** Told of each evaluation that gave no answer. `message` is for the operator, never for the client. */
  readonly onFailure: (policy: string, reason: RegoFailure, message: string) => void;
  /** Told of each answer, after `onFailure`. */
  readonly onVerdict?: (policy: RegoPolicy, request: ProviderRequest, verdict: Verdict) => void;
}

/**
 * A RegoPolicy as a provider: synchronous, so it is asked like a rule. Its answers are those of OPA-Envoy for the same
 * request; what that answers with a gRPC error is refused with 500 here, or passes with `failOpen`. Rejects when the
 * program cannot be run.
 */
export async function createRegoProvider(policy: RegoPolicy, ports: RegoPorts): Promise<Provider> {
  const provider = await createJudge(policy, ports);
  const { onVerdict } = ports;
  if (onVerdict === undefined) return provider;
  return (request) => {
    const verdict = provider(request);
    onVerdict(policy, request, verdict);
    return verdict;
  };
}

async function createJudge(
  policy: RegoPolicy,
  ports: RegoPorts,
): Promise<(request: ProviderRequest) => Verdict> {
  const { program, data, limits, failOpen, dryRun, parseBody, protoDescriptor } = policy;
  const name = `${policy.namespace}/${policy.name}`;
  const failed = (reason: RegoFailure, message: string): Verdict => {
    ports.onFailure(name, reason, message);
    return failOpen ? passedUnjudged : couldNotJudge;
  };
  if (program === undefined) return () => failed("not_loaded", "the bundle has not arrived");
  const evaluator = await createEvaluator({ program, data, limits, ports });
  const writeInput = createInputWriter({ parseBody, protoDescriptor });

  const judge = (request: ProviderRequest): Verdict => {
    const input = writeInput(request.original, describeRequest(request));
    if (!input.ok) return badRequest(input.message);
    const outcome = evaluator.evaluate(input.json);
    if (outcome.kind === "undefined") return failed("undefined_decision", "undefined decision");
    if (outcome.kind === "failed") return failed(outcome.reason, outcome.message);
    try {
      const verdict = readDecision(outcome.value);
      if (!verdict.allowed || obligationsAsked(verdict.metadata, name) !== undefined) return verdict;
      // INVARIANT: `failOpen` lets nothing pass of which something has to be hidden.
      ports.onFailure(name, "bad_decision", badObligations);
      return couldNotJudge;
    } catch (error) {
      if (error instanceof DecisionError) return failed("bad_decision", error.message);
      throw error;
    }
  };
  return dryRun ? (request) => onTrial(judge(request)) : judge;
}

const badObligations =
  "`dynamic_metadata.obligations` of the decision is unreadable, expected a name of a BodyPolicy or a list of names";

/** As OPA-Envoy's dry-run: a refusal by the policy passes and keeps its metadata, anything else stays. */
function onTrial(verdict: Verdict): Verdict {
  if (verdict.failed || verdict.isBadRequest) return verdict;
  if (verdict.allowed) return { ...verdict, dryRun: "allowed" };
  const { metadata } = verdict;
  return { ...passedUnjudged, metadata, failed: false, failedOpen: false, dryRun: "denied" };
}

const couldNotJudge: Verdict = {
  allowed: false,
  httpStatus: fail("policy_failed").httpStatus,
  code: grpcCode.internal,
  body: "",
  edits: noEdits,
  metadata: undefined,
  failedOpen: false,
  failed: true,
};

const passedUnjudged: Verdict = {
  ...couldNotJudge,
  allowed: true,
  httpStatus: 200,
  code: grpcCode.ok,
  failedOpen: true,
};

/** The request has no input document: its path, query, body or length cannot be read. */
function badRequest(message: string): Verdict {
  const { code } = deny("rego", "bad_request");
  const body = `request_parse_error: ${message}`;
  return { ...couldNotJudge, httpStatus: 400, code, body, failed: false, isBadRequest: true };
}
