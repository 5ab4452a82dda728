import { booleanAt, collectionAt, objectAt, stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { setOf } from "./value.js";

/** Casts that OPA has deprecated (v1/topdown/casts.go); v0 policies still call them. */
export const cast: Builtins = {
  cast_array: (args) => collectionAt(args, 0),
  cast_set: (args) => setOf(collectionAt(args, 0)),
  cast_string: (args) => stringAt(args, 0),
  cast_boolean: (args) => booleanAt(args, 0),
  cast_object: (args) => objectAt(args, 0),
  cast_null: ([value]) => {
    if (value !== null) throw new BuiltinError("operand 1 must be null");
    return null;
  },
};
