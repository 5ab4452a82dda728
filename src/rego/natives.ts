import { type Builtins, builtins } from "../builtins/index.js";
import { type PrepareOptions, prepareWasm, type Redirect } from "../wasm/index.js";

/** Ids by which a prepared module calls the host; OPA's own ids of builtins are small. */
export const hostIds = { refill: 0x4747_0000, iterate: 0x4747_0001, natives: 0x4747_0100 } as const;

/** A builtin that OPA's wasm runtime has, and which is answered by the host all the same. */
interface ReplacedNative {
  /** Of the function in the module. */
  readonly native: string;
  readonly builtin: string;
  /** The only case in which the host answers. */
  readonly when?: NonNullable<Redirect["when"]>;
}

const isSet = 7;
const isObject = 6;

/**
 * Natives that differ from OPA. The order is part of prepared modules: append only.
 */
export const replacedNatives: readonly ReplacedNative[] = [
  { native: "opa_base64_decode", builtin: "base64.decode" },
  { native: "opa_base64_is_valid", builtin: "base64.is_valid" },
  { native: "opa_base64_url_decode", builtin: "base64url.decode" },
  { native: "opa_strings_format_int", builtin: "format_int" },
  { native: "opa_cidr_contains", builtin: "net.cidr_contains" },
  { native: "opa_cidr_intersects", builtin: "net.cidr_intersects" },
  { native: "opa_json_marshal", builtin: "json.marshal" },
  { native: "opa_json_unmarshal", builtin: "json.unmarshal" },
  { native: "opa_json_is_valid", builtin: "json.is_valid" },
  { native: "opa_strings_replace_n", builtin: "strings.replace_n" },
  { native: "opa_arith_divide", builtin: "div" },
  { native: "opa_bits_or", builtin: "bits.or" },
  { native: "opa_bits_and", builtin: "bits.and" },
  { native: "opa_bits_negate", builtin: "bits.negate" },
  { native: "opa_bits_xor", builtin: "bits.xor" },
  { native: "opa_bits_shiftleft", builtin: "bits.lsh" },
  { native: "opa_bits_shiftright", builtin: "bits.rsh" },
  { native: "opa_to_number", builtin: "to_number" },
  { native: "opa_strings_concat", builtin: "concat", when: { parameter: 1, types: [isSet] } },
  { native: "opa_glob_match", builtin: "glob.match" },
  { native: "opa_arith_ceil", builtin: "ceil" },
  { native: "opa_arith_floor", builtin: "floor" },
  { native: "opa_arith_round", builtin: "round" },
  { native: "opa_agg_sum", builtin: "sum" },
  { native: "opa_agg_product", builtin: "product" },
  { native: "opa_strings_replace", builtin: "replace" },
  { native: "opa_strings_indexof", builtin: "indexof" },
  { native: "opa_regex_find_all_string_submatch", builtin: "regex.find_all_string_submatch_n" },
  { native: "builtin_json_filter", builtin: "json.filter" },
  { native: "builtin_json_remove", builtin: "json.remove" },
  { native: "builtin_object_union_n", builtin: "object.union_n" },
];

/** Builtins that OPA's wasm runtime has itself. */
const nativeBuiltins: ReadonlySet<string> = new Set(
  `plus minus mul div abs round ceil floor rem array.concat array.flatten array.reverse array.slice and or set_diff
  intersection union is_number is_string is_boolean is_array is_set is_object is_null type_name bits.or bits.and
  bits.negate bits.xor bits.lsh bits.rsh count sum product max min sort all any base64.is_valid base64.decode
  base64.encode base64url.encode base64url.decode net.cidr_contains net.cidr_overlap net.cidr_intersects equal gt
  gte lt lte neq glob.match json.marshal json.unmarshal json.is_valid object.filter object.get object.keys
  object.remove object.union object.union_n concat format_int indexof substring lower upper contains startswith
  endswith strings.reverse split replace strings.replace_n trim trim_left trim_prefix trim_right trim_suffix
  trim_space internal.template_string numbers.range to_number walk graph.reachable regex.is_valid regex.match
  re_match regex.find_all_string_submatch_n json.remove json.filter internal.member_2 internal.member_3 eq
  assign`.split(/\s+/),
);

/** The builtins among those given that can neither be called in a module nor are in the pack. */
export function missingBuiltins(names: readonly string[], pack: Builtins = builtins): string[] {
  return [...new Set(names)].filter((name) => !nativeBuiltins.has(name) && !Object.hasOwn(pack, name));
}

/** Makes a module of OPA's compiler what the evaluator runs; throws a WasmError when it cannot be. */
export function prepareModule(wasm: Uint8Array, pack: Builtins): Uint8Array {
  return prepareWasm(wasm, optionsFor(pack)).wasm;
}

/** A native without a counterpart in the pack stays as it is. */
function optionsFor(pack: Builtins): PrepareOptions {
  const natives = replacedNatives.flatMap(({ native, builtin, when }, i): Redirect[] => {
    if (!Object.hasOwn(pack, builtin)) return [];
    const redirect = { name: native, id: hostIds.natives + i };
    return [when === undefined ? redirect : { ...redirect, when }];
  });
  const sorted = { parameter: 0, types: [isObject, isSet], minLength: 2 };
  return {
    refillId: hostIds.refill,
    fuelExport: "gatehouse_fuel",
    initialFuel: 50_000_000,
    redirects: [{ name: "opa_value_iter", id: hostIds.iterate, when: sorted }, ...natives],
    exports: ["opa_value_compare", "opa_value_iter", "opa_object_insert"],
  };
}
