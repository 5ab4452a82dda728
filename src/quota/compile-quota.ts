import { compileExpression, type Expression } from "../expressions/index.js";
import { compileOverrides } from "./compile-overrides.js";
import type { Quota } from "./quota.js";
import { generalKey, keyPrefix } from "./quota-key.js";
import type { Allowance } from "./store.js";

/** An allowance of a Quota with what its keys begin with. */
export interface KeyedAllowance {
  readonly allowance: Allowance;
  /** Among all that the Quota has: 0 is its own, the others belong to overrides. */
  readonly index: number;
  readonly prefix: string;
}

/** A Quota ready to be charged. */
export interface CompiledQuota {
  readonly quota: Quota;
  /** `NAMESPACE/NAME`. */
  readonly id: string;
  readonly match: Expression<boolean> | undefined;
  readonly dimensions: readonly Expression<string>[];
  /** Whether the value of each dimension is a credential, as its name says: it stands in no key. */
  readonly areSecret: readonly boolean[];
  /** A number where every request costs the same. */
  readonly cost: Expression<number> | number;
  readonly chargeId: Expression<string> | undefined;
  /** The Quota's own, and that of each override that has one. */
  readonly allowances: readonly KeyedAllowance[];
  readonly own: KeyedAllowance;
  /** Of requests that an expression failed for; with the Quota's own allowance. */
  readonly generalKey: string;
  /** What the values of the dimensions, in order, may use; undefined: it is not limited. */
  readonly allowanceOf: (values: readonly string[]) => KeyedAllowance | undefined;
}

/** Compiles a Quota that {@link parseQuota} found no error in. */
export function compileQuota(quota: Quota): CompiledQuota {
  const { namespace, name, match, cost, chargeId, overrides } = quota;
  const allowances: KeyedAllowance[] = [];
  const keyed = (allowance: Allowance): KeyedAllowance => {
    const prefix = keyPrefix(namespace, name, allowance);
    const made = { allowance, index: allowances.length, prefix };
    allowances.push(made);
    return made;
  };
  const own = keyed(quota.allowance);
  const others = overrides.map(({ allowance }) => (allowance === undefined ? undefined : keyed(allowance)));
  const find = compileOverrides(
    overrides,
    quota.dimensions.map((dimension) => dimension.name),
  );
  const allowanceOf = (values: readonly string[]): KeyedAllowance | undefined => {
    const found = find(values);
    return found < 0 ? own : others[found];
  };
  const dimensions = quota.dimensions.map(({ value }) => compileExpression(value, "scalar"));
  return {
    quota,
    id: `${namespace}/${name}`,
    match: match === undefined ? undefined : compileExpression(match, "bool"),
    dimensions,
    areSecret: dimensions.map(isSecret),
    cost: compileCost(cost),
    chargeId: chargeId === undefined ? undefined : compileExpression(chargeId, "string"),
    allowances,
    own,
    generalKey: generalKey(own.prefix),
    allowanceOf: overrides.length === 0 ? () => own : allowanceOf,
  };
}

/** The number that a cost's text is, undefined when it has to be worked out. */
export function constantCost(text: string): number | undefined {
  return /^\s*[0-9]{1,10}\s*$/.test(text) ? Number(text) : undefined;
}

const secretName = /auth|cookie|token|key|secret|session|passw|signature/i;

/** What a client itself sends under such a name. Keys are seen by whoever may look into the store. */
function isSecret({ source, attributes }: Expression<string>): boolean {
  const isSent = attributes.some((name) => sentByClients.has(name));
  return isSent && secretName.test(source.replaceAll("request.auth.", ""));
}

const sentByClients: ReadonlySet<string> = new Set(["request.headers", "request.query_params"]);

function compileCost(text: string | undefined): Expression<number> | number {
  if (text === undefined) return 1;
  return constantCost(text) ?? compileExpression(text, "int");
}
