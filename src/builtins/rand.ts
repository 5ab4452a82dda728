import { stringAt } from "./arguments.js";
import { type Builtin, BuiltinError, type Builtins, type Evaluation } from "./builtin.js";
import { intAt, maxInt64 } from "./go-integer.js";
import { integer } from "./number.js";
import type { Value } from "./value.js";

/** What an evaluation made of a key the first time it was asked. */
export function remembered(evaluation: Evaluation, key: string, make: () => Value): Value {
  const known = evaluation.memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  evaluation.memory.set(key, made);
  return made;
}

const intn: Builtin = (args, evaluation) => {
  const [name, limit] = [stringAt(args, 0), intAt(args, 1)];
  const count = limit < 0n ? -limit : limit;
  if (count > maxInt64) throw new BuiltinError("limit is too large");
  if (count === 0n) return 0;
  return remembered(evaluation, `rand.intn:${name}-${count}`, () => {
    // Bits beyond the 53 of one number matter only for limits above 2^53: their low digits are then less random.
    const scaled = BigInt(Math.floor(evaluation.random() * 2 ** 53));
    return integer((scaled * count) >> 53n);
  });
};

/** `rand.intn`: the same name and limit give the same number for a whole evaluation. */
export const randBuiltins: Builtins = { "rand.intn": intn };
